"""Commands: what they run over, collect and give, intake and credentials, and samples that are what they show."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.manifests.parameters import standard_schema
from connector_host.manifests.rules.reach import PLACED, Plugin, reaches_of, resolves
from connector_host.manifests.schema import Checker, fault_of_schema
from connector_host.manifests.source_map import Where
from connector_host.manifests.wording import hint
from connector_host.model.failure import Level, Problem
from connector_host.model.paths import ABSENT, PathSyntaxError, compile_path


def check_commands(plugin: Plugin) -> Iterator[Problem]:
    """Check all commands."""
    for name, command in plugin.commands.items():
        where: Where = ("commands", name)
        output = plugin.outputs.get(name, ABSENT)
        yield from _check_output(plugin, where, output)
        yield from _check_each(plugin, where, command)
        for field, path in command.get("key_fields", {}).items():
            place: Where = (*where, "key_fields", field)
            yield from plugin.path(place, path)
            if output is not ABSENT and not resolves(path, output):
                cause = f"The key field {field} will be empty: the output schema has nothing at {path}."
                yield plugin.document.problem(place, "unresolved-path", cause, "Mend the path, or the output schema.")
        for title, path in command.get("columns", {}).items():
            yield from plugin.path((*where, "columns", title), path)
        if command.get("kind") == "credential" or "credential" in command:
            yield from _check_credential(plugin, where, command)
        if "intake" in command:
            yield from _check_intake(plugin, (*where, "intake"), command["intake"])
            yield from _check_reach(plugin, (*where, "intake"), command, output)
            yield from _check_cursor(plugin, (*where, "intake", "cursor"), command)
        if command.get("read_only") and command.get("destructive"):
            cause = f"'{name}' is said to change nothing, and to be destructive."
            yield plugin.document.problem(
                (*where, "destructive"), "contradiction", cause, "Keep one of them.", key=True
            )
    yield from _check_test_connection(plugin)


def _check_output(plugin: Plugin, where: Where, output: Any) -> Iterator[Problem]:
    fault = None if output is ABSENT else fault_of_schema(output)
    if fault is not None:
        inside = ".".join(map(str, fault.path))
        cause = f"This is not a valid JSON Schema{f', at {inside}' if inside else ''}. {fault.reason}"
        yield plugin.document.problem((*where, "output", *fault.path), "bad-schema", cause, fault.about)


def _check_each(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    """Check what names a list: each, and answers_for, which a Python command alone can do."""
    properties = command.get("input", {}).get("properties", {})
    for key in {"each", "answers_for"} & command.keys():
        name = command[key]
        if name not in plugin.set_aside and properties.get(name, {}).get("type") != "array":
            lists = [one for one, schema in properties.items() if schema.get("type") == "array"]
            advice, near = hint(name, lists)
            cause = f"'{name}' is no parameter of type array."
            yield plugin.document.problem((*where, key), "each-not-a-list", cause, advice, fix=near)
    if "answers_for" in command and ("request" in command or "each" in command):
        cause = "'answers_for' belongs to a Python command that takes the list whole; here 'each' says it."
        yield plugin.document.problem((*where, "answers_for"), "useless-key", cause, "Remove it.", key=True)


def _check_test_connection(plugin: Plugin) -> Iterator[Problem]:
    tests = [name for name, command in plugin.commands.items() if command.get("kind") == "test_connection"]
    if not tests and not plugin.set_aside:  # what is set aside may be one
        yield plugin.document.problem(
            ("commands",),
            "no-test-connection",
            "There is no command of kind test_connection: nobody can see whether a connection works.",
            "Add one that reads something cheap: kind: test_connection.",
            key=True,
            level=Level.ADVICE,
        )
    for name in tests[1:]:
        cause = f"'{name}' is a second command of kind test_connection; '{tests[0]}' is the one that runs."
        place: Where = ("commands", name, "kind")
        yield plugin.document.problem(place, "second-test-connection", cause, "Keep one.")


def _check_credential(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    properties = command.get("input", {}).get("properties", {})
    spec = command.get("credential", {})
    if not {"path", "field"} <= set(properties):
        cause = "A credential command takes the inputs 'path' and 'field'."
        yield plugin.document.problem(where, "credential-inputs", cause, "Declare both under 'input:'.", key=True)
    if spec and command.get("kind") != "credential":
        cause = "'credential:' belongs to a command of kind credential."
        place: Where = (*where, "credential")
        yield plugin.document.problem(place, "useless-key", cause, "Add 'kind: credential'.", key=True)
    if ("request" in command) != bool(spec):
        cause = "A declared credential command needs 'credential: {fields: …}', and only a declared one has it."
        advice = "Write request: … and credential: {fields: $.data}."
        yield plugin.document.problem(where, "credential-fields", cause, advice, key=True)
    for key, path in spec.items():
        yield from plugin.path(
            (*where, "credential", key), path, plugin.roots() if path.startswith("$.connection.") else None
        )


def _check_cursor(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    """Hold a cursor's inputs against those of the command, and its path."""
    cursor, inputs = command["intake"].get("cursor", {}), command.get("input", {}).get("properties", {})
    for key in {"since", "until", "limit"} & cursor.keys():
        yield from plugin.unknown((*where, key), "unknown-parameter", cursor[key], inputs, "input of the command")
    if "time" in cursor:
        yield from plugin.path((*where, "time"), cursor["time"])


def _check_intake(plugin: Plugin, where: Where, intake: Mapping[str, Any]) -> Iterator[Problem]:
    yield from plugin.path((*where, "incident", "path"), intake["incident"]["path"])
    yield from plugin.path((*where, "event", "path"), intake["event"]["path"])
    yield from plugin.path((*where, "event", "unique_key"), intake["event"]["unique_key"])
    tables: list[tuple[Where, Any]] = [((*where, "incident", "fields"), intake["incident"]["fields"])]
    for index, source in enumerate(intake["event"]["sources"]):
        here: Where = (*where, "event", "sources", index)
        tables.append(((*here, "fields"), source["fields"]))
        if "search" in source:
            yield from plugin.path((*here, "search"), source["search"][1 : source["search"].index("}")])
    for place, rows in tables:
        for index, row in enumerate(rows):
            if "source" in row:
                yield from plugin.path((*place, index, "source"), row["source"])


def _check_reach(plugin: Plugin, where: Where, command: Mapping[str, Any], output: Any) -> Iterator[Problem]:
    """Tell of an intake's paths that neither the output schema nor a sample has anything at.

    Without its incidents, their keys and their times an intake takes nothing in; a field may be empty.
    """
    samples = [sample.get("result", {}).get("raw_data") for sample in command.get("samples", [])]
    for place, path, demanded in reaches_of(command["intake"]):
        if _can_be_found(path, output, samples):
            continue
        cause = f"It will always be empty: neither the output schema nor a sample has anything at {path}."
        advice, level = "Mend the path, or the output schema.", Level.ERROR if demanded else Level.ADVICE
        yield plugin.document.problem((*where, *place), "unresolved-path", cause, advice, level=level)
        if place == ("incident", "path"):  # nothing below it can be found either
            return


def _can_be_found(path: str, output: Any, samples: list[Any]) -> bool:
    try:
        found = any(compile_path(path).find(raw) for raw in samples if raw is not None)
        return found or output is ABSENT or resolves(path, output)
    except PathSyntaxError:  # told by itself
        return True


def check_samples(plugin: Plugin) -> Iterator[Problem]:
    """Check all samples."""
    for name, command in plugin.commands.items():
        samples = command.get("samples", [])
        if not samples:
            continue
        schema = standard_schema(command.get("input", {}))
        form = Checker(schema) if fault_of_schema(schema) is None else None
        output = plugin.outputs.get(name)
        shape = Checker(output) if output is not None and fault_of_schema(output) is None else None
        for index, sample in enumerate(samples):
            where: Where = ("commands", name, "samples", index)
            yield from _check_input(plugin, where, sample, schema, form)
            yield from _check_exchanges(plugin, where, command, sample)
            raw = sample.get("result", {}).get("raw_data")
            if shape is not None and raw is not None and not shape.accepts(raw):
                fault = next(shape.faults(raw))
                cause = f"The sample's raw data is not what the output schema describes: {fault.reason}"
                place: Where = (*where, "result", "raw_data", *fault.path)
                yield plugin.document.problem(place, "sample-output", cause, "Mend the sample, or the schema.")


def _check_input(
    plugin: Plugin, where: Where, sample: Mapping[str, Any], schema: Mapping[str, Any], form: Checker | None
) -> Iterator[Problem]:
    """Tell of an input that the command would refuse: a sample shows what goes to a server."""
    given = {**_defaults(schema), **sample.get("input", {})}
    if form is None or form.accepts(given):
        return
    fault = next(form.faults(given))
    if not set(map(str, fault.path[:1])) & (sample.get("input", {}).keys() | schema["properties"].keys()):
        return  # what is required and not declared is told where it is required
    if fault.path and fault.given and fault.path[0] not in sample.get("input", {}):
        return  # a default that is wrong is told where it stands
    title = ".".join(map(str, fault.path)) or "input"
    cause = f"The command would refuse the sample's input, at '{title}': {fault.reason}"
    place: Where = (*where, "input", *fault.path)
    yield plugin.document.problem(place, "sample-input", cause, "Mend the sample.", key=fault.rule == "unknown-key")


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: one["default"]
        for name, one in schema["properties"].items()
        if "default" in one and "visible_if" not in one
    }


def _check_exchanges(
    plugin: Plugin, where: Where, command: Mapping[str, Any], sample: Mapping[str, Any]
) -> Iterator[Problem]:
    """Tell of a first exchange that is not the request that the command declares."""
    request = command.get("request")
    for index, exchange in enumerate(sample["http"]):
        place: Where = (*where, "http", index)
        if "server" in exchange:
            yield from plugin.unknown(
                (*place, "server"), "unknown-server", exchange["server"], plugin.servers, "server"
            )
        if request is None or index or exchange.get("server", request["server"]) != request["server"]:
            continue
        method, _, target = exchange["request"].partition(" ")
        wanted = f"{request.get('method', 'GET')} {request['path']}"
        if method != request.get("method", "GET") or not _fits(target.partition("?")[0], request["path"]):
            cause = f"The command sends {wanted}; the sample's first exchange is {exchange['request']}."
            yield plugin.document.problem((*place, "request"), "sample-request", cause, "Make them agree.")


def _fits(path: str, template: str) -> bool:
    pieces = PLACED.split(template)
    pattern = "".join(
        re.escape(piece) if index % 2 == 0 else (".+" if piece.endswith("...") else "[^/]+")
        for index, piece in enumerate(pieces)
    )
    return re.fullmatch(pattern, path) is not None
