"""How much connections are used, on SQLite, as far as the history reaches."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from connector_host.model.history import Calls, Use
from connector_host.model.result import iso
from connector_host.stores.database import Database
from connector_host.stores.sqlite_history import SqliteHistory


class SqliteUsage:
    """Who uses connections, and how often."""

    def __init__(self, database: Database, history: SqliteHistory) -> None:
        self._database = database
        self._history = history

    async def calls(
        self, connection_ids: Sequence[str] | None, since: datetime, most: int = 1000
    ) -> Mapping[str, Calls]:
        """Return how much many connections were used."""
        await self._history.gather()
        ids = None if connection_ids is None else json.dumps(list(connection_ids))
        with self._database.reading() as db:
            rows = db.rows("calls_of", ids=ids, since=iso(since), limit=most)
            return {connection_id: Calls(*counts) for connection_id, *counts in rows}

    async def by_hour(self, since: datetime, connection_ids: Sequence[str] | None) -> Mapping[str, Calls]:
        """Return how much connections were used in each hour."""
        await self._history.gather()
        ids = None if connection_ids is None else json.dumps(list(connection_ids))
        with self._database.reading() as db:
            return {hour: Calls(*counts) for hour, *counts in db.rows("calls_by_hour", ids=ids, since=iso(since))}

    async def uses(self, connection_id: str, since: datetime) -> Sequence[Use]:
        """Return who ran what through a connection."""
        await self._history.gather()
        with self._database.reading() as db:
            return [Use(*row) for row in db.rows("uses_of", connection_id=connection_id, since=iso(since))]
