"""The store on SQLite: safe with several processes; its calls take microseconds, so they run inline."""

from collections.abc import Sequence
from pathlib import Path

from connector_host.builtin.stores.database import Database
from connector_host.builtin.stores.sqlite_audit import SqliteAudit, append
from connector_host.builtin.stores.sqlite_connections import SqliteConnections
from connector_host.builtin.stores.sqlite_health import SqliteHealth
from connector_host.builtin.stores.sqlite_places import SqlitePlaces
from connector_host.contract.audit import AuditEntry
from connector_host.contract.errors import StoreError
from connector_host.contract.ids import id_at
from connector_host.contract.model import HistoryRecord, IntakeRecord
from connector_host.contract.ports import Surroundings

FILE = "connector-host.db"
_PREFIX = "sqlite:///"


class SqliteStore:
    """`sqlite:///PATH`, or a file in the data folder."""

    def __init__(self, surroundings: Surroundings) -> None:
        url = surroundings.database
        if url and not url.startswith(_PREFIX):
            kind = url.partition(":")[0]
            raise StoreError(f"A database URL of kind '{kind}' is not supported by this store. Use {_PREFIX}PATH.")
        path = Path(url.removeprefix(_PREFIX)) if url else surroundings.home / FILE
        self._database = Database(path)
        self.connections = SqliteConnections(self._database)
        self.places = SqlitePlaces(self._database)
        self.health = SqliteHealth(self._database)
        self.audit = SqliteAudit(self._database)
        self.history = SqliteHistory(self._database)
        self.intake = SqliteIntakeLog(self._database)

    async def close(self) -> None:
        """Close the file."""
        self._database.close()


class SqliteHistory:
    """What ran."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, record: HistoryRecord, entry: AuditEntry) -> None:
        """Keep one, and its audit record."""
        with self._database.writing() as (queries, raw):
            queries.add_invocation(
                raw,
                invocation_id=record.invocation_id,
                plugin=record.plugin,
                command=record.command,
                connection=record.connection,
                caller=record.caller,
                status=record.status,
                started_at=record.started_at,
                duration_ms=record.duration_ms,
                inputs=record.inputs,
                error=record.error,
                result=record.result,
                connection_id=record.connection_id,
            )
            append(queries, raw, entry)

    async def recent(
        self, limit: int, connection_id: str | None = None, caller: str | None = None
    ) -> Sequence[HistoryRecord]:
        """Return the newest, newest first."""
        with self._database.reading() as (queries, raw):
            if connection_id is None:
                rows = queries.recent_invocations(raw, limit=limit)
            else:
                rows = queries.recent_invocations_of(raw, connection_id=connection_id, caller=caller, limit=limit)
            return [HistoryRecord(*row) for row in rows]

    async def get(self, invocation_id: str) -> HistoryRecord | None:
        """One by its id."""
        with self._database.reading() as (queries, raw):
            row = queries.invocation_by_id(raw, id=invocation_id)
            return HistoryRecord(*row) if row else None

    async def prune(self, before: str) -> int:
        """Forget those started before a time."""
        with self._database.reading() as (queries, raw):
            return int(queries.prune_invocations(raw, bound=id_at(before), before=before))


class SqliteIntakeLog:
    """Records taken in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: str, command: str, records: Sequence[IntakeRecord]) -> int:
        """Keep those that are new."""
        rows = [
            {
                "connection": connection,
                "command": command,
                "unique_key": one.unique_key,
                "raw": one.raw,
                "mapped": one.mapped,
                "site": one.site,
            }
            for one in records
        ]
        with self._database.writing() as (queries, raw):
            before = raw.total_changes
            queries.add_intake_record(raw, rows)
            return raw.total_changes - before

    async def recent(self, connection: str, command: str, limit: int) -> Sequence[IntakeRecord]:
        """Return the newest, newest first."""
        with self._database.reading() as (queries, raw):
            rows = queries.recent_intake_records(raw, connection=connection, command=command, limit=limit)
            return [IntakeRecord(*row) for row in rows]
