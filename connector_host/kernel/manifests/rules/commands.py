"""Commands: what they run over, what they collect, which key fields they give, intake and credentials."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.contract.paths import ABSENT
from connector_host.contract.problems import Level, Problem
from connector_host.kernel.manifests.hints import hint
from connector_host.kernel.manifests.places import Where
from connector_host.kernel.manifests.rules.reach import Plugin, resolves
from connector_host.kernel.schema import fault_of_schema


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
        if command.get("kind") == "credential" or "credential" in command:
            yield from _check_credential(plugin, where, command)
        if "intake" in command:
            yield from _check_intake(plugin, (*where, "intake"), command["intake"])
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
    each, properties = command.get("each"), command.get("input", {}).get("properties", {})
    if each is not None and each not in plugin.set_aside and properties.get(each, {}).get("type") != "array":
        lists = [name for name, schema in properties.items() if schema.get("type") == "array"]
        advice, near = hint(each, lists)
        cause = f"'{each}' is no parameter of type array."
        yield plugin.document.problem((*where, "each"), "each-not-a-list", cause, advice, fix=near)


def _check_test_connection(plugin: Plugin) -> Iterator[Problem]:
    tests = [name for name, command in plugin.commands.items() if command.get("kind") == "test_connection"]
    if not tests:
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
