"""What is made of the published schema of manifests: the reference of its keys, and the schema that editors read."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector_host.configuration import bundled

_EVENT = ("$defs", "command", "properties", "intake", "properties", "event", "properties")
_RESULT = ("$defs", "samples", "items", "properties", "result")
_SECTIONS = (
    ("The plugin", ()),
    ("Guides", ("properties", "setup", "items")),
    ("Questions", ("properties", "faq", "items")),
    ("Servers", ("$defs", "server")),
    ("Authentication", ("$defs", "auth")),
    ("Rate limits", ("$defs", "server", "properties", "limit")),
    ("Forms of refusals", ("$defs", "error_form")),
    ("What replies mean", ("$defs", "responses", "items")),
    ("Paging", ("$defs", "paging")),
    ("Retries", ("properties", "retry")),
    ("Commands", ("$defs", "command")),
    ("Requests", ("$defs", "command", "properties", "request")),
    ("Things that moved", ("$defs", "command", "properties", "request", "properties", "moved")),
    ("Polling", ("$defs", "command", "properties", "request", "properties", "poll")),
    ("Verdicts inside a good answer", ("$defs", "results")),
    ("Inputs", ("$defs", "command", "properties", "input")),
    ("Parameters", ("$defs", "parameter")),
    ("Deprecation", ("$defs", "deprecation")),
    ("Options from the service", ("$defs", "parameter", "properties", "options_from")),
    ("Samples", ("$defs", "samples", "items")),
    ("Exchanges of a sample", ("$defs", "samples", "items", "properties", "http", "items")),
    ("Results of a sample", _RESULT),
    ("The error of a sample", (*_RESULT, "properties", "error")),
    ("Intake", ("$defs", "command", "properties", "intake")),
    ("Going on where an intake ended", ("$defs", "command", "properties", "intake", "properties", "cursor")),
    ("Incidents", ("$defs", "command", "properties", "intake", "properties", "incident")),
    ("Events", ("$defs", "command", "properties", "intake", "properties", "event")),
    ("Sources of events", (*_EVENT, "sources", "items")),
    ("Fields", ("$defs", "fields", "items")),
    ("Credentials of a vault", ("$defs", "command", "properties", "credential")),
    ("Migrations", ("properties", "migrations", "items")),
    ("Exemptions", ("properties", "exemptions", "items")),
)
_HEAD = """# The manifest, key by key

Made of `schemas/plugin-manifest.schema.json` by `python -m connector_host.authoring.published`; what the keys do
together is told in [plugins.md](plugins.md) and [first-plugin.md](../tutorial/first-plugin.md).
Required keys are **bold**.
"""


_OF_RESULTS = (
    ("The result", ()),
    ("Completeness", ("properties", "completeness", "oneOf", 1)),
    ("Intake", ("properties", "intake", "oneOf", 1)),
    ("The error tab", ("properties", "error", "oneOf", 1)),
    ("An entry of the error tab", ("$defs", "entry")),
)
_HEAD_OF_RESULTS = """# The result, key by key

Made of `schemas/result.schema.json` by `python -m connector_host.authoring.published --result`. It is what
`Result.json()` and `--output json` give. Keys that are always there are **bold**.
"""


def reference() -> str:
    """Return the reference of manifests, in Markdown."""
    return _reference("plugin-manifest", _HEAD, _SECTIONS)


def reference_of_results() -> str:
    """Return the reference of results, in Markdown."""
    return _reference("result", _HEAD_OF_RESULTS, _OF_RESULTS)


def _reference(name: str, head: str, sections: Sequence[tuple[str, tuple[str | int, ...]]]) -> str:
    schema = json.loads((bundled() / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    return "\n".join([head, *(line for title, way in sections for line in _section(schema, title, way))])


def _section(schema: Mapping[str, Any], title: str, way: tuple[str | int, ...]) -> Iterator[str]:
    part: Any = schema
    for step in way:
        part = part[step]
    yield f"## {title}\n"
    if way and "description" in part:
        yield f"{part['description']}\n"
    otherwise = "As in JSON Schema." if "patternProperties" in part["properties"] else ""
    yield "| key | value | meaning |\n|---|---|---|"
    required = part.get("required", [])
    for name, one in part["properties"].items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        yield f"| {shown} | {_value(one, schema)} | {_meaning(one, schema) or otherwise} |"
    yield ""


def _value(one: Any, schema: Mapping[str, Any]) -> str:
    """Return what may stand there, in a word or two."""
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        named = {"path": "JSONPath", "id": "name", "paths": "JSONPath, or several", "size": "size", "schema": "schema"}
        return named.get(name) or _value(schema["$defs"][name], schema)
    if "enum" in one:
        return ", ".join(f"`{option}`" for option in one["enum"])
    if "const" in one:
        return f"`{json.dumps(one['const'])}`"
    if "oneOf" in one:
        return " or ".join(dict.fromkeys(_value(branch, schema) for branch in one["oneOf"]))
    kinds = one.get("type", "anything")
    words = {
        "string": "text",
        "integer": "whole number",
        "array": "list",
        "object": "mapping",
        "boolean": "true, false",
    }
    return " or ".join(words.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _meaning(one: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    text = str(one.get("description", ""))
    if not text and "$ref" in one:
        text = str(schema["$defs"][one["$ref"].rpartition("/")[2]].get("description", ""))
    default = f" Default: `{json.dumps(one['default'])}`." if "default" in one else ""
    return f"{text}{default}".strip().replace("|", "\\|")


_OF_NAMES = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_OF_DATA = frozenset({"enum", "const", "default", "examples", "required"})


def editor_schema() -> dict[str, Any]:
    """Return the draft-07 form: definitions, and no word beside a $ref (draft-07 would not read it)."""
    schema = json.loads((bundled() / "schemas" / "plugin-manifest.schema.json").read_text("utf-8"))
    converted: dict[str, Any] = _converted(schema)
    converted["$schema"] = "http://json-schema.org/draft-07/schema#"
    converted["$id"] = schema["$id"].replace("plugin-manifest", "plugin-manifest.draft-07")
    return converted


def as_text(schema: Mapping[str, Any]) -> str:
    """Return the schema as it stands in the file."""
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def _converted(node: Any) -> Any:
    if isinstance(node, list):
        return [_converted(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {_renamed(key): _part(key, value) for key, value in node.items()}
    if "$ref" in made and len(made) > 1:
        made["allOf"] = [{"$ref": made.pop("$ref")}, *made.get("allOf", [])]
    return made


def _part(key: str, value: Any) -> Any:
    if key in _OF_DATA:
        return value
    if key in _OF_NAMES and isinstance(value, dict):
        return {name: _converted(one) for name, one in value.items()}
    if key == "$ref" and isinstance(value, str):
        return value.replace("#/$defs/", "#/definitions/")
    return _converted(value)


def _renamed(key: str) -> str:
    return "definitions" if key == "$defs" else key


if __name__ == "__main__":
    made = {"--editor": lambda: as_text(editor_schema()), "--result": reference_of_results}
    sys.stdout.write(made.get(sys.argv[-1], reference)())
