"""Rows of the audit, each chained to the one before it, written within an open transaction."""

from collections.abc import Iterable

from connector_host.model.audit import AuditEntry, AuditRecord, digest_of
from connector_host.model.errors import StoreError
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
