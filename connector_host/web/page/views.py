"""What templates show: lamps with words, times as people say them, JSON that is bounded."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from connector_host.host.settings import DateTimeSetting
from connector_host.model.connection import State, StoredConnection
from connector_host.model.manifest import Manifest
from connector_host.model.result import Status, json_text

HERE = Path(__file__).resolve().parents[1]


def environment(**known: Any) -> Environment:
    """Return the templates: what they are given is text, whatever it looks like; `known` is known to all of them."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= known
    return made


def policy(nonce: str) -> str:
    """Return the content policy of a window: nothing foreign runs in it, or is asked by it."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


LAMPS = {
    State.HEALTHY: ("ok", "Healthy"),
    State.FAILING: ("bad", "Failing"),
    State.ATTENTION: ("warn", "Needs attention"),
    State.INACTIVE: ("off", "Inactive"),
    State.UNTESTED: ("off", "Untested"),
    State.DAMAGED: ("bad", "Damaged"),
}
VERDICTS = {Status.PASSED.value: "ok", Status.PARTIAL.value: "warn", Status.FAILED.value: "bad"}
TROUBLED = {State.FAILING: 0, State.DAMAGED: 0, State.ATTENTION: 1}  # what a person must look at, by rank
SHOWN = 60_000  # characters of JSON at once
VALUES, ERRORS, CAPABILITIES = 200, 50, 100  # of a key field, of a result, of a test


def in_trouble(connection: StoredConnection) -> bool:
    """Whether a connection has a card that says what is wrong; one that is damaged cannot be looked into."""
    return connection.state in TROUBLED and not connection.damage


def title_of(plugins: Mapping[str, Manifest], plugin: str, parameter: str) -> str:
    """Return what people call a parameter of a connection."""
    manifest = plugins.get(plugin)
    schema = manifest.connection["properties"].get(parameter, {}) if manifest is not None else {}
    return str(schema.get("title", parameter))


def ago(moment: datetime | str | None, now: datetime) -> str:
    """Return how long ago something was, as people say it."""
    if moment is None:
        return "never"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    seconds = (now - at).total_seconds()
    for size, word in ((86400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 and word != 'min' else ''} ago"
    return "just now"


def exact(times: DateTimeSetting, moment: datetime | str | None) -> str:
    """Return a time in full, as somebody wants times written."""
    if moment is None:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    here = at.astimezone(times.zone())
    return f"{here.strftime(times.format)} {here.tzname()}"


_PARTS = {
    "%Y": "YYYY",
    "%y": "YY",
    "%m": "MM",
    "%d": "DD",
    "%H": "HH",
    "%I": "HH",
    "%M": "MM",
    "%S": "SS",
    "%p": "AM/PM",
}


def pattern(times: DateTimeSetting) -> str:
    """Return a format as people read it: YYYY-MM-DD HH:MM."""
    return re.sub(r"%.", lambda part: _PARTS.get(part[0], part[0]), times.format)


def pretty(value: Any) -> str:
    """Return JSON for people, and no more of it than a page has room for."""
    text = json_text(value)
    if len(text) <= SHOWN:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN:,} characters more: download them."


def cell(value: Any) -> str:
    """Return a value as a cell of a table has room for it."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json_text(value)
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004 - characters


def json_or_text(value: Any) -> str:
    """Return a value as JSON, a text by itself where it is no JSON of its own."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return json_text(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json_text(value)


def default_text(value: Any) -> str:
    """Return a value as it stands in a field."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return value if isinstance(value, str) else json_text(value)
