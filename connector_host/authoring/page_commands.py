"""A command's part of the documentation page: notes, input, output with a sample, error handling with one."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector_host.manifests.parameters import condition_in_words, labelled_options, several
from connector_host.model.manifest import Command, FieldMapping, Intake, Manifest, Sample

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


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(one) for one in line)} |" for line in lines)


def cell(text: Any) -> str:
    """Return a text as a table's cell has room for it."""
    return " ".join(str(text).split()).replace("|", "\\|")


def anchor(title: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def parameter_table(schema: Mapping[str, Any], *, titles: Mapping[str, str]) -> str:
    """Return the parameters' table, by groups where there are any; `titles` are the commands' own."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not properties:
        return "N/A"
    names = {name: str(one["title"]) for name, one in properties.items()}
    required = schema.get("required", [])
    rows: list[list[str]] = []
    group = ""
    for name, one in properties.items():
        if one.get("group", "") != group:
            group = one.get("group", "")
            rows.append([f"**{cell(group)}**" if group else "", "", "", ""])
        told = " ".join([cell(one.get("description", "")), *_traits(one, names, titles)]).strip()
        rows.append([cell(one["title"]), _need(one, names, required=name in required), told, _example(one)])
    return table(["Input Parameter", "Required/Optional", "Description", "Example"], rows)


def _need(one: Mapping[str, Any], names: Mapping[str, str], *, required: bool) -> str:
    if "required_if" in one:
        return cell(f"Required {condition_in_words(one['required_if'], lambda name: names[name])}")
    return "Required" if required else "Optional"


def _traits(one: Mapping[str, Any], names: Mapping[str, str], titles: Mapping[str, str]) -> list[str]:
    told = []
    options = labelled_options(one) or labelled_options(one.get("items"))
    if options:
        shown = [str(value) if label == str(value) else f"{value} ({label})" for value, label in options]
        told.append(f"Options: {', '.join(shown)}.")
    if "options_from" in one:
        told.append(f"Options come from {titles.get(one['options_from']['command'], '')}.")
    if "default" in one:
        told.append(f"Default: {_code(one['default'])}.")
    if one.get("writeOnly"):
        told.append("Secret.")
    if one.get("format") == "file":
        told.append(f"A file, at most {one['max_size']}." if "max_size" in one else "A file.")
    if "visible_if" in one:
        told.append(f"Only {condition_in_words(one['visible_if'], lambda name: names[name])}.")
    if "needed_by" in one:
        told.append(f"Needed by {', '.join(titles.get(name, name) for name in one['needed_by'])} only.")
    told += [_obtained(source, titles) for source in several(one.get("obtained_from", []))]
    if "deprecation" in one:
        told.append(f"Deprecated since {one['deprecation']['since']}.")
    return [cell(text) for text in told]


def _obtained(reference: str, titles: Mapping[str, str]) -> str:
    command, _, path = reference.partition("#")
    title = titles.get(command, command)
    return f"Obtained from [{title}](#{anchor(title)}) at `{path}`."


def _example(one: Mapping[str, Any]) -> str:
    examples = one.get("examples") or ([one["placeholder"]] if "placeholder" in one else [])
    return _code(examples[0]) if examples else ""


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{cell(text)}`" if text else ""
