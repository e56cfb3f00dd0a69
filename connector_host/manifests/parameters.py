"""Parameters as an author writes them: as plain JSON Schema, their options with labels, their conditions in words."""

import json
from collections.abc import Callable, Mapping
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
        **{key: spec[key] for key in ("at_least_one", "at_most_one") if key in spec},
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


def several(value: Any) -> tuple[Any, ...]:
    """Return one value, or a list of them, as values."""
    return tuple(value) if isinstance(value, list) else (value,)


def labelled_options(schema: Any) -> list[tuple[Any, str]]:
    """Return a parameter's options, each value with its label."""
    if not isinstance(schema, Mapping):
        return []
    plain = [(value, str(value)) for value in schema.get("enum", [])]
    branches = [one for one in schema.get("oneOf", []) if isinstance(one, Mapping) and "const" in one]
    return plain + [(one["const"], str(one.get("title", one["const"]))) for one in branches]


def holds(condition: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether all parameters that a condition names have one of their values."""
    return all(name in values and values[name] in several(wanted) for name, wanted in condition.items())


def condition_in_words(condition: Mapping[str, Any], title: Callable[[str], str]) -> str:
    """Return a condition for people: where Kind is email."""
    parts = [f"{title(name)} is {' or '.join(map(_shown, several(value)))}" for name, value in condition.items()]
    return f"where {' and '.join(parts)}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
