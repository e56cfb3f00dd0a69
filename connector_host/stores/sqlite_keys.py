"""Which master keys are in use on SQLite, which are retired, and the folder's own key."""

from collections.abc import Collection

from connector_host.model.connection import WrappedKey
from connector_host.model.errors import KeyUnknown
from connector_host.stores.database import Database
from connector_host.stores.statements import Statements


def refuse_retired(db: Statements, master_key_id: str) -> None:
    """Raise KeyUnknown for a key under which nothing may be sealed any more, within the transaction that would."""
    if db.row("is_retired", id=master_key_id) is not None:
        raise KeyUnknown(f"The master key {master_key_id} was retired in the meantime. Try again.")


class SqliteKeys:
    """The names of master keys, and the folder's own key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def in_use(self) -> Collection[str]:
        """Return the names of the master keys that a row was sealed under."""
        with self._database.reading() as db:
            return {name for (name,) in db.rows("keys_in_use")}

    async def retire(self, names: Collection[str]) -> Collection[str]:
        """Forbid sealing under those of the keys that no row needs; return their names."""

        def work(db: Statements) -> Collection[str]:
            needed = {name for (name,) in db.rows("keys_in_use")}
            free = [name for name in names if name not in needed]
            for name in free:
                db.change("retire_key", id=name)
            return free

        return await self._database.write(work)

    async def folder_key(self) -> WrappedKey | None:
        """Return the folder's own key, wrapped; None where there is none yet."""
        with self._database.reading() as db:
            row = db.row("folder_key")
            return WrappedKey(*row) if row else None

    async def put_folder_key(self, key: WrappedKey) -> None:
        """Keep the folder's own key, unless there is one."""

        def work(db: Statements) -> None:
            refuse_retired(db, key.master_key_id)
            db.change("put_folder_key", master_key_id=key.master_key_id, wrapped=key.wrapped)

        await self._database.write(work)

    async def rewrap_folder_key(self, old: WrappedKey, new: WrappedKey) -> None:
        """Exchange it if it is still the old one."""

        def work(db: Statements) -> None:
            refuse_retired(db, new.master_key_id)
            values = {"master_key_id": new.master_key_id, "wrapped": new.wrapped, "old_wrapped": old.wrapped}
            db.change("rewrap_folder_key", **values)

        await self._database.write(work)
