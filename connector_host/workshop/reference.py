"""Writes the reference of manifests from their schema: `python -m connector_host.workshop.reference`."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.configuration import bundled

_SECTIONS = (
    ("The plugin", ()),
    ("Servers", ("$defs", "server")),
    ("Authentication", ("$defs", "auth")),
    ("Rate limits", ("$defs", "server", "properties", "limit")),
    ("Error bodies", ("$defs", "errors")),
    ("What replies mean", ("$defs", "responses", "items")),
    ("Paging", ("$defs", "paging")),
    ("Retries", ("properties", "retry")),
    ("Commands", ("$defs", "command")),
    ("Requests", ("$defs", "command", "properties", "request")),
    ("Polling", ("$defs", "command", "properties", "request", "properties", "poll")),
    ("Parameters", ("$defs", "parameter")),
    ("Deprecation", ("$defs", "deprecation")),
    ("Options from the service", ("$defs", "parameter", "properties", "options_from")),
    ("Samples", ("$defs", "samples", "items")),
    ("Exchanges of a sample", ("$defs", "samples", "items", "properties", "http", "items")),
    ("Results of a sample", ("$defs", "samples", "items", "properties", "result")),
    ("Credentials of a vault", ("$defs", "command", "properties", "credential")),
    ("Migrations", ("properties", "migrations", "items")),
    ("Exemptions", ("properties", "exemptions", "items")),
)
_HEAD = """# The manifest, key by key

Made of `schemas/plugin-manifest.schema.json` by `python -m connector_host.workshop.reference`; what the keys do
together is told in [plugins.md](plugins.md) and [authoring.md](authoring.md). Required keys are **bold**.
"""


def reference() -> str:
    """Return the reference, in Markdown."""
    schema = json.loads((bundled() / "schemas" / "plugin-manifest.schema.json").read_text("utf-8"))
    return "\n".join([_HEAD, *(line for title, way in _SECTIONS for line in _section(schema, title, way))])


def _section(schema: Mapping[str, Any], title: str, way: tuple[str, ...]) -> Iterator[str]:
    part: Any = schema
    for step in way:
        part = part[step]
    yield f"## {title}\n"
    if way and "description" in part:
        yield f"{part['description']}\n"
    yield "| key | value | meaning |\n|---|---|---|"
    required = part.get("required", [])
    for name, one in part["properties"].items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        yield f"| {shown} | {_value(one, schema)} | {_meaning(one, schema)} |"
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


if __name__ == "__main__":
    sys.stdout.write(reference())
