"""The store on SQLite: safe with several processes; its calls take microseconds, so they run inline."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import asdict

from connector_host.model.audit import AuditEntry
from connector_host.model.errors import StoreError
from connector_host.model.invocation import id_at
from connector_host.model.result import HistoryRecord, IntakeRecord
from connector_host.ports.parts import Surroundings
from connector_host.stores.database import Database
from connector_host.stores.sqlite_audit import SqliteAudit, append_all
from connector_host.stores.sqlite_connections import SqliteConnections
from connector_host.stores.sqlite_health import SqliteHealth
from connector_host.stores.sqlite_sites import SqliteSites

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
        self._database = Database(path, power=surroundings.options("store").get("durability") == "power")
        self.connections = SqliteConnections(self._database)
        self.sites = SqliteSites(self._database)
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
