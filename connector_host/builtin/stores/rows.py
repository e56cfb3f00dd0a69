"""What the rows of the database mean: connections, and how they fare."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from connector_host.contract.connection import (
    Connection,
    Health,
    HealthCheck,
    Sealed,
    StoredConnection,
    VaultReference,
    WrappedKey,
)

_COLUMNS = ("id", "name", "plugin", "version", "secrets")
_SEVERAL = ("tenants", "allowed_users", "allowed_groups", "admin_users", "admin_groups")


def facts_of(connection: Connection) -> str:
    """Return what has no column of its own, or is read from here only, as JSON."""
    return json.dumps({name: value for name, value in asdict(connection).items() if name not in _COLUMNS})


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


def stored_of(row: Sequence[Any], secrets: Mapping[str, bytes], health: Health | None = None) -> StoredConnection:
    """Return the connection of a row; a row that can not be read gives its damage."""
    connection_id, name, plugin, version, facts, key_version, master_key_id, wrapped = row
    health = health or Health()
    try:
        fields = json.loads(facts)
        check = fields.pop("health_check", None)
        if check is not None:
            fields["health_check"] = HealthCheck(**{**check, "recipients": tuple(check["recipients"])})
        for several in _SEVERAL:
            fields[several] = tuple(fields.get(several, ()))
        fields["vault"] = {key: VaultReference(**value) for key, value in fields.get("vault", {}).items()}
        connection = Connection(
            id=connection_id, name=name, plugin=plugin, version=version, secrets=tuple(secrets), **fields
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        damage = f"The stored row of connection '{name}' is damaged ({type(error).__name__}: {error})."
        unread = Connection(id=connection_id, name=name, plugin=plugin, version=version, active=False)
        return StoredConnection(unread, None, damage, health)
    sealed = Sealed(key_version, WrappedKey(master_key_id, wrapped), secrets) if wrapped is not None else None
    return StoredConnection(connection, sealed, health=health)


def health_of(row: Sequence[Any]) -> Health:
    """Return how a connection fares."""
    status, run, success, failure, failures, mailed, attention = row
    return Health(status, _moment(run), _moment(success), _moment(failure), failures, bool(mailed), attention)


def seconds_of(moment: datetime | None) -> float | None:
    """Return a time as Unix seconds."""
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
