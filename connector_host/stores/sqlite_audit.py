"""The audit on SQLite, and its newest end noted beside the database."""

from collections.abc import Sequence

from connector_host.model.audit import AuditEntry, AuditHead, AuditRecord
from connector_host.stores.audit_end import AuditEnd
from connector_host.stores.audit_rows import append
from connector_host.stores.database import Database


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
        await self._database.drain_for_reading()
        with self._database.reading() as db:
            return [
                AuditRecord(number, AuditEntry(*fields), previous, digest)
                for number, *fields, previous, digest in db.rows("read_audit", after=after, limit=limit)
            ]

    async def head(self) -> AuditHead:
        """How far the audit reaches."""
        await self._database.drain_for_reading()
        with self._database.reading() as db:
            return AuditHead(*(db.row("audit_head") or ()))

    async def lost(self) -> AuditHead | None:
        """Return the noted end that was not there."""
        return self._end.lost()

    def note_end(self) -> None:
        """Note how far it reaches."""
        with self._database.reading() as db:
            self._end.note(AuditHead(*(db.row("audit_head") or ())))

    def _committed(self) -> None:
        if self._end.due:
            self.note_end()

    def _look(self) -> None:
        """Keep the noted end for good where the database does not have it."""
        noted = self._end.read()
        if noted is not None and noted.number:
            with self._database.reading() as db:
                row = db.row("read_audit", after=noted.number - 1, limit=1)
            if not row or (row[0], row[-1]) != (noted.number, noted.digest):
                self._end.lose(noted)
        lost = self._end.lost()
        if lost is not None:
            self._database.refusal = (
                f"The database lacks record {lost.number} of the audit, which was noted beside it: an old copy was put "
                f"in its place, or its end was lost in a power cut. It is read, and nothing is written into it. To put "
                f"a back-up back: connector-host store restore FOLDER. To go on with it as it stands: "
                f"connector-host store restore"
            )
