"""The audit on SQLite: each record is chained to the one before it, in the transaction of what it records."""

from collections.abc import Iterable, Sequence

from connector_host.model.audit import AuditEntry, AuditHead, AuditRecord, digest_of
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
