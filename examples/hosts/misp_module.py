"""An action module of MISP: it opens a PagerDuty event for what a workflow hands it.

It lies in `action_mod/` of the folder that `misp-modules --custom` names. Whoever sets the workflow up gives the
parameters below.
"""

import json

from connector_host import ConnectorHostError
from connector_host.blocking import run_once

moduleinfo = {"version": "1", "author": "", "description": "Open a PagerDuty event.", "module-type": ["action"]}
names = ("api_key", "integration_key", "server_url", "event_url", "severity")
moduleconfig = {"params": {name: {"type": "string"} for name in names}, "blocking": False}


def handler(q=False):
    request = json.loads(q)
    values = {name: value for name, value in request["params"].items() if value and name != "severity"}
    event = {"summary": request["data"]["info"], "severity": request["params"]["severity"], "source": "MISP"}
    try:
        return {"data": run_once("pagerduty", "create_event", values, event).raise_for_failure().raw_data}
    except ConnectorHostError as error:
        return {"error": str(error)}


def introspection():
    return {"config": moduleconfig}


def version():
    return moduleinfo
