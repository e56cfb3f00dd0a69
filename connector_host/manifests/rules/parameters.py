"""The connection and all parameters: schemas, defaults, examples, conditions, references, unmasked secrets."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.manifests.parameters import standard_schema
from connector_host.manifests.patterns import fault_of_pattern
from connector_host.manifests.rules.reach import Plugin, resolves
from connector_host.manifests.schema import Checker, fault_of_schema
from connector_host.manifests.source_map import Where
from connector_host.manifests.wording import hint
from connector_host.model.failure import Level, Problem


def check_parameters(plugin: Plugin) -> Iterator[Problem]:
    """Check all parameters."""
    yield from _check_form(plugin, ("connection",), plugin.value["connection"])
    for name, schema in plugin.connection.items():
        where: Where = ("connection", "properties", name)
        if schema.get("writeOnly") and "default" in schema:
            cause = f"The secret '{name}' has a default: everyone who reads the manifest would know it."
            advice = "A secret must be given with each connection: remove the default."
            yield plugin.document.problem((*where, "default"), "secret-default", cause, advice, key=True)
        for index, command in enumerate(schema.get("needed_by", [])):
            yield from plugin.unknown(
                (*where, "needed_by", index), "unknown-command", command, plugin.commands, "command"
            )
        if "unless_given" in schema:
            place: Where = (*where, "unless_given")
            other = schema["unless_given"]
            yield from plugin.unknown(place, "unknown-parameter", other, plugin.connection, "connection parameter")
        for index, other in enumerate(schema.get("history_of", [])):
            place = (*where, "history_of", index)
            yield from plugin.unknown(place, "unknown-parameter", other, plugin.connection, "connection parameter")
        for index, one in enumerate(schema.get("look_alikes", [])):
            fault = fault_of_pattern(one["pattern"])
            if fault is not None:
                yield plugin.document.problem(
                    (*where, "look_alikes", index, "pattern"), PATTERN, fault, "Write it anew."
                )
    for name, command in plugin.commands.items():
        yield from _check_form(plugin, ("commands", name, "input"), command.get("input", {}))


def _check_form(plugin: Plugin, where: Where, form: Mapping[str, Any]) -> Iterator[Problem]:
    properties = form.get("properties", {})
    for index, name in enumerate(form.get("required", [])):
        if name not in properties and name not in plugin.set_aside:
            advice, near = hint(name, properties)
            cause = f"'{name}' is required, but not declared."
            place: Where = (*where, "required", index)
            yield plugin.document.problem(place, "required-undeclared", cause, advice, fix=near)
        elif "visible_if" in properties.get(name, {}):
            cause = f"'{name}' is always required, yet only there where its visible_if holds."
            place = (*where, "required", index)
            yield plugin.document.problem(place, "required-but-hidden", cause, "Use required_if in its place.")
    for key in ("at_least_one", "at_most_one"):
        for number, names in enumerate(form.get(key, [])):
            for index, name in enumerate(names):
                place = (*where, key, number, index)
                yield from plugin.unknown(place, "unknown-parameter", name, properties, "parameter here")
    taken = set(properties)
    for name, schema in properties.items():
        yield from _check_parameter(plugin, (*where, "properties", name), name, schema, properties)
        if "was" in schema and (where[0] == "connection" or schema["was"] in taken):
            cause = f"'{schema['was']}' cannot be an old name here: another has it, or it is not an input's."
            advice = "Only an input has an old name, and one that no other has; connections have migrations."
            yield plugin.document.problem((*where, "properties", name, "was"), "old-name", cause, advice)
        taken.add(schema.get("was", name))


PATTERN = "pattern-engine"
_ENGINE = "Write it without look-arounds, \\Z and references back."


def _check_parameter(
    plugin: Plugin, where: Where, name: str, schema: Mapping[str, Any], siblings: Mapping[str, Any]
) -> Iterator[Problem]:
    plain = standard_schema({"properties": {name: schema}})["properties"][name]
    fault = fault_of_schema(plain)
    if fault is not None:
        inside = ".".join(map(str, fault.path))
        cause = f"This is not a valid JSON Schema{f', at {inside}' if inside else ''}. {fault.reason}"
        rule = PATTERN if fault.rule == "pattern" else "bad-schema"
        yield plugin.document.problem((*where, *fault.path), rule, cause, fault.about or _ENGINE)
        return
    yield from _check_values(plugin, where, schema, plain)
    for condition in ("visible_if", "required_if"):
        for other in schema.get(condition, {}):
            place: Where = (*where, condition, other)
            known = [sibling for sibling in siblings if sibling != name]
            yield from plugin.unknown(place, "unknown-parameter", other, known, "parameter beside it", key=True)
    if "pattern_message" in schema and "pattern" not in schema:
        cause = f"'{name}' has a pattern_message and no pattern."
        place = (*where, "pattern_message")
        yield plugin.document.problem(place, "useless-key", cause, "Add the pattern, or remove it.", key=True)
    yield from _check_sources(plugin, where, schema)


def _check_values(
    plugin: Plugin, where: Where, schema: Mapping[str, Any], plain: Mapping[str, Any]
) -> Iterator[Problem]:
    """Defaults and examples must be values that the parameter takes; masked examples of secrets need not."""
    checker = Checker(plain)
    if "default" in schema and not checker.accepts(schema["default"]):
        options = _options(schema)
        if options:
            advice, near = hint(str(schema["default"]), options)
            cause = f"The default '{schema['default']}' is not among the options."
            place: Where = (*where, "default")
            yield plugin.document.problem(place, "default-not-an-option", cause, advice, allowed=options, fix=near)
        else:
            reason = next(checker.faults(schema["default"])).reason
            cause = f"The default '{schema['default']}' is no value that the parameter takes: {reason}"
            yield plugin.document.problem((*where, "default"), "wrong-default", cause, "Mend the default.")
    for index, example in enumerate(schema.get("examples", [])):
        if not schema.get("writeOnly") and not checker.accepts(example):
            reason = next(checker.faults(example)).reason
            cause = f"The example '{example}' is no value that the parameter takes: {reason}"
            place = (*where, "examples", index)
            yield plugin.document.problem(place, "wrong-example", cause, "Mend the example.")


def _options(schema: Mapping[str, Any]) -> tuple[str, ...]:
    choices = [branch["const"] for branch in schema.get("oneOf", []) if isinstance(branch, dict) and "const" in branch]
    return tuple(map(str, schema.get("enum", choices)))


def _check_sources(plugin: Plugin, where: Where, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Where values and options come from: commands that are there, and paths that their outputs hold."""
    sources = schema.get("obtained_from", [])
    for index, source in enumerate([sources] if isinstance(sources, str) else sources):
        place: Where = (*where, "obtained_from") if isinstance(sources, str) else (*where, "obtained_from", index)
        command, _, path = source.partition("#")
        yield from _check_source(plugin, place, command, path)
    if "options_from" in schema:
        place = (*where, "options_from")
        fetch = schema["options_from"]
        for key in ("value", "label"):
            if key in fetch:
                yield from _check_source(plugin, (*place, key), fetch["command"], fetch[key], (*place, "command"))


def _check_source(
    plugin: Plugin, where: Where, command: str, path: str, named_at: Where | None = None
) -> Iterator[Problem]:
    rest = "" if named_at else f"#{path}"
    yield from plugin.unknown(named_at or where, "unknown-command", command, plugin.commands, "command", rest=rest)
    yield from plugin.path(where, path)
    if command in plugin.outputs and not resolves(path, plugin.outputs[command]):
        cause = f"The output of '{command}' has nothing at {path}."
        advice = f"Choose a path that the output schema of '{command}' describes."
        yield plugin.document.problem(where, "unresolved-path", cause, advice, level=Level.ERROR)


_SECRET = re.compile(r"(^|_)(password|passwd|passphrase|secret|token|api_?key|private_?key|credentials?|pin)$")


def check_connection(plugin: Plugin) -> Iterator[Problem]:
    """Check what concerns the connection as a whole."""
    for name, options in plugin.value.get("presets", {}).items():
        yield from plugin.unknown(
            ("presets", name), "unknown-parameter", name, plugin.connection, "connection parameter", key=True
        )
        for option, values in options.items():
            for key in values:
                where = ("presets", name, option, key)
                yield from plugin.unknown(
                    where, "unknown-parameter", key, plugin.connection, "connection parameter", key=True
                )
    yield from _unmasked(plugin)


def _unmasked(plugin: Plugin) -> Iterator[Problem]:
    for name, schema in plugin.connection.items():
        if _SECRET.search(name) and not schema.get("writeOnly") and schema.get("type", "string") == "string":
            yield plugin.document.problem(
                ("connection", "properties", name),
                "unmasked-secret",
                f"'{name}' looks like a secret, and is not marked as one: it would be stored and shown in the clear.",
                "Add 'writeOnly: true'. If it is no secret, say so under 'exemptions:'.",
                key=True,
                level=Level.ADVICE,
            )
