"""A Python action of StackStorm, by its calling convention: made with the pack's configuration, run with parameters.

`st2` is not in the package index, so this is tried by that convention alone: `run` takes the action's parameters by
name, and returns whether it succeeded, and the result. Parameters are texts as a rule: each is read as its schema says.
"""

from connector_host import Options, Status
from connector_host.blocking import run_once


class RunCommand:
    def __init__(self, config=None, action_service=None):
        self.config = config

    def run(self, command, **inputs):
        options = Options(record=False, text_inputs=True)
        result = run_once("pagerduty", command, self.config, inputs, options=options)
        return result.status is not Status.FAILED, result.document()
