"""Connections in trouble: what fails, since when, and what changed just before; those of one cause are told as one."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from connector_host.host.access import Right
from connector_host.host.connections.reading import granted_to
from connector_host.host.connections.undoing import undoable
from connector_host.host.core import Core
from connector_host.host.looking_back import runs_of
from connector_host.model.caller import Operator, Principal
from connector_host.model.connection import StoredConnection
from connector_host.model.history import HistoryRecord
from connector_host.model.result import Status
from connector_host.model.trouble import Moment, Trouble

TOGETHER = timedelta(minutes=10)  # between the begins of failures with one cause
BEFORE = timedelta(hours=24)  # in which a change may be what came just before
RUNS, RECORDS, SHOWN = 200, 1000, 6
_TEST = "test_connection"


async def troubles_of(core: Core, caller: Principal, stored: Iterable[StoredConnection], most: int) -> list[Trouble]:
    """Return what is wrong with connections, at most so many causes; those whose failures began together are one."""
    found: list[Trouble] = []
    for one in stored:
        trouble = await _trouble(core, caller, one)
        place = next((place for place, other in enumerate(found) if _same_cause(trouble, other)), None)
        if place is not None:
            found[place] = _joined(found[place], trouble)
        elif len(found) < most:
            found.append(trouble)
    return found


async def _trouble(core: Core, caller: Principal, stored: StoredConnection) -> Trouble:
    connection = stored.connection
    runs = await runs_of(core, stored, caller, RUNS)
    tests = [run for run in runs if run.command == _TEST]
    failed_tests = _first_ones(tests)
    since = failed_tests[-1].started_at if failed_tests else ""
    error = _error_of(failed_tests[0]) if failed_tests else {}
    administers = Right.ADMINISTER in await granted_to(core, stored, caller)
    manifest = core.registry.plugins.get(connection.plugin)
    return Trouble(
        (connection.name,),
        connection.plugin,
        error.get("message") or stored.health.attention or stored.damage or "Its last test failed.",
        error.get("status_code", ""),
        error.get("assistance", ""),
        since,
        await _moments(core, caller, stored, tests, since),
        tuple(sorted(manifest.secret_names)) if manifest is not None and administers else (),
        await undoable(core, stored) if administers else "",
        [run for run in runs if run.status == Status.FAILED and run.command != _TEST and run.started_at >= since],
    )


def _first_ones(tests: Sequence[HistoryRecord]) -> list[HistoryRecord]:
    """Return the newest tests, as far as they failed in a row, newest first."""
    failed = []
    for test in tests:
        if test.status == Status.PASSED:
            break
        failed.append(test)
    return failed


def _error_of(record: HistoryRecord) -> dict[str, Any]:
    error = json.loads(record.error) if record.error else {}
    return next(iter(error.get("entries", ())), error)


async def _moments(
    core: Core, caller: Principal, stored: StoredConnection, tests: Sequence[HistoryRecord], since: str
) -> list[Moment]:
    """Return the time line, oldest first: the last good test, what was changed since, and the first bad ones."""
    told = [
        Moment(test.started_at, "Test Connection", test.status)
        for test in tests
        if not since or test.started_at >= since
    ]
    good = next((test for test in tests if test.status == Status.PASSED), None)
    if good is not None:
        told.append(Moment(good.started_at, "Test Connection", good.status))
    if isinstance(caller, Operator) and since:
        earliest = good.started_at if good is not None else _earlier(since)
        for record in await core.audit.last(RECORDS):
            entry = record.entry
            if entry.subject_id == stored.connection.id and entry.action in _WORDS and earliest <= entry.at:
                told.append(Moment(entry.at, f"{_WORDS[entry.action]} by {entry.actor}{_details(entry.details)}"))
    ordered = sorted(told, key=lambda moment: (moment.at, bool(moment.status)))  # a change comes before its check
    return ordered if len(ordered) <= SHOWN else [*ordered[: SHOWN - 1], ordered[-1]]


_WORDS = {"connection.added": "added", "connection.changed": "changed", "connection.copied": "copied"}


def _earlier(moment: str) -> str:
    return (datetime.fromisoformat(moment) - BEFORE).isoformat()


def _details(text: str) -> str:
    """Return which parameters an edit was about."""
    details = json.loads(text)
    names = [*details.get("parameters", ()), *details.get("secrets", ()), *details.get("fields", ())]
    return f": {', '.join(names)}" if names else ""


def _same_cause(one: Trouble, other: Trouble) -> bool:
    if (one.plugin, one.words, one.status_code) != (other.plugin, other.words, other.status_code):
        return False
    if not one.since or not other.since:
        return False
    return abs(datetime.fromisoformat(one.since) - datetime.fromisoformat(other.since)) <= TOGETHER


def _joined(one: Trouble, other: Trouble) -> Trouble:
    """Return the two as one; what is of a connection alone is left out."""
    names = (*one.connections, *other.connections)
    since = min(one.since, other.since)
    failed = [*one.failed, *other.failed]
    return Trouble(names, one.plugin, one.words, one.status_code, one.assistance, since, one.moments, failed=failed)
