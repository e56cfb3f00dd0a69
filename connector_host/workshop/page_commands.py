"""A command's part of the documentation page: notes, input, output with a sample, error handling with one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.contract.manifest import Command, FieldMapping, Intake, Manifest, Sample
from connector_host.workshop.page_tables import cell, parameter_table, table

_ERROR_TAB = (
    "If the result is Partially Successful or Failed, the error tab tells why, with the failure indicator, the status "
    "code and the message."
)
_INDICATOR = "Which command, or which item of it, failed."
_CODE = "The product's own code where it gave one, else the HTTP status, else the host's code for this kind of failure."
_MESSAGE = "What the product, or the host, said of it."


def command_section(manifest: Manifest, command: Command) -> str:
    """Return the command's section."""
    return "\n\n".join(part for part in _parts(manifest, command) if part)


def _parts(manifest: Manifest, command: Command) -> Iterator[str]:
    titles = {name: one.title for name, one in manifest.commands.items()}
    yield f"## {command.title}"
    yield command.description
    if command.deprecated is not None:
        yield f"> **{command.deprecated.told(command.title)}**"
    if command.notes:
        yield "> **Reader notes**\n>\n" + "\n".join(f"> - {' '.join(note.split())}" for note in command.notes)
    if command.permissions:
        yield f"Permissions: {', '.join(f'`{one}`' for one in command.permissions)}."
    yield "### Input"
    yield parameter_table(command.input, titles=titles)
    good = next((sample for sample in command.samples if sample.status == "Passed"), None)
    if good is not None and good.input:
        yield f"Sample:\n\n{_json(good.input)}"
    yield from _output(command, good)
    if command.intake is not None:
        yield from _mapping(command.intake)
    yield from _errors(command)


def _output(command: Command, good: Sample | None) -> Iterator[str]:
    yield "### Output"
    if command.key_fields:
        yield table(["Key Field", "Path"], [[name, f"`{path}`"] for name, path in command.key_fields.items()])
    if command.output is not None:
        rows = list(_fields(command.output, "$", 0))
        if rows:
            fields = table(["Path", "Type", "Description"], rows)
            yield f"<details><summary>Output schema</summary>\n\n{fields}\n\n</details>"
    raw = _raw_of(command, good)
    if raw is not None:
        yield f"Raw data, sample:\n\n{_json(raw)}"


def _raw_of(command: Command, good: Sample | None) -> Any:
    if good is None:
        return None
    told = good.result.get("raw_data")
    several = command.each is not None or command.collect is not None
    if told is not None or several or command.request is None or not good.http:
        return told
    return good.http[-1].body if command.request.transform is None else None


_DEEPEST = 3


def _fields(schema: Any, path: str, depth: int) -> Iterator[list[str]]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    if "items" in schema:
        yield from _fields(schema["items"], f"{path}[*]", depth)
    for name, one in schema.get("properties", {}).items():
        if isinstance(one, Mapping):
            kinds = one.get("type", "")
            shown = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
            yield [f"`{path}.{name}`", shown, cell(one.get("description", ""))]
            yield from _fields(one, f"{path}.{name}", depth + 1)


def _mapping(intake: Intake) -> Iterator[str]:
    yield "### Incident Field Mapping"
    yield f"Incident main JSON path: `{intake.incident_path}`"
    yield table(["Field Name", "Source Field"], [[row.field, _source(row)] for row in intake.incident_fields])
    yield "### Event Field Mapping"
    yield f"Main event JSON path: `{intake.event_path}`. Unique key: `{intake.unique_key}`."
    for source in intake.event_sources:
        condition = f" (where `{source.search}`)" if source.search else ""
        yield f"Event source {source.name}{condition}:"
        yield table(["Field Name", "Source Field"], [[row.field, _source(row)] for row in source.fields])


def _source(row: FieldMapping) -> str:
    if row.source:
        return f"`{row.source}`"
    return "User to define" + (f", default is “{row.default}”" if row.default is not None else "")


def _errors(command: Command) -> Iterator[str]:
    yield "### Error Handling"
    yield _ERROR_TAB
    error = _error_of(command)
    rows = [
        ["Failure Indicator", _INDICATOR, cell(error.get("failure_indicator", command.failure_indicator))],
        ["Status Code", _CODE, f"Status Code: {error['status_code']}." if "status_code" in error else ""],
        ["Message", _MESSAGE, cell(f"Message: {error['message']}") if "message" in error else ""],
    ]
    yield table(["Parts in Error", "Description", "Example"], rows)
    sample = command.error_example or _sentence(command, error)
    if sample:
        yield f"Error sample:\n\n```\n{sample}\n```"


def _error_of(command: Command) -> Mapping[str, Any]:
    """Return a failing sample's error; from the example sentence where there is none."""
    failing = next((sample for sample in command.samples if sample.status != "Passed"), None)
    if failing is not None and failing.result.get("error") and not command.error_example:
        return dict(failing.result["error"])
    _, code, rest = command.error_example.partition(" Status Code: ")
    status_code, _, message = rest.partition(". Message: ")
    return {"status_code": status_code, "message": message} if code else {}


def _sentence(command: Command, error: Mapping[str, Any]) -> str:
    if not {"status_code", "message"} <= error.keys():
        return ""
    indicator = error.get("failure_indicator", command.failure_indicator)
    return f"{indicator} Status Code: {error['status_code']}. Message: {error['message']}"


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"
