"""Field mapping: makes incidents and events of fetched records, as an intake's tables say."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connector_host.model.manifest import EventSource, FieldMapping, Intake
from connector_host.model.paths import ABSENT, JsonPath, compile_path
from connector_host.model.result import iso
from connector_host.model.times import in_utc

Convert = Callable[[Any], Any]
SEARCH = re.compile(r"\{(?P<path>[^}]+)\}\s*=\s*(?P<value>.*)", re.DOTALL)
_MILLISECONDS = 100_000_000_000


class Mapper:
    """An intake's tables, compiled."""

    def __init__(self, intake: Intake) -> None:
        self._incidents = compile_path(intake.incident_path)
        self._events = compile_path(intake.event_path)
        self._key = compile_path(intake.unique_key)
        self._time = None if intake.cursor is None else compile_path(intake.cursor.time)
        self._incident_table = FieldTable(intake.incident_fields)
        self._sources = [(_search(source), FieldTable(source.fields)) for source in intake.event_sources]

    def map(self, raw: Any) -> dict[str, list[dict[str, Any]]]:
        """Map all incidents of the raw data, and the events inside them."""
        incidents = self.incidents(raw)
        return {
            "incidents": [self.incident(incident) for incident in incidents],
            "events": [self.event(event) for incident in incidents for event in self.events(incident)],
        }

    def incidents(self, raw: Any) -> list[Any]:
        """Return the incidents; the path may point to the array or to its elements."""
        return _flat(self._incidents.find(raw))

    def events(self, incident: Any) -> list[Any]:
        """Return the events inside one incident."""
        return _flat(self._events.find(incident))

    def incident(self, incident: Any) -> dict[str, Any]:
        """Map one incident's fields."""
        return self._incident_table.map(incident)

    def event(self, event: Any) -> dict[str, Any]:
        """Map one event's fields by the first source, in order of priority, whose search condition it meets."""
        return next((table.map(event) for meets, table in self._sources if meets(event)), {})

    def source_of(self, event: Any) -> int | None:
        """Return the place of the source by which an event is mapped; None where there is none."""
        return next((place for place, (meets, _) in enumerate(self._sources) if meets(event)), None)

    def latest(self, records: Sequence[Any], before: str | None) -> str | None:
        """Return the newest time among records and one before them (ISO 8601, in UTC)."""
        if self._time is None:
            return before
        found = [before, *(_utc(self._time.first(record)) for record in records)]
        return max(filter(None, found), default=None)

    def unique_key(self, event: Any) -> str | None:
        """Return the key that tells an event from all others, or None where the record has none."""
        value = self._key.first(event)
        return None if value is ABSENT or value is None else str(value)


def _utc(text: Any) -> str | None:
    try:
        return iso(in_utc(datetime.fromisoformat(text)))
    except (TypeError, ValueError, OverflowError):
        return None


class FieldTable:
    """One table of field mappings, compiled.

    A row with neither source nor default is the user's to define, and left out.
    """

    def __init__(self, rows: Sequence[FieldMapping]) -> None:
        self._rows: list[tuple[str, JsonPath | None, Any, Convert | None]] = [
            (
                row.field,
                None if row.source is None else compile_path(row.source),
                row.default,
                _CONVERTERS.get(row.type),
            )
            for row in rows
            if row.source is not None or row.default is not None
        ]

    def map(self, record: Any) -> dict[str, Any]:
        """Map one record."""
        mapped: dict[str, Any] = {}
        for name, source, default, convert in self._rows:
            value = ABSENT if source is None else source.first(record)
            if value is ABSENT:
                value = default
            elif convert is not None:
                value = convert(value)
            elif type(value) is dict:
                value = _named(value)
            mapped[name] = value
        return mapped


def _named(value: dict[str, Any]) -> Any:
    """Return a reference to a thing as people know it: by its summary, or its name; all else as it is."""
    return next((value[key] for key in ("summary", "name") if isinstance(value.get(key), str)), value)


def _search(source: EventSource) -> Callable[[Any], bool]:
    """Compile a search condition `{jsonpath}=value`; without one every event meets it."""
    if source.search is None:
        return lambda _event: True
    parts = SEARCH.fullmatch(source.search)
    if parts is None:
        return lambda _event: False
    path, wanted = compile_path(parts["path"]), parts["value"].strip()
    return lambda event: wanted in {_as_text(value) for value in path.find(event)}


def _flat(found: list[Any]) -> list[Any]:
    return [record for value in found for record in (value if isinstance(value, list) else [value])]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _datetime(value: Any) -> Any:
    """Return ISO 8601 in UTC from ISO 8601 or Unix seconds or milliseconds; anything else as it is."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
        elif value.endswith("Z") and len(value) == len("2026-01-31T08:00:00Z"):
            return value
        else:
            moment = datetime.fromisoformat(value)
        return in_utc(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (AttributeError, TypeError, ValueError, OverflowError, OSError):
        return value


def _integer(value: Any) -> Any:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return value


_CONVERTERS: Mapping[str, Convert] = {"datetime": _datetime, "integer": _integer}
