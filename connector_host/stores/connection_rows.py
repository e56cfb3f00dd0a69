"""What the rows of connections mean: which columns they are found by, and the facts that are read."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import convert, to_builtins

from connector_host.model.connection import (
    Connection,
    ConnectionHealth,
    Delivery,
    Sealed,
    StoredConnection,
    WrappedKey,
)

_COLUMNS = ("id", "name", "plugin", "version", "secrets")


def facts_of(connection: Connection) -> str:
    """Return what has no column of its own, or is read from here only, as JSON."""
    return json.dumps({name: value for name, value in to_builtins(connection).items() if name not in _COLUMNS})


def columns_of(connection: Connection) -> dict[str, Any]:
    """Return what connections are found by; the facts hold it too, and are what is read."""
    check = connection.health_check
    return {
        "site": connection.site,
        "recipient_site": connection.recipient_site,
        "shared": connection.shared_to_internal_sites,
        "active": connection.active,
        "check_minutes": check.interval_minutes if check else None,
    }


def stored_of(
    row: Sequence[Any], secrets: Mapping[str, bytes], health: ConnectionHealth | None = None
) -> StoredConnection:
    """Return the connection of a row; a row that cannot be read gives its damage."""
    connection_id, name, plugin, version, facts, key_version, master_key_id, wrapped, mac = row
    health = health or ConnectionHealth()
    columns = {"id": connection_id, "name": name, "plugin": plugin, "version": version}
    try:
        connection = convert({**json.loads(facts), **columns, "secrets": tuple(secrets)}, Connection)
    except (ValueError, TypeError) as error:  # msgspec's own words would quote what stands there
        damage = f"The stored row of connection '{name}' is damaged ({type(error).__name__})."
        return StoredConnection(Connection(**columns, active=False), None, damage, health)
    key = WrappedKey(master_key_id, wrapped) if wrapped is not None else None
    sealed = Sealed(key_version, key, secrets, mac) if key is not None else None
    return StoredConnection(connection, sealed, health=health)


def health_of(row: Sequence[Any]) -> ConnectionHealth:
    """Return how a connection fares."""
    status, run, success, failure, failures, mailed, attention, deliveries, unchecked = row
    told = {} if deliveries == "{}" else msgspec.json.decode(deliveries, type=dict[str, Delivery])
    left = () if unchecked == "[]" else tuple(json.loads(unchecked))
    moments = (moment_of(run), moment_of(success), moment_of(failure))
    return ConnectionHealth(status, *moments, failures, bool(mailed), attention, told, left)


def seconds_of(moment: datetime | None) -> float | None:
    """Return a time as Unix seconds."""
    return None if moment is None else moment.timestamp()


def moment_of(seconds: float | None) -> datetime | None:
    """Return Unix seconds as a time in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
