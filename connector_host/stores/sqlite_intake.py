"""Records taken in, on SQLite, and how far each intake came."""

import json
from collections.abc import Sequence

from msgspec.structs import asdict

from connector_host.model.result import IntakeRecord
from connector_host.ports.stores import ANYWHERE
from connector_host.stores.database import Database
from connector_host.stores.statements import Statements


class SqliteIntakeLog:
    """Records taken in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: str, command: str, records: Sequence[IntakeRecord]) -> tuple[int, int]:
        """Keep those that are new, or changed."""
        rows = [{"connection": connection, "command": command, **asdict(record)} for record in records]
        keys = {record.unique_key for record in records}
        listed = json.dumps(list(keys))

        def work(db: Statements) -> tuple[int, int]:
            known = db.row("known_keys", connection=connection, command=command, keys=listed)[0]
            new = len(keys) - known
            return new, db.change_many("add_intake_record", rows) - new

        return await self._database.write(work)

    async def position(self, connection: str, command: str, name: str) -> str | None:
        """Return how far a cursor came."""
        with self._database.reading() as db:
            row = db.row("intake_position", connection=connection, command=command, name=name)
            return row[0] if row else None

    async def move(self, connection: str, command: str, name: str, position: str) -> None:
        """Move a cursor."""
        values = {"connection": connection, "command": command, "name": name, "position": position}
        await self._database.write(lambda db: db.change("move_intake", **values))

    async def recent(
        self, connection: str, command: str, limit: int, *, site: str | None = ANYWHERE
    ) -> Sequence[IntakeRecord]:
        """Return the newest, newest first."""
        values = {"connection": connection, "command": command, "limit": limit}
        with self._database.reading() as db:
            rows = db.rows("recent_intake_records", anywhere=site == ANYWHERE, site=site, **values)
            return [IntakeRecord(*row) for row in rows]
