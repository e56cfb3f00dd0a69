"""Key fields: what later commands go on with, taken out of the raw data; those of one record stay side by side."""

from collections.abc import Mapping
from typing import Any

from connector_host.model.paths import ABSENT, JsonPath, compile_path

_EACH = "[*]"


class KeyFields:
    """A command's key fields, compiled.

    Each value stands once, and what is not there is left out. Fields of the same records line up: their values stand
    at the same place, with an empty text where a record has none.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        records: dict[str, list[str]] = {}
        for name, path in paths.items():
            head, each, _ = path.rpartition(_EACH)
            records.setdefault(head + each if each else f"\0{name}", []).append(name)
        self._order = list(paths)
        self._alone = {
            name: compile_path(paths[name]) for names in records.values() if len(names) == 1 for name in names
        }
        self._together: list[tuple[JsonPath, dict[str, JsonPath]]] = [
            (compile_path(place), {name: compile_path(f"${paths[name][len(place) :]}") for name in names})
            for place, names in records.items()
            if len(names) > 1
        ]

    def of(self, raw: Any) -> dict[str, Any]:
        """Return the fields of raw data, each a list."""
        found: dict[str, Any] = {name: _once(path.find(raw)) for name, path in self._alone.items()}
        for place, paths in self._together:
            rows = [tuple(_shown(path.first(record)) for path in paths.values()) for record in place.find(raw)]
            rows = _once([row for row in rows if any(row)])
            found |= {name: [row[index] for row in rows] for index, name in enumerate(paths)}
        return {name: found[name] for name in self._order}


def _shown(value: Any) -> Any:
    return "" if value is ABSENT or value is None else value


def _once(values: list[Any]) -> list[Any]:
    """Return values that are there, each once, in their order."""
    found: dict[str, Any] = {}
    for value in values:
        if value is not None:
            found.setdefault(repr(value), value)
    return list(found.values())
