"""Idempotency keys on SQLite."""

from typing import Any

from connector_host.model.errors import InvocationExists
from connector_host.model.stored import KeyUse
from connector_host.stores.database import Database
from connector_host.stores.journal import Journal
from connector_host.stores.presence import Presence
from connector_host.stores.statements import Statements

DAY = 24 * 3600.0  # seconds for which a key is kept
IDS = "invocation"  # the scope in which an invocation's id is a key too: two programs do not use one


class SqliteIdempotency:
    """Idempotency keys."""

    def __init__(self, database: Database, presence: Presence, journal: Journal) -> None:
        self._database = database
        self._presence = presence
        self._journal = journal

    async def take_id(self, mine: KeyUse, now: float) -> None:
        """Keep the id that a caller gave; raises InvocationExists where it is another's."""
        with self._database.beside():
            known = self._journal.knows(mine.invocation_id)
        with self._database.reading() as db:
            known = known or self._known(db, mine.invocation_id)
        if known or await self.take(IDS, mine.invocation_id, mine, now) is not None:
            raise InvocationExists

    async def take(self, scope: str, key: str, mine: KeyUse, now: float) -> KeyUse | None:
        """Keep the key for an invocation unless another has it; raises InvocationExists where its id is another's."""
        with self._database.beside():
            process = self._presence.claim()

        def work(db: Statements) -> tuple[Any, ...] | None:
            row = self._holder(db, scope, key, now)
            if row is not None:
                return row
            name = mine.invocation_id
            if (scope, key) != (IDS, name) and self._is_used(db, scope, key, name, now):
                raise InvocationExists
            db.change("forget_keys", before=now - DAY)
            values = {"invocation_id": name, "inputs": mine.digest, "process": process, "at": now}
            for place in {(scope, key), (IDS, name)}:
                db.change("take_key", scope=place[0], key=place[1], **values)
            return None

        row = await self._database.write(work)
        return None if row is None else KeyUse(row[0], row[1], self._presence.is_alive(row[2]))

    def _holder(self, db: Statements, scope: str, key: str, now: float) -> tuple[Any, ...] | None:
        """Return who has a key; not a program that died before anything could happen, or be known of it."""
        row: tuple[Any, ...] | None = db.row("key_of", scope=scope, key=key)
        if row is None or now - row[-1] >= DAY:
            return None
        if scope == IDS:
            return row
        known = self._known(db, row[0]) or self._presence.is_alive(row[2]) or self._journal.was_left(row[2], row[0])
        return row if known else None

    def _is_used(self, db: Statements, scope: str, key: str, name: str, now: float) -> bool:
        """Whether an id is another's; a program that died over this key, and begins again, has its own."""
        if self._known(db, name) or self._journal.knows(name):
            return True
        claimed, mine = db.row("key_of", scope=IDS, key=name), db.row("key_of", scope=scope, key=key)
        return claimed is not None and now - claimed[-1] < DAY and (mine is None or mine[0] != name)

    def _known(self, db: Statements, invocation: str) -> bool:
        return self._journal.is_open(invocation) or db.row("invocation_by_id", id=invocation) is not None
