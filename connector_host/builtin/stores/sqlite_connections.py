"""Connections and their sealed secrets on SQLite."""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connector_host.builtin.stores.database import Database
from connector_host.builtin.stores.rows import columns_of, facts_of, health_of, stored_of
from connector_host.builtin.stores.sqlite_audit import append
from connector_host.contract.audit import AuditEntry
from connector_host.contract.connection import (
    OPERATOR,
    Caller,
    Connection,
    Sealed,
    Selection,
    StoredConnection,
    WrappedKey,
)
from connector_host.contract.errors import BadSetting, ConnectionChanged, ConnectionExists, StoreError

REMEMBERED = 1024
_STORED = 8  # columns of a row before those of its health


class SqliteConnections:
    """Connections and their sealed secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: OrderedDict[str, StoredConnection] = OrderedDict()

    async def get(self, name: str = "", *, connection_id: str = "") -> StoredConnection | None:
        """One by its name or id; what is remembered is trusted only while the stored version is the same."""
        with self._database.reading() as (queries, raw):
            if connection_id:
                stamp = queries.stamp_of_connection_by_id(raw, id=connection_id)
            else:
                stamp = queries.stamp_of_connection(raw, name=name)
            if stamp is None:
                return None
            known = self._remembered.get(stamp[0])
            if known is not None and known.connection.version == stamp[1]:
                self._remembered.move_to_end(stamp[0])
                return known
            row = queries.connection_by_id(raw, id=stamp[0])
            if row is None:
                return None
            stored = stored_of(row, dict(queries.secrets_of(raw, connection_id=row[0])))
        self._remembered[row[0]] = stored
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return stored

    async def list(self, selection: Selection, caller: Caller) -> Sequence[StoredConnection]:
        """Those selected, by name, with their health."""
        with self._database.reading() as (queries, raw):
            rows = list(
                queries.list_connections(
                    raw,
                    after=selection.after,
                    plugin=selection.plugin,
                    site=selection.site,
                    active=selection.active,
                    name=selection.name,
                    vault=selection.uses_vault,
                    state=selection.state,
                    narrowed=caller != OPERATOR,
                    caller_site=caller.site,
                    caller_tenant=caller.tenant,
                    limit=-1 if selection.limit is None else selection.limit,
                )
            )
            return with_secrets(queries, raw, rows)

    async def add(self, stored: StoredConnection, entry: AuditEntry) -> None:
        """Keep a new one."""
        connection = stored.connection
        with self._constraints(connection), self._database.writing() as (queries, raw):
            queries.add_connection(raw, plugin=connection.plugin, **_columns(connection))
            queries.add_health(raw, connection_id=connection.id)
            _put_relations(queries, raw, connection)
            _put_secrets(queries, raw, connection.id, stored.sealed)
            append(queries, raw, entry)

    async def change(self, stored: StoredConnection, entry: AuditEntry) -> None:
        """Replace the version before this one."""
        connection = stored.connection
        with self._constraints(connection), self._database.writing() as (queries, raw):
            if not queries.change_connection(raw, **_columns(connection)):
                raise ConnectionChanged
            _put_relations(queries, raw, connection)
            queries.remove_secrets(raw, connection_id=connection.id)
            _put_secrets(queries, raw, connection.id, stored.sealed)
            append(queries, raw, entry)

    async def remove(self, connection_id: str, entry: AuditEntry) -> bool:
        """Forget one."""
        with self._database.writing() as (queries, raw):
            users = [name for (name,) in queries.users_of_vault(raw, vault_id=connection_id)]
            if users:
                raise BadSetting(
                    f"The connection can not be removed: values are looked up through it for {', '.join(users)}. Give "
                    f"those another vault, or the values themselves, first."
                )
            removed = bool(queries.remove_connection(raw, id=connection_id))
            if removed:
                append(queries, raw, entry)
            return removed

    async def rewrap(self, connection_id: str, old: WrappedKey, new: WrappedKey) -> bool:
        """Exchange the wrapped data key if it is still the old one."""
        with self._database.reading() as (queries, raw):
            self._remembered.pop(connection_id, None)
            done = queries.rewrap(
                raw,
                connection_id=connection_id,
                old_wrapped=old.wrapped,
                master_key_id=new.master_key_id,
                wrapped=new.wrapped,
            )
            return bool(done)

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


def with_secrets(queries: Any, raw: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> list[StoredConnection]:
    """Return the connections of rows that end in their health."""
    secrets: dict[str, dict[str, bytes]] = {}
    for connection_id, name, sealed in queries.secrets_of_all(raw, ids=json.dumps([row[0] for row in rows])):
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


def _put_relations(queries: Any, raw: sqlite3.Connection, connection: Connection) -> None:
    queries.forget_tenants(raw, connection_id=connection.id)
    for tenant in dict.fromkeys(connection.tenants):
        queries.share_to_tenant(raw, connection_id=connection.id, tenant=tenant)
    queries.forget_vaults(raw, connection_id=connection.id)
    for vault in {reference.vault for reference in connection.vault.values()}:
        queries.use_vault(raw, connection_id=connection.id, vault_id=vault)


def _put_secrets(queries: Any, raw: sqlite3.Connection, connection_id: str, sealed: Sealed | None) -> None:
    if sealed is None:
        queries.remove_data_key(raw, connection_id=connection_id)
        return
    queries.put_data_key(
        raw,
        connection_id=connection_id,
        version=sealed.version,
        master_key_id=sealed.key.master_key_id,
        wrapped=sealed.key.wrapped,
    )
    for name, blob in sealed.secrets.items():
        queries.add_secret(raw, connection_id=connection_id, name=name, sealed=blob)
