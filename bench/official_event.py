"""The bare script that a person would write with PagerDuty's own client: `python official_event.py BASE CA`."""

import ssl
import sys

import pagerduty

trust = ssl.create_default_context(cafile=sys.argv[2])
with pagerduty.EventsApiV2Client("a" * 32, base_url=sys.argv[1], verify=trust) as client:
    print(client.trigger("s", "s", severity="info"))
