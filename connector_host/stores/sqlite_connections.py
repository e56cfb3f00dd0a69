"""Connections and their sealed secrets on SQLite."""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connector_host.model.audit import AuditEntry
from connector_host.model.caller import Operator, Principal
from connector_host.model.connection import (
    Connection,
    Sealed,
    Selection,
    StoredConnection,
    WrappedKey,
)
from connector_host.model.errors import BadSetting, ConnectionChanged, ConnectionExists, StoreError
from connector_host.stores.audit_rows import append
from connector_host.stores.connection_rows import columns_of, facts_of, health_of, stored_of
from connector_host.stores.database import Database
from connector_host.stores.sqlite_keys import refuse_retired
from connector_host.stores.statements import Statements

REMEMBERED = 1024
_STORED = 9  # columns of a row before those of its health


class SqliteConnections:
    """Connections and their sealed secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: OrderedDict[str, StoredConnection] = OrderedDict()

    async def get(self, name: str = "", *, connection_id: str = "", former: bool = False) -> StoredConnection | None:
        """One by its name or id; what is remembered is trusted only while the stored version is the same."""
        if former:
            with self._database.reading() as db:
                row = db.row("former_connection", id=connection_id)
            return stored_of((*row, 0, None, None, None), {}) if row is not None else None
        with self._database.reading() as db:
            if connection_id:
                stamp = db.row("stamp_of_connection_by_id", id=connection_id)
            else:
                stamp = db.row("stamp_of_connection", name=name)
            if stamp is None:
                return None
            known = self._remembered.get(stamp[0])
            if known is not None and _stamp(known) == stamp[1:]:
                self._remembered.move_to_end(stamp[0])
                return known
            row = db.row("connection_by_id", id=stamp[0])
            if row is None:
                return None
            stored = stored_of(row, dict(db.rows("secrets_of", connection_id=row[0])))
        self._remembered[row[0]] = stored
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return stored

    async def list(self, selection: Selection, caller: Principal) -> Sequence[StoredConnection]:
        """Those selected, by name, with their health."""
        with self._database.reading() as db:
            rows = list(
                db.rows(
                    "list_connections",
                    after=selection.after,
                    plugin=selection.plugin,
                    site=selection.site,
                    active=selection.active,
                    name=selection.name,
                    vault=selection.uses_vault,
                    state=selection.state,
                    narrowed=not isinstance(caller, Operator),
                    caller_site=None if isinstance(caller, Operator) else caller.site,
                    caller_tenant=None if isinstance(caller, Operator) else caller.tenant,
                    limit=-1 if selection.limit is None else selection.limit,
                )
            )
            return with_secrets(db, rows)

    async def add(self, stored: StoredConnection, entry: AuditEntry) -> None:
        """Keep a new one."""
        connection = stored.connection

        def work(db: Statements) -> None:
            db.change("add_connection", plugin=connection.plugin, **_columns(connection))
            db.change("add_health", connection_id=connection.id)
            _put_relations(db, connection)
            _put_secrets(db, connection.id, stored.sealed)
            append(db, entry)

        with self._constraints(connection):
            await self._database.write(work)

    async def change(self, stored: StoredConnection, entry: AuditEntry) -> None:
        """Replace the version before this one."""
        connection = stored.connection

        def work(db: Statements) -> None:
            if not db.change("change_connection", **_columns(connection)):
                raise ConnectionChanged
            _put_relations(db, connection)
            db.change("remove_secrets", connection_id=connection.id)
            _put_secrets(db, connection.id, stored.sealed)
            append(db, entry)

        with self._constraints(connection):
            await self._database.write(work)

    async def remove(self, connection_id: str, entry: AuditEntry, version: int | None = None) -> bool:
        """Forget one."""

        def work(db: Statements) -> bool:
            users = [name for (name,) in db.rows("users_of_vault", vault_id=connection_id)]
            if users:
                raise BadSetting(
                    f"The connection cannot be removed: values are looked up through it for {', '.join(users)}. Give "
                    f"those another vault, or the values themselves, first."
                )
            removed = bool(db.change("remove_connection", id=connection_id, version=version))
            if removed:
                append(db, entry)
            return removed

        return await self._database.write(work)

    async def rewrap(self, connection_id: str, old: WrappedKey, new: WrappedKey) -> bool:
        """Exchange the wrapped data key if it is still the old one."""
        values = {"connection_id": connection_id, "old_wrapped": old.wrapped}
        values |= {"master_key_id": new.master_key_id, "wrapped": new.wrapped}

        def work(db: Statements) -> bool:
            refuse_retired(db, new.master_key_id)
            return bool(db.change("rewrap", **values))

        self._remembered.pop(connection_id, None)
        return await self._database.write(work)

    @contextmanager
    def _constraints(self, connection: Connection) -> Iterator[None]:
        """Tell in words what the database refused."""
        try:
            yield
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                if "connection.name" in str(error.__cause__):
                    raise ConnectionExists(f"A connection '{connection.name}' exists already.") from error
                if "FOREIGN KEY" in str(error.__cause__):
                    raise BadSetting(
                        "A site, tenant or vault that the connection names was removed in the meantime."
                    ) from error
            raise


def _stamp(stored: StoredConnection) -> tuple[int, str | None]:
    return stored.connection.version, stored.sealed.key.master_key_id if stored.sealed else None


def with_secrets(db: Statements, rows: Sequence[tuple[Any, ...]]) -> list[StoredConnection]:
    """Return the connections of rows that end in their health."""
    secrets: dict[str, dict[str, bytes]] = {}
    for connection_id, name, sealed in db.rows("secrets_of_all", ids=json.dumps([row[0] for row in rows])):
        secrets.setdefault(connection_id, {})[name] = sealed
    return [stored_of(row[:_STORED], secrets.get(row[0], {}), health_of(row[_STORED:])) for row in rows]


def _columns(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "name": connection.name,
        "version": connection.version,
        "facts": facts_of(connection),
        **columns_of(connection),
    }


def _put_relations(db: Statements, connection: Connection) -> None:
    db.change("forget_tenants", connection_id=connection.id)
    for tenant in dict.fromkeys(connection.tenants):
        db.change("share_to_tenant", connection_id=connection.id, tenant=tenant)
    db.change("forget_vaults", connection_id=connection.id)
    for vault in {reference.vault for reference in connection.vault.values()}:
        db.change("use_vault", connection_id=connection.id, vault_id=vault)


def _put_secrets(db: Statements, connection_id: str, sealed: Sealed | None) -> None:
    if sealed is None:
        db.change("remove_data_key", connection_id=connection_id)
        return
    refuse_retired(db, sealed.key.master_key_id)
    db.change(
        "put_data_key",
        connection_id=connection_id,
        version=sealed.version,
        master_key_id=sealed.key.master_key_id,
        wrapped=sealed.key.wrapped,
        mac=sealed.mac,
    )
    for name, blob in sealed.secrets.items():
        db.change("add_secret", connection_id=connection_id, name=name, sealed=blob)
