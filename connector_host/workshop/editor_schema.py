"""Writes the schema of manifests in draft-07, for editors: `python -m connector_host.workshop.editor_schema`."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from connector_host.configuration import bundled

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
    sys.stdout.write(as_text(editor_schema()))
