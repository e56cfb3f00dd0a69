"""Connections in trouble: what fails, since when, and what changed just before; those of one cause are told as one."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from connector_host.host.access import Right
from connector_host.host.connections.reading import granted_to
from connector_host.host.connections.undoing import restorable
from connector_host.host.core import Core
from connector_host.host.history_access import runs_of
from connector_host.model.audit import AuditRecord
from connector_host.model.caller import Operator, Principal
from connector_host.model.connection import StoredConnection
from connector_host.model.history import HistoryFilter, HistoryRecord
from connector_host.model.result import Status, iso
from connector_host.model.trouble import Moment, Trouble

TOGETHER = timedelta(minutes=10)  # between the begins of failures with one cause
BEFORE = timedelta(hours=24)  # in which a change may be what came just before
TESTS, RUNS, RECORDS, SHOWN = 60, 100, 1000, 6
_TEST = "test_connection"


async def troubles_of(core: Core, caller: Principal, stored: Iterable[StoredConnection], most: int) -> list[Trouble]:
    """Return what is wrong with connections, at most so many causes; those whose failures began together are one."""
    found: list[Trouble] = []
    records = await core.audit.last(RECORDS) if isinstance(caller, Operator) else []
    for one in stored:
        tests = await runs_of(core, one, caller, TESTS, HistoryFilter(command=_TEST))
        trouble = _cause(one, tests)
        place = next((place for place, other in enumerate(found) if _same_cause(trouble, other)), None)
        if place is not None:
            found[place] = _joined(found[place], trouble)
        elif len(found) < most:
            found.append(await _whole(core, caller, one, trouble, _moments(one, tests, trouble.since, records)))
    return found


def _cause(stored: StoredConnection, tests: Sequence[HistoryRecord]) -> Trouble:
    """Return what is wrong, by the newest tests, newest first."""
    failed = _first_ones(tests)
    error = _error_of(failed[0]) if failed else {}
    since = failed[-1].started_at if failed else ""
    if failed and len(failed) == len(tests) == TESTS and stored.health.last_success is not None:
        since = iso(stored.health.last_success)  # it has failed for longer than was read
    words = error.get("message") or stored.health.attention or stored.damage or "Its last test failed."
    status_code, assistance = error.get("status_code", ""), error.get("assistance", "")
    return Trouble((stored.connection.name,), stored.connection.plugin, words, status_code, assistance, since)


async def _whole(
    core: Core, caller: Principal, stored: StoredConnection, trouble: Trouble, moments: Sequence[Moment]
) -> Trouble:
    """Return a trouble with all that its card says."""
    begun = datetime.fromisoformat(trouble.since) if trouble.since else None
    failed = await runs_of(core, stored, caller, RUNS, HistoryFilter(status=Status.FAILED.value, since=begun))
    administers = Right.ADMINISTER in await granted_to(core, stored, caller)
    manifest = core.registry.plugins.get(stored.connection.plugin)
    names, undoable = await restorable(core, stored, caller) if administers else ("", False)
    return replace(
        trouble,
        moments=moments,
        secret_names=tuple(sorted(manifest.secret_names)) if manifest is not None and administers else (),
        version=stored.connection.version,
        servers=stored.connection.origins if administers else (),
        undo=names if undoable else "",
        former="" if undoable else names,
        failed=[run for run in failed if run.command != _TEST],
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


def _moments(
    stored: StoredConnection, tests: Sequence[HistoryRecord], since: str, records: Sequence[AuditRecord]
) -> list[Moment]:
    """Return the time line, oldest first: the last good test, what was changed since, and the bad ones."""
    good = next((test for test in tests if test.status == Status.PASSED), None)
    shown = [test for test in tests if not since or test.started_at >= since or test is good]
    told = [Moment(test.started_at, "Test Connection", test.status) for test in shown]
    earliest = good.started_at if good is not None else _earlier(since) if since else ""
    for record in records if since else ():
        entry = record.entry
        if entry.subject_id == stored.connection.id and entry.action in _WORDS and earliest <= entry.at:
            told.append(Moment(entry.at, f"{_WORDS[entry.action]} by {entry.actor}{_details(entry.details)}"))
    ordered = sorted(told, key=lambda moment: (moment.at, bool(moment.status)))  # a change comes before its check
    return ordered if len(ordered) <= SHOWN else [*ordered[: SHOWN - 1], ordered[-1]]


_WORDS = {"connection.added": "added", "connection.changed": "changed", "connection.copied": "copied"}


def _earlier(moment: str) -> str:
    return iso(datetime.fromisoformat(moment) - BEFORE)


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
