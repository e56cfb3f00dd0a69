"""Options with labels, and conditions of parameters: what `oneOf`, `visible_if` and `required_if` say, and in words."""

import json
from collections.abc import Callable, Mapping
from typing import Any


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
