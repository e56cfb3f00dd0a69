"""Takes an invocation's inputs: text read by its schema, all brought into one form, files in place of references."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from connector_host.host.core import Core
from connector_host.host.plan import CommandRules
from connector_host.host.results import Collector
from connector_host.host.text_values import read_texts
from connector_host.model.authoring import item_name
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import InvalidInput

_SHOWN = 10  # of names in a note


def accept_inputs(core: Core, invocation: Invocation, rules: CommandRules, output: Collector) -> None:
    """Bring the inputs into their one form, files in place of references; warn of what is deprecated."""
    command, given = invocation.command, invocation.inputs
    if not isinstance(given, Mapping):
        raise InvalidInput("inputs", f"They are a mapping of names and values, not {type(given).__name__}.")
    if invocation.options.text_inputs:
        given = read_texts(given, command.input.get("properties", {}))
    inputs, invocation.inputs_text = rules.form.accept(given)
    invocation.zones = rules.form.zones(given)
    for name in filter(None, (command.each, command.answers_for)):
        _once_each(inputs, name, rules, output)
    invocation.inputs, invocation.uploads = rules.files.opened(inputs, core.uploads, invocation.actor)
    if command.deprecated is not None:
        output.note(command.deprecated.told(f"The command {command.title}"))
    for warning in rules.form.warnings(given):
        output.note(warning)


def _once_each(inputs: dict[str, Any], name: str, rules: CommandRules, output: Collector) -> None:
    """Run for an element that is given twice once, and say so."""
    elements = inputs.get(name, [])
    by_name = {item_name(one): one for one in elements}
    if len(by_name) < len(elements):
        inputs[name] = list(by_name.values())
        twice = [one for one, times in Counter(map(item_name, elements)).items() if times > 1]
        shown = ", ".join(twice[:_SHOWN]) + (f" and {len(twice) - _SHOWN} more" if len(twice) > _SHOWN else "")
        output.note(f"Given more than once in {rules.form.title(name)}, and answered for once: {shown}.")
