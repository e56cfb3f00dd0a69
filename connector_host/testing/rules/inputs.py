"""Rules about inputs: what is unknown is refused, and nothing that can be thought of makes a command raise."""

from connector_host.contract.manifest import Command
from connector_host.testing.bench import Bench
from connector_host.testing.rules.ruling import NOT_APPLICABLE, Seen, rule
from connector_host.testing.values import fuzzed, good_inputs

ROUNDS = 30


@rule("unknown-input-refused", "silver", "An input that is not declared is refused, and nothing is sent.")
async def unknown_input_refused(bench: Bench, command: Command) -> Seen:
    run = await bench.run(command, {**good_inputs(command), "not_declared_anywhere": 1})
    if run.kinds != ["invalid_input"] or run.requests:
        return f"It ended so: {run.words} ({len(run.requests)} requests)"
    return None


@rule("input-fuzzed", "silver", "No input makes the command raise, or its code fail.")
async def input_fuzzed(bench: Bench, command: Command) -> Seen:
    for inputs in fuzzed(command, ROUNDS):
        run = await bench.run(command, inputs)
        if run.result is None or "internal" in run.kinds:
            return f"With {inputs!r:.300} it ended so: {run.words}"
    return None


@rule("required-input-told", "silver", "A required input that is missing is named in the error.")
async def required_input_told(bench: Bench, command: Command) -> Seen:
    required = command.input.get("required", [])
    for name in required:
        schema = command.input["properties"][name]
        inputs = {key: value for key, value in good_inputs(command).items() if key != name}
        run = await bench.run(command, inputs)
        if "default" not in schema and run.kinds != ["invalid_input"]:
            return f"Without {name} it ended so: {run.words}"
    return None if required else NOT_APPLICABLE
