"""Idempotency keys on SQLite."""

from typing import Any

from connector_host.model.errors import InvocationExists
from connector_host.model.stored import KeyUse
from connector_host.stores.database import Database
from connector_host.stores.presence import Presence
from connector_host.stores.statements import Statements

DAY = 24 * 3600.0  # seconds for which a key is kept


class SqliteIdempotency:
    """Idempotency keys."""

    def __init__(self, database: Database, presence: Presence) -> None:
        self._database = database
        self._presence = presence

    async def take(self, scope: str, key: str, mine: KeyUse, now: float) -> KeyUse | None:
        """Keep the key for an invocation unless another has it; raises InvocationExists where its id is another's."""
        process = self._presence.claim()

        def work(db: Statements) -> tuple[Any, ...] | None:
            row: tuple[Any, ...] | None = db.row("key_of", scope=scope, key=key)
            if row is not None and now - row[-1] < DAY and not self._left(db, row):
                return row
            if self._known(db, mine.invocation_id):
                raise InvocationExists
            db.change("forget_keys", before=now - DAY)
            values = {"invocation_id": mine.invocation_id, "inputs": mine.digest, "process": process, "at": now}
            db.change("take_key", scope=scope, key=key, **values)
            return None

        row = await self._database.write(work)
        return None if row is None else KeyUse(row[0], row[1], self._presence.is_alive(row[2]))

    def _left(self, db: Statements, row: tuple[Any, ...]) -> bool:
        """Whether it was left by a program that died before anything could happen, or be known of it."""
        return not self._known(db, row[0]) and not self._presence.is_alive(row[2])

    def _known(self, db: Statements, invocation: str) -> bool:
        return (db.row("invocation_by_id", id=invocation) or db.row("intent_by_id", id=invocation)) is not None
