"""A plugin of Rapid7's InsightConnect: one action that runs commands of the PagerDuty plugin.

The connection is InsightConnect's: its values come with each message, and stay in memory.
"""

from insightconnect_plugin_runtime import CLI, Action, Connection, Input, Output, Plugin
from insightconnect_plugin_runtime.exceptions import PluginException

from connector_host import Status
from connector_host.blocking import run_once


class Values(Connection):
    def connect(self, params={}):
        self.values = params


class Run(Action):
    def run(self, params={}):
        result = run_once("pagerduty", params["command"], self.connection.values, params["inputs"])
        if result.status is Status.FAILED:
            raise PluginException(cause=result.errors[0].message, assistance=result.errors[0].assistance)
        return result.document()


def main():
    anything = {"type": "object"}
    plugin = Plugin("PagerDuty", "you", "PagerDuty's commands", "1.0.0", Values(Input(anything)))
    plugin.add_action(Run("run", "Run a command", Input(anything), Output(anything)))
    CLI(plugin).run()


if __name__ == "__main__":
    main()
