#!/usr/bin/env python3
"""A responder of TheHive's Cortex: it runs one command of the PagerDuty plugin with what the job's data says.

Cortex hands the responder's configuration over with each job; the connection's values stand in it under their own
names, so that Cortex takes `api_key` out of what it shows of a failed job. Nothing is stored.
"""

from cortexutils.responder import Responder

from connector_host import Status
from connector_host.blocking import run_once

VALUES = ("api_key", "server_url", "event_url", "default_from")


class PagerDuty(Responder):
    def run(self):
        values = {name: self.get_param(f"config.{name}") for name in VALUES if self.get_param(f"config.{name}")}
        result = run_once("pagerduty", self.get_param("config.command"), values, self.get_data())
        if result.status is Status.FAILED:
            self.error("; ".join(map(str, result.errors)))
        self.report(result.document())


if __name__ == "__main__":
    PagerDuty().run()
