"""What ran, on SQLite: what begins and ends stands in the journal at once, what ended in the database soon after."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import msgspec.json
from msgspec.structs import asdict, replace

from connector_host.model.caller import Actor
from connector_host.model.errors import InvocationExists, StoreError
from connector_host.model.history import HistoryFilter, HistoryRecord
from connector_host.model.result import iso
from connector_host.model.stored import EndedRun, Pruned
from connector_host.stores.database import READING_SECONDS, Database
from connector_host.stores.journal import Journal
from connector_host.stores.pending import BATCH_BYTES, MANY, PendingRuns, put, weight
from connector_host.stores.statements import Statements

log = logging.getLogger("connector_host")
DAY = 24 * 3600.0  # seconds
SOON_SECONDS = 0.02  # after which what ended is in the database, for other programs to see
LATER_SECONDS = 1.0  # the same, where it failed
PRUNING_SECONDS = 0.1  # for the lock; else another time
MOST = 1024  # runs that are kept in memory while the database cannot be written to; the journal has all
TAKING_SECONDS = 10.0  # for the lock, before what dead programs ended is left for another time


class SqliteHistory:
    """What ran. What ended is durable at once, in the journal, and in the database within moments."""

    def __init__(self, database: Database, journal: Journal, pending: PendingRuns) -> None:
        self._database = database
        self._journal = journal
        self._pending = pending
        self._timer: asyncio.TimerHandle | None = None
        self._failed = self._overflowed = False
        self._size = 0  # of what came since it was written last

    async def begin(self, record: HistoryRecord) -> None:
        """Tell of a run before it changes something; not while those before it cannot be written."""
        if self._journal.is_open(record.invocation_id):
            raise InvocationExists
        if self._failed:
            self._database.drain_now()
            self._failed = False
        with self._database.beside():
            self._journal.begin(record.invocation_id, msgspec.json.encode(record))

    async def end(self, run: EndedRun) -> None:
        """Keep what came of a run; where the database failed before, there first."""
        name = run.record.invocation_id
        if not run.kept:
            self._journal.done([name])
            return
        with self._database.beside():
            text = msgspec.json.encode(run)
            try:
                self._journal.end(name, text)
            except OSError:
                self._pending.runs[name] = run
                await self._database.drain()
                return
        if len(self._pending.runs) < MOST:
            self._pending.runs[name] = run
        else:  # the journal has it
            self._overflowed = True
        self._size += weight(run)
        if self._database.loop is None or len(self._pending.runs) % MANY == 0 or self._size >= BATCH_BYTES:
            self._due()
        elif self._timer is None:
            self._timer = self._database.loop.call_later(SOON_SECONDS, self._due)

    async def abandoned(self) -> Sequence[HistoryRecord]:
        """Return what programs that run no more began; what they ended is recorded now."""
        found: list[HistoryRecord] = []
        for program, left in self._journal.left().items():
            await self._take_over(_decoded(left.ended, EndedRun))
            begun = _decoded(left.begun, HistoryRecord)
            with self._database.reading() as db:
                lost = [one for one in begun if db.row("invocation_by_id", id=one.invocation_id) is None]
            found += lost
            if not lost:
                with self._database.beside():
                    self._journal.forget(program)
        return found

    async def gather(self) -> None:
        """Write what this and other programs ended, and is not in the database yet; what cannot be is seen later."""
        await self._database.drain_for_reading()
        with self._database.beside():
            elsewhere = self._journal.elsewhere()
        with suppress(StoreError):
            await self._take_over(_decoded(elsewhere, EndedRun), READING_SECONDS)

    async def _take_over(self, ended: Sequence[EndedRun], seconds: float = TAKING_SECONDS) -> None:
        with self._database.reading() as db:
            new = [run for run in ended if db.row("invocation_by_id", id=run.record.invocation_id) is None]
        for first in range(0, len(new), MANY):
            some = new[first : first + MANY]
            await self._database.aside(lambda db, runs=some: put(db, runs), seconds)  # type: ignore[misc]

    async def close(self) -> None:
        """Write what waits; what cannot be written stays in the journal."""
        if self._timer is not None:
            self._timer.cancel()
        with suppress(StoreError):
            await self._database.drain()

    def _due(self) -> None:
        """Write what is pending; where another program holds the lock, or it fails, a little later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        again, self._size = SOON_SECONDS, 0
        try:
            if self._database.drain_now():
                again = 0.0
                self._failed = False
        except StoreError as error:
            if not self._failed:
                log.warning("What ended cannot be written yet, and stands in the journal: %s", error)
            self._failed, again = True, LATER_SECONDS
        if not self._pending.runs and self._overflowed:
            self._overflowed = False
            own = _decoded(self._journal.own_ended(), EndedRun)
            self._pending.runs |= {run.record.invocation_id: run for run in own[:MOST]}
            self._overflowed = len(own) > MOST
        if self._pending.runs and self._database.loop is not None:
            self._timer = self._database.loop.call_later(again, self._due)

    async def search(
        self,
        wanted: HistoryFilter,
        limit: int,
        *,
        connection_id: str | None = None,
        actor: Actor | None = None,
        after: str | None = None,
    ) -> Sequence[HistoryRecord]:
        """Return the newest of those looked for, newest first."""
        await self.gather()
        values = {name: value for name, value in asdict(wanted).items() if value is not None and name != "connection"}
        values |= {name: iso(values[name]) for name in ("since", "until") if name in values}
        values |= {"connection_id": connection_id} if connection_id is not None else {}
        values |= {"after": after} if after is not None else {}
        if actor is not None:
            values["kind"] = actor.kind
            if actor.id:
                values |= {"actor_id": actor.id, "site": actor.site, "tenant": actor.tenant}
        conditions = [_CONDITIONS[name] for name in values if name in _CONDITIONS]
        with self._database.reading() as db:
            found = db.found("search_invocations", conditions, limit=limit, **values)
        return [_record_of(row) for row in found]

    async def get(self, invocation_id: str) -> HistoryRecord | None:
        """One by its id."""
        for look_elsewhere in (False, True):
            with self._database.reading() as db:
                row = db.row("invocation_by_id", id=invocation_id)
            if row or look_elsewhere:
                break
            await self.gather()
        return _record_of(row) if row else None

    async def prune(self, now: datetime, days: int, most: int) -> Pruned:
        """Forget some of those that are too old."""

        def work(db: Statements) -> Pruned:
            at, jumped = _trusted(db, now.timestamp())
            before = iso(datetime.fromtimestamp(at, UTC) - timedelta(days=days))
            return Pruned(db.change("prune_invocations", before=before, most=most), jumped)

        pruned = await self._database.aside(work, PRUNING_SECONDS)
        if 0 < pruned.forgotten < most:
            self._database.give_back()
        return pruned


def _trusted(db: Statements, now: float) -> tuple[float, float]:
    """Return the time to count from, and by how much the clock jumped, where it did just now.

    A clock that is a day or more away from the one before is believed once it has gone on for a day.
    """
    at, doubted = db.row("noted_time") or (now, None)
    if abs(now - at) < DAY or (doubted is not None and now - doubted >= DAY):
        db.change("note_time", at=now, doubted=None)
        return now, 0.0
    first = doubted is None or now < doubted
    db.change("note_time", at=at, doubted=now if first else doubted)
    return min(at, now), now - at if first else 0.0


_CONDITIONS = {
    "connection_id": "connection_id = :connection_id",
    "plugin": "plugin = :plugin",
    "command": "command = :command",
    "status": "status = :status",
    "caller": "instr(lower(caller), lower(:caller)) > 0",
    "text": "instr(lower(error), lower(:text)) > 0",
    "since": "started_at >= :since",
    "until": "started_at < :until",
    "kind": "actor_kind = :kind",
    "actor_id": "actor_id = :actor_id and actor_site is :site and actor_tenant is :tenant",
    "after": "(started_at, rowid) < (select i.started_at, i.rowid from invocation i where i.id = :after)",
}
_BEFORE_ACTOR = 12  # columns of a row


def _record_of(row: Sequence[Any]) -> HistoryRecord:
    *actor, effect, request_id = row[_BEFORE_ACTOR:]
    return replace(HistoryRecord(*row[:_BEFORE_ACTOR]), actor=Actor(*actor), effect=effect, request_id=request_id)


T = TypeVar("T")


def _decoded(texts: Mapping[str, bytes], kind: type[T]) -> list[T]:
    """Return what lines of a journal hold; what a damaged disk, or somebody, made of them is told and left out."""
    found = []
    for name, text in texts.items():
        try:
            found.append(msgspec.json.decode(text, type=kind))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            log.warning("A line of the journal cannot be read: %.40s", name)
    return found
