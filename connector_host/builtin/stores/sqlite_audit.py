"""The audit on SQLite: each record is chained to the one before it, in the transaction of what it records."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from connector_host.builtin.stores.database import Database
from connector_host.contract.audit import AuditEntry, AuditHead, AuditRecord, digest_of


def append(queries: Any, raw: sqlite3.Connection, entry: AuditEntry) -> AuditRecord:
    """Append within the open write transaction."""
    head = AuditHead(*queries.audit_head(raw))
    number = head.number + 1
    digest = digest_of(number, head.digest, entry)
    queries.add_audit(
        raw,
        number=number,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        subject_id=entry.subject_id,
        details=entry.details,
        previous=head.digest,
        digest=digest,
    )
    queries.move_audit_head(raw, number=number, digest=digest)
    return AuditRecord(number, entry, head.digest, digest)


class SqliteAudit:
    """The audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """Record what is written nowhere else."""
        with self._database.writing() as (queries, raw):
            return append(queries, raw, entry)

    async def read(self, after: int, limit: int) -> Sequence[AuditRecord]:
        """Return at most `limit` records after number `after`."""
        with self._database.reading() as (queries, raw):
            return [
                AuditRecord(number, AuditEntry(*fields), previous, digest)
                for number, *fields, previous, digest in queries.read_audit(raw, after=after, limit=limit)
            ]

    async def head(self) -> AuditHead:
        """How far the audit reaches."""
        with self._database.reading() as (queries, raw):
            return AuditHead(*(queries.audit_head(raw) or ()))
