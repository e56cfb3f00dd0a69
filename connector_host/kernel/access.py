"""Decides in one place who may use a connection."""

from connector_host.contract.errors import ConnectionUnavailable
from connector_host.contract.model import Caller, Connection, StoredConnection


def authorise(stored: StoredConnection, caller: Caller) -> None:
    """Raise ConnectionUnavailable, with the reason, where `caller` may not use the connection now."""
    connection = stored.connection
    if stored.damage:
        raise ConnectionUnavailable(
            stored.damage,
            assistance="Restore the database from a backup, or remove the connection and add it again.",
        )
    if not connection.active:
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' is not active.",
            assistance=f"Activate it: connector-host connections edit {connection.name} --active",
        )
    if connection.agent is not None:
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' runs through the agent '{connection.agent}', and no agent of that "
            f"name is connected.",
            assistance="Start the agent, or clear the connection's agent.",
        )
    if not _site_fits(connection, caller) or not _user_fits(connection, caller):
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' may not be used by this caller.",
            assistance="Ask an administrator of the connection for access.",
        )


def _site_fits(connection: Connection, caller: Caller) -> bool:
    """Say whether the site fits; without a site, or shared to internal sites, a connection is everyone's."""
    if caller.tenant is not None and connection.tenants and caller.tenant not in connection.tenants:
        return False
    return (
        caller.site is None
        or connection.site is None
        or connection.shared_to_internal_sites
        or caller.site == connection.site
    )


def _user_fits(connection: Connection, caller: Caller) -> bool:
    """With users or groups named, only they; the operator always."""
    named = connection.allowed_users or connection.allowed_groups
    if not named or (caller.user is None and not caller.groups):
        return True
    return caller.user in connection.allowed_users or bool(set(caller.groups) & set(connection.allowed_groups))
