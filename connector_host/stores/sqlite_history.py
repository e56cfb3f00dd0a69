"""What ran, on SQLite: what begins and ends stands in the journal at once, what ended in the database soon after."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec.json
from msgspec.structs import asdict, replace

from connector_host.model.caller import Actor
from connector_host.model.errors import InvocationExists, StoreError
from connector_host.model.invocation import id_at
from connector_host.model.result import HistoryRecord, iso
from connector_host.model.stored import Pruned, Written
from connector_host.stores.database import Database
from connector_host.stores.journal import Journal
from connector_host.stores.statements import Statements
from connector_host.stores.waiting import Waiting, put

DAY = 24 * 3600.0  # seconds
SOON_SECONDS = 0.02  # after which what ended is in the database, for other programs to see
PRUNING_SECONDS = 0.1  # for the lock; else another time
MANY = 64  # runs that wait, from which they are written at once


class SqliteHistory:
    """What ran. What ended is durable at once, in the journal, and in the database within moments."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._waiting = database.waiting = Waiting(journal)
        self._timer: asyncio.TimerHandle | None = None
        self._failed = False

    async def begin(self, record: HistoryRecord) -> None:
        """Tell of a run before it changes something; not while those before it cannot be written."""
        if self._journal.is_open(record.invocation_id):
            raise InvocationExists
        if self._failed:
            await self._flush()
        with self._database.beside():
            self._journal.begin(record.invocation_id, msgspec.json.encode(record))

    async def end(self, run: Written) -> None:
        """Keep what came of a run."""
        name = run.record.invocation_id
        if not run.kept:
            self._journal.done([name])
            return
        with self._database.beside():
            text = msgspec.json.encode(run)
            self._waiting.runs[name] = run
            try:
                self._journal.end(name, text)
            except OSError:
                await self._flush()
            else:
                await self._soon()

    async def abandoned(self) -> Sequence[HistoryRecord]:
        """Return what programs that run no more began; what they ended is recorded now."""
        found: list[HistoryRecord] = []
        for program, left in self._journal.left().items():
            ended = [msgspec.json.decode(text, type=Written) for text in left.ended.values()]
            if ended:
                await self._database.write(lambda db, runs=ended: put(db, runs))  # type: ignore[misc]
            with self._database.reading() as db:
                lost = {name: text for name, text in left.begun.items() if db.row("invocation_by_id", id=name) is None}
            found += [msgspec.json.decode(text, type=HistoryRecord) for text in lost.values()]
            if not lost:
                self._journal.forget(program)
        return found

    async def close(self) -> None:
        """Write what waits; what cannot be written stays in the journal."""
        if self._timer is not None:
            self._timer.cancel()
        with suppress(StoreError):
            await self._flush()

    async def _flush(self) -> None:
        await self._database.drain()
        self._failed = False

    async def _soon(self) -> None:
        """See to it that what waits is written: at once where it is much, or nothing tells the time."""
        loop = self._database.loop
        if loop is None or len(self._waiting.runs) >= MANY:
            try:
                await self._flush()
            except StoreError:
                self._failed = True
        elif self._timer is None:
            self._timer = loop.call_later(SOON_SECONDS, self._due)

    def _due(self) -> None:
        self._timer = None
        try:
            written = self._database.drain_now()
        except StoreError:
            self._failed = True
        else:
            if not written and self._database.loop is not None:
                self._timer = self._database.loop.call_later(SOON_SECONDS, self._due)

    async def recent(
        self, limit: int, connection_id: str | None = None, actor: Actor | None = None
    ) -> Sequence[HistoryRecord]:
        """Return the newest, newest first."""
        await self._flush()
        with self._database.reading() as db:
            if connection_id is None:
                rows = db.rows("recent_invocations", limit=limit)
            else:
                who = {} if actor is None else asdict(actor)
                values = {"kind": None, "site": None, "tenant": None, **who, "id": (who.get("id") or None)}
                rows = db.rows("recent_invocations_of", connection_id=connection_id, limit=limit, **values)
            return [_record_of(row) for row in rows]

    async def get(self, invocation_id: str) -> HistoryRecord | None:
        """One by its id."""
        if invocation_id in self._waiting.runs:
            waiting: HistoryRecord = self._waiting.runs[invocation_id].record
            return waiting
        with self._database.reading() as db:
            row = db.row("invocation_by_id", id=invocation_id)
            return _record_of(row) if row else None

    async def prune(self, now: datetime, days: int, most: int) -> Pruned:
        """Forget some of those that are too old."""

        def work(db: Statements) -> Pruned:
            at, jumped = _trusted(db, now.timestamp())
            before = iso(datetime.fromtimestamp(at, UTC) - timedelta(days=days))
            return Pruned(db.change("prune_invocations", bound=id_at(before), before=before, most=most), jumped)

        pruned = await self._database.write(work, PRUNING_SECONDS)
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


_BEFORE_ACTOR = 12  # columns of a row


def _record_of(row: Sequence[Any]) -> HistoryRecord:
    *actor, effect = row[_BEFORE_ACTOR:]
    return replace(HistoryRecord(*row[:_BEFORE_ACTOR]), actor=Actor(*actor), effect=effect)
