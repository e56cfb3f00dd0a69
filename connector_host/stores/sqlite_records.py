"""What was done and came in, on SQLite: the audit, each record chained to the one before it; history; intake."""

from collections.abc import Iterable, Sequence

from msgspec.structs import asdict

from connector_host.model.audit import AuditEntry, AuditHead, AuditRecord, digest_of
from connector_host.model.invocation import id_at
from connector_host.model.result import HistoryRecord, IntakeRecord
from connector_host.stores.database import Database


def append(db: Database, entry: AuditEntry) -> AuditRecord:
    """Append within the open write transaction."""
    return append_all(db, [entry])[0]


def append_all(db: Database, entries: Iterable[AuditEntry]) -> list[AuditRecord]:
    """Append several, one after the other, within the open write transaction."""
    number, previous = db.row("audit_head")
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
            previous=previous,
            digest=digest,
        )
        previous = digest
    db.change("move_audit_head", number=number, digest=previous)
    return records


class SqliteAudit:
    """The audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """Record what is written nowhere else."""
        with self._database.writing() as db:
            return append(db, entry)

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


class SqliteHistory:
    """What ran."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, records: Sequence[tuple[HistoryRecord, AuditEntry]]) -> None:
        """Keep them, each with its audit record."""
        with self._database.writing() as db:
            for record, _ in records:
                db.change("add_invocation", **asdict(record))
            append_all(db, [entry for _, entry in records])

    async def recent(
        self, limit: int, connection_id: str | None = None, caller: str | None = None
    ) -> Sequence[HistoryRecord]:
        """Return the newest, newest first."""
        with self._database.reading() as db:
            if connection_id is None:
                rows = db.rows("recent_invocations", limit=limit)
            else:
                rows = db.rows("recent_invocations_of", connection_id=connection_id, caller=caller, limit=limit)
            return [HistoryRecord(*row) for row in rows]

    async def get(self, invocation_id: str) -> HistoryRecord | None:
        """One by its id."""
        with self._database.reading() as db:
            row = db.row("invocation_by_id", id=invocation_id)
            return HistoryRecord(*row) if row else None

    async def prune(self, before: str) -> int:
        """Forget those started before a time."""
        with self._database.reading() as db:
            return int(db.change("prune_invocations", bound=id_at(before), before=before))


class SqliteIntakeLog:
    """Records taken in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: str, command: str, records: Sequence[IntakeRecord]) -> int:
        """Keep those that are new."""
        rows = [{"connection": connection, "command": command, **asdict(record)} for record in records]
        with self._database.writing() as db:
            before = db.raw.total_changes
            db.change_many("add_intake_record", rows)
            return db.raw.total_changes - before

    async def recent(self, connection: str, command: str, limit: int) -> Sequence[IntakeRecord]:
        """Return the newest, newest first."""
        with self._database.reading() as db:
            rows = db.rows("recent_intake_records", connection=connection, command=command, limit=limit)
            return [IntakeRecord(*row) for row in rows]
