"""Field mapping: makes incidents and events of fetched records, as an intake's tables say."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connector_host.contract.manifest import EventSource, FieldMapping, Intake
from connector_host.contract.paths import ABSENT, compile_path

_SEARCH = re.compile(r"\{(?P<path>[^}]+)\}\s*=\s*(?P<value>.*)", re.DOTALL)
_MILLISECONDS = 100_000_000_000


def map_records(intake: Intake, raw: Any) -> dict[str, list[dict[str, Any]]]:
    """Incidents, and the events inside them, of the raw data.

    `incident_path` may point to the array or to its elements; the events' path is relative to an incident.
    """
    incidents = _flat(compile_path(intake.incident_path).find(raw))
    return {
        "incidents": [map_fields(intake.incident_fields, incident) for incident in incidents],
        "events": [map_event(intake, event) for incident in incidents for event in events_of(intake, incident)],
    }


def events_of(intake: Intake, incident: Any) -> list[Any]:
    """Return the events inside one incident."""
    return _flat(compile_path(intake.event_path).find(incident))


def map_event(intake: Intake, event: Any) -> dict[str, Any]:
    """One event's fields, by the first source, in order of priority, whose search condition it meets."""
    source = next((source for source in intake.event_sources if matches(source, event)), None)
    return map_fields(source.fields, event) if source else {}


def map_fields(rows: Iterable[FieldMapping], record: Any) -> dict[str, Any]:
    """Return the fields of one record; a row with neither source nor default is the user's to define, and left out."""
    mapped: dict[str, Any] = {}
    for row in rows:
        value = row.default if row.source is None else compile_path(row.source).first(record)
        if value is ABSENT:
            value = row.default
        elif row.type != "text":
            value = _CONVERTERS[row.type](value)
        if value is not None or row.source is not None:
            mapped[row.field] = value
    return mapped


def matches(source: EventSource, event: Any) -> bool:
    """Whether the event meets the source's search condition `{jsonpath}=value`; without one, always."""
    if source.search is None:
        return True
    parts = _SEARCH.fullmatch(source.search)
    if parts is None:
        return False
    return parts["value"].strip() in {_as_text(value) for value in compile_path(parts["path"]).find(event)}


def unique_key(intake: Intake, event: Any) -> str | None:
    """Return the key that tells an event from all others, or None where the record has none."""
    value = compile_path(intake.unique_key).first(event)
    return None if value is ABSENT or value is None else str(value)


def _flat(found: list[Any]) -> list[Any]:
    return [record for value in found for record in (value if isinstance(value, list) else [value])]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _datetime(value: Any) -> Any:
    """ISO 8601 in UTC from ISO 8601 or Unix seconds or milliseconds; anything else as it is."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
        else:
            moment = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _integer(value: Any) -> Any:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return value


_CONVERTERS: Mapping[str, Any] = {"datetime": _datetime, "integer": _integer}
