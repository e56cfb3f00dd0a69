"""The store on SQLite: safe with several processes; its calls take microseconds, so they run inline."""

import hashlib
from pathlib import Path

from connector_host.model.errors import StoreError
from connector_host.ports.parts import Surroundings
from connector_host.stores.database import Database
from connector_host.stores.presence import Presence
from connector_host.stores.sqlite_connections import SqliteConnections
from connector_host.stores.sqlite_health import SqliteHealth
from connector_host.stores.sqlite_keys import SqliteKeys
from connector_host.stores.sqlite_records import SqliteAudit, SqliteHistory, SqliteIdempotency, SqliteIntakeLog
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
        own = path == surroundings.home / FILE
        self.name = FILE if own else f"database-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
        self._database = Database(path, power=surroundings.options("store").get("durability") == "power")
        self.connections = SqliteConnections(self._database)
        self.keys = SqliteKeys(self._database)
        self.sites = SqliteSites(self._database)
        self.health = SqliteHealth(self._database)
        self.audit = SqliteAudit(self._database)
        self._presence = Presence(path.with_name(f"{path.name}.processes"))
        self.history = SqliteHistory(self._database, self._presence)
        self.idempotency = SqliteIdempotency(self._database, self._presence)
        self.intake = SqliteIntakeLog(self._database)

    async def close(self) -> None:
        """Close the file."""
        self._database.close()
        self._presence.leave()
