"""What was done, on SQLite: the audit, each record chained to the one before it, and the history."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec.json
from msgspec.structs import asdict, replace

from connector_host.model.audit import AuditEntry, AuditHead, AuditRecord, digest_of
from connector_host.model.caller import Actor
from connector_host.model.errors import InvocationExists, StoreError
from connector_host.model.invocation import id_at
from connector_host.model.result import HistoryRecord, iso
from connector_host.model.stored import Pruned, Written
from connector_host.stores.audit_end import AuditEnd
from connector_host.stores.database import Database
from connector_host.stores.journal import Journal
from connector_host.stores.statements import Statements


def append(db: Statements, entry: AuditEntry) -> AuditRecord:
    """Append within the open write transaction."""
    return append_all(db, [entry])[0]


def append_all(db: Statements, entries: Iterable[AuditEntry]) -> list[AuditRecord]:
    """Append several, one after the other, within the open write transaction."""
    head = db.row("audit_head")
    if head is None:
        raise StoreError("The audit's end is missing from the store: somebody took it away. Restore a backup.")
    number, previous = head
    records = []
    for entry in entries:
        number += 1
        digest = digest_of(number, previous, entry)
        records.append(AuditRecord(number, entry, previous, digest))
        db.change(
            "add_audit",
            number=number,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            subject_id=entry.subject_id,
            details=entry.details,
            actor_kind=entry.actor_kind,
            actor_id=entry.actor_id,
            previous=previous,
            digest=digest,
        )
        previous = digest
    db.change("move_audit_head", number=number, digest=previous)
    return records


class SqliteAudit:
    """The audit log."""

    def __init__(self, database: Database, end: AuditEnd) -> None:
        self._database = database
        self._end = end
        self._look()
        database.committed = self._committed

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """Record what is written nowhere else."""
        return await self._database.write(lambda db: append(db, entry))

    async def read(self, after: int, limit: int) -> Sequence[AuditRecord]:
        """Return at most `limit` records after number `after`."""
        with self._database.reading() as db:
            return [
                AuditRecord(number, AuditEntry(*fields), previous, digest)
                for number, *fields, previous, digest in db.rows("read_audit", after=after, limit=limit)
            ]

    async def head(self) -> AuditHead:
        """How far the audit reaches."""
        with self._database.reading() as db:
            return AuditHead(*(db.row("audit_head") or ()))

    async def lost(self) -> AuditHead | None:
        """Return the noted end that was not there."""
        return self._end.lost()

    def close(self) -> None:
        """Note how far it reaches."""
        with self._database.reading() as db:
            self._end.note(AuditHead(*(db.row("audit_head") or ())))

    def _committed(self) -> None:
        if self._end.due:
            self.close()

    def _look(self) -> None:
        """Keep the noted end for good where the database does not have it."""
        noted = self._end.read()
        if noted is not None and noted.number:
            with self._database.reading() as db:
                row = db.row("read_audit", after=noted.number - 1, limit=1)
            if not row or (row[0], row[-1]) != (noted.number, noted.digest):
                self._end.lose(noted)


DAY = 24 * 3600.0  # seconds


class SqliteHistory:
    """What ran."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    async def begin(self, record: HistoryRecord) -> None:
        """Tell of a run before it changes something."""
        if self._journal.is_under_way(record.invocation_id):
            raise InvocationExists
        with self._database.beside():
            self._journal.begin(record.invocation_id, msgspec.json.encode(record))

    async def abandoned(self) -> Sequence[HistoryRecord]:
        """Return those of programs that run no more, and forget of them what is recorded already."""
        found: list[HistoryRecord] = []
        for program, begun in self._journal.left().items():
            with self._database.reading() as db:
                lost = {name: text for name, text in begun.items() if db.row("invocation_by_id", id=name) is None}
            found += [msgspec.json.decode(text, type=HistoryRecord) for text in lost.values()]
            if not lost:
                self._journal.forget(program)
        return found

    async def append(self, runs: Sequence[Written]) -> None:
        """Keep them, each with its audit record."""

        def work(db: Statements) -> None:
            kept = [run for run in runs if run.kept]
            new = [db.change("add_invocation", **_columns_of(run.record)) for run in kept]
            append_all(db, [run.entry for run, added in zip(kept, new, strict=True) if added or not run.swept])

        await self._database.write(work)
        self._journal.end(run.record.invocation_id for run in runs if run.intended)

    async def recent(
        self, limit: int, connection_id: str | None = None, actor: Actor | None = None
    ) -> Sequence[HistoryRecord]:
        """Return the newest, newest first."""
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
        with self._database.reading() as db:
            row = db.row("invocation_by_id", id=invocation_id)
            return _record_of(row) if row else None

    async def prune(self, now: datetime, days: int, most: int) -> Pruned:
        """Forget some of those that are too old."""

        def work(db: Statements) -> Pruned:
            at, jumped = _trusted(db, now.timestamp())
            before = iso(datetime.fromtimestamp(at, UTC) - timedelta(days=days))
            return Pruned(db.change("prune_invocations", bound=id_at(before), before=before, most=most), jumped)

        pruned = await self._database.write(work)
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


def _columns_of(record: HistoryRecord) -> dict[str, Any]:
    columns = asdict(record)
    actor = columns.pop("actor")
    columns["id"] = columns.pop("invocation_id")
    return {**columns, **{f"actor_{name}": value for name, value in asdict(actor).items()}}


def _record_of(row: Sequence[Any]) -> HistoryRecord:
    *actor, effect = row[_BEFORE_ACTOR:]
    return replace(HistoryRecord(*row[:_BEFORE_ACTOR]), actor=Actor(*actor), effect=effect)
