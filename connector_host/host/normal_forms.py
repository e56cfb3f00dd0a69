"""The one form of a value: an option by its label or in another case, a whole number with a point, a time."""

from collections.abc import Callable, Mapping
from typing import Any

from connector_host.manifests.parameters import labelled_options

Normal = Callable[[str, Any], Any]


def normal_form(schema: Mapping[str, Any], time: Normal) -> Normal | None:
    """Return what brings a parameter's values into their one form; None where they have one already."""
    if schema.get("format") == "date-time":
        return time
    options = _by_word(schema)
    if options:
        return lambda _name, value: _chosen(value, options)
    if schema.get("type") == "integer":
        return lambda _name, value: _whole(value)
    items = schema.get("items", {}) if schema.get("type") == "array" else {}
    if items.get("type") == "integer":
        return lambda _name, value: list(map(_whole, value)) if isinstance(value, list) else value
    inner = _by_word(items)
    if inner:
        return lambda _name, value: [_chosen(one, inner) for one in value] if isinstance(value, list) else value
    return None


def _whole(value: Any) -> Any:
    """Return a whole number that JSON may write with a point, or as 1e2, as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _by_word(schema: Any) -> dict[str, Any]:
    """Return a parameter's options by their values and labels, in small letters."""
    return {word.casefold(): value for value, label in labelled_options(schema) for word in (label, str(value))}


def _chosen(value: Any, options: Mapping[str, Any]) -> Any:
    return options.get(value.casefold(), value) if isinstance(value, str) else value
