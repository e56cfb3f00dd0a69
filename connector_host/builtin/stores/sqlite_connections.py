"""Connections and their sealed secrets on SQLite."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from connector_host.builtin.stores.database import Database
from connector_host.contract.errors import ConnectionChanged, ConnectionExists, StoreError
from connector_host.contract.model import Connection, HealthCheck, Sealed, StoredConnection, WrappedKey

_COLUMNS = ("id", "name", "plugin", "version", "secrets")


class SqliteConnections:
    """Connections and their sealed secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: dict[str, StoredConnection] = {}

    async def get(self, name: str) -> StoredConnection | None:
        """One by its name; what is remembered is trusted only while the stored version is the same."""
        with self._database.reading() as (queries, raw):
            stamp = queries.stamp_of_connection(raw, name=name)
            if stamp is None:
                return None
            known = self._remembered.get(name)
            if known is not None and (known.connection.id, known.connection.version) == stamp:
                return known
            row = queries.connection_by_name(raw, name=name)
            if row is None:
                return None
            stored = _stored(row, dict(queries.secrets_of(raw, connection_id=row[0])))
        self._remembered[name] = stored
        return stored

    async def list(self, plugin: str | None = None) -> Sequence[StoredConnection]:
        """All, or those of one plugin, by name."""
        with self._database.reading() as (queries, raw):
            secrets: dict[str, dict[str, bytes]] = {}
            for connection_id, name, sealed in queries.all_secrets(raw):
                secrets.setdefault(connection_id, {})[name] = sealed
            return [_stored(row, secrets.get(row[0], {})) for row in queries.all_connections(raw, plugin=plugin)]

    async def add(self, stored: StoredConnection) -> None:
        """Keep a new one; raises ConnectionExists."""
        connection = stored.connection
        with self._naming(connection.name), self._database.writing() as (queries, raw):
            queries.add_connection(
                raw,
                id=connection.id,
                name=connection.name,
                plugin=connection.plugin,
                version=connection.version,
                facts=_facts(connection),
            )
            _put_secrets(queries, raw, connection.id, stored.sealed)

    async def change(self, stored: StoredConnection) -> None:
        """Replace the version before this one; raises ConnectionChanged, ConnectionExists."""
        connection = stored.connection
        with self._naming(connection.name), self._database.writing() as (queries, raw):
            if not queries.change_connection(
                raw,
                id=connection.id,
                name=connection.name,
                version=connection.version,
                facts=_facts(connection),
            ):
                raise ConnectionChanged
            queries.remove_secrets(raw, connection_id=connection.id)
            _put_secrets(queries, raw, connection.id, stored.sealed)

    async def remove(self, connection_id: str) -> bool:
        """Forget one."""
        with self._database.reading() as (queries, raw):
            return bool(queries.remove_connection(raw, id=connection_id))

    async def rewrap(self, connection_id: str, old: WrappedKey, new: WrappedKey) -> bool:
        """Exchange the wrapped data key if it is still the old one."""
        with self._database.reading() as (queries, raw):
            self._remembered.clear()
            done = queries.rewrap(
                raw,
                connection_id=connection_id,
                old_wrapped=old.wrapped,
                master_key_id=new.master_key_id,
                wrapped=new.wrapped,
            )
            return bool(done)

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError) and "connection.name" in str(error.__cause__):
                raise ConnectionExists(f"A connection '{name}' exists already.") from error
            raise


def _facts(connection: Connection) -> str:
    return json.dumps({name: value for name, value in asdict(connection).items() if name not in _COLUMNS})


def _stored(row: tuple[Any, ...], secrets: dict[str, bytes]) -> StoredConnection:
    connection_id, name, plugin, version, facts, key_version, master_key_id, wrapped = row
    try:
        fields = json.loads(facts)
        health = fields.pop("health_check", None)
        if health is not None:
            fields["health_check"] = HealthCheck(**{**health, "recipients": tuple(health["recipients"])})
        for several in ("tenants", "allowed_users", "allowed_groups"):
            fields[several] = tuple(fields.get(several, ()))
        connection = Connection(
            id=connection_id, name=name, plugin=plugin, version=version, secrets=tuple(secrets), **fields
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        damage = f"The stored row of connection '{name}' is damaged ({type(error).__name__}: {error})."
        return StoredConnection(
            Connection(id=connection_id, name=name, plugin=plugin, version=version, active=False),
            None,
            damage,
        )
    sealed = Sealed(key_version, WrappedKey(master_key_id, wrapped), secrets) if wrapped is not None else None
    return StoredConnection(connection, sealed)


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
