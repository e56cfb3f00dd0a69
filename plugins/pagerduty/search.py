"""Fetch Incident's inputs: the time range, and the Search Condition checked key by key."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connector_host import InvalidInput

from .shapes import json_object

MONTHS = 6
INCLUDES = (
    "acknowledgers", "agents", "assignees", "conference_bridge", "escalation_policies", "first_trigger_log_entries",
    "priorities", "services", "teams", "users",
)  # fmt: skip
SPELLINGS = {"acknowledges": "acknowledgers"}
URGENCIES = ("high", "low")
STATUSES = ("triggered", "acknowledged", "resolved")
TITLE = "Search Condition"


@dataclass(frozen=True, slots=True)
class Impossible:
    """What of a condition no incident can meet: sentences about it, and whether that is all of it."""

    notes: tuple[str, ...] = ()
    all: bool = False


def time_ranges(start: str, end: str, zones: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the ranges to ask for, newest first (ISO 8601 in UTC): one forwards, of at most six months.

    Months are counted in the zone in which times without an offset were written, else in UTC with a day's grace; what
    is longer than six months in UTC, which PagerDuty counts in, is asked for in two.
    """
    since, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
    if until <= since:
        raise InvalidInput("End Time", "It is not after the Start Time.")
    zone = zones.get("start_time")
    begins = since.astimezone(ZoneInfo(zone)) if zone else since + timedelta(days=1)
    if until > _months_after(begins, MONTHS):
        raise InvalidInput("Start Time", f"The time range is longer than {MONTHS} months.", "Fetch in several steps.")
    if until <= _months_after(since, MONTHS):
        return [(start, end)]
    middle = (since + (until - since) / 2).replace(microsecond=0)
    text = middle.isoformat().replace("+00:00", "Z")
    return [(text, end), (start, text)]


def _months_after(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    year = min(moment.year + years, 9999)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


def query_of(condition: Mapping[str, Any] | str | None) -> tuple[dict[str, Any], Impossible]:
    """Return the API's query for a Search Condition, and what of it cannot match; raises InvalidInput."""
    query: dict[str, Any] = {}
    impossible = Impossible()
    for key, value in _parsed(condition).items():
        name = key.removesuffix("[]")
        if name == "include":
            query["include[]"] = [SPELLINGS.get(one, one) for one in _chosen(key, value, (*INCLUDES, *SPELLINGS))]
        elif name == "statuses":
            query["statuses[]"] = _chosen(key, value, STATUSES)
        elif name == "urgencies":
            chosen = _chosen(key, value, (*URGENCIES, "suppressed"))
            query["urgencies[]"] = [one for one in chosen if one in URGENCIES]
            impossible = _suppressed(chosen)
        elif key == "time_zone":
            query["time_zone"] = _zone(value)
        else:
            raise InvalidInput(
                TITLE,
                f"It has an unknown key '{key}'.",
                "Supported: include[], time_zone, urgencies[], statuses[].",
            )
    return query, impossible


def _suppressed(chosen: list[str]) -> Impossible:
    if "suppressed" not in chosen:
        return Impossible()
    sentence = (
        "PagerDuty has no incidents of urgency 'suppressed', so that part of the Search Condition matches nothing."
    )
    return Impossible((sentence,), all=chosen == ["suppressed"])


def _parsed(condition: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    if isinstance(condition, str) and condition:
        return json_object(TITLE, condition, '{"statuses[]": "triggered"}')
    return condition if isinstance(condition, Mapping) else {}


def _chosen(key: str, value: Any, allowed: tuple[str, ...]) -> list[str]:
    """Return the values under a key, given as a list or as text with commas."""
    given = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise InvalidInput(TITLE, f"'{key}' must be text or a list of text.")
    for one in given:
        if one not in allowed:
            raise InvalidInput(TITLE, f"'{key}' does not allow '{str(one)[:60]}'.", f"Allowed: {', '.join(allowed)}.")
    return list(dict.fromkeys(given))


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            TITLE, f"'time_zone' is not a time zone: '{str(value)[:60]}'.", "Example: UTC or Europe/Berlin."
        ) from None
