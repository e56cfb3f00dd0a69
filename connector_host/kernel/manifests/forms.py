"""Turns what an author writes of parameters into plain JSON Schema: conditions become if and then."""

from collections.abc import Mapping
from typing import Any

_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}


def standard_schema(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of parameters.

    `visible_if` and `required_if` stay where they are, for people, and hold as `allOf` of if and then; `deprecated`
    becomes JSON Schema's own word, beside `deprecation`; parameters stand in their `order`, the advanced ones last.
    """
    properties = {name: _property(schema) for name, schema in spec.get("properties", {}).items()}
    ordered = sorted(properties, key=lambda name: _rank(properties[name]))
    required = list(spec.get("required", []))
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {name: properties[name] for name in ordered},
    }
    conditions = [rule for name, one in properties.items() for rule in _conditions(name, one)]
    return {**schema, "allOf": conditions} if conditions else schema


def _rank(schema: Mapping[str, Any]) -> tuple[bool, int]:
    return bool(schema.get("advanced")), schema.get("order", 1000)


def _property(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "deprecated" not in schema:
        return dict(schema)
    return {**schema, "deprecated": True, "deprecation": schema["deprecated"]}


def _conditions(name: str, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "visible_if" in schema:
        found.append({"if": _holds(schema["visible_if"]), "else": {"properties": {name: {"not": {}}}}})
    if "required_if" in schema:
        found.append({"if": _holds(schema["required_if"]), "then": {"required": [name]}})
    return found


def _holds(condition: Mapping[str, Any]) -> dict[str, Any]:
    properties = {name: {"enum": value if isinstance(value, list) else [value]} for name, value in condition.items()}
    return {"required": list(condition), "properties": properties}


def size_in_bytes(value: int | str) -> int:
    """Return 512KB as bytes."""
    if isinstance(value, int):
        return value
    number = value.rstrip("BKM ")
    return int(number) * _UNITS[value[len(number) :].strip()]
