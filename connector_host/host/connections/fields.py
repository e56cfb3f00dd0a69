"""The fields of a connection beside its parameters: of the right type, and naming what there is."""

import re
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec.structs import fields, replace

from connector_host.host.access import home_tenant
from connector_host.host.sites import checked_name
from connector_host.manifests.registry import PluginRegistry
from connector_host.manifests.wording import did_you_mean
from connector_host.model.caller import Caller, SiteMap
from connector_host.model.connection import Connection, HealthCheck, StoredConnection, VaultReference
from connector_host.model.errors import BadSetting, UnknownSite
from connector_host.ports.stores import Store

MADE_HERE = {"id", "version", "plugin", "plugin_version", "parameters", "secrets", "vault"}
MADE_HERE |= {"generation", "origins", "set_by"}
FIELDS = {one.name for one in fields(Connection)} - MADE_HERE
PEOPLE = ("allowed_users", "allowed_groups", "admin_users", "admin_groups")
_ADDRESS = re.compile(r"[^@\s,;:<>()\[\]\"\\]+@[^@\s,;:<>()\"\\]+")
_TEXT = ((str, type(None)), "text, or nothing")
_NAMES = ((tuple,), "a list of names")
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "name": ((str,), "text"),
    "description": ((str,), "text"),
    "active": ((bool,), "true or false"),
    "shared_to_internal_sites": ((bool,), "true or false"),
    "health_check": ((HealthCheck, type(None)), "a health check, or nothing"),
    **dict.fromkeys(("site", "recipient_site", "agent"), _TEXT),
    **dict.fromkeys((*PEOPLE, "tenants", "allowed_paths"), _NAMES),
}


def with_fields(connection: Connection, fields: Mapping[str, Any], sites: SiteMap) -> Connection:
    """Return the connection with these fields; raises BadSetting, UnknownSite where they make no sense."""
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise BadSetting(f"A connection has no field '{unknown[0]}'.{did_you_mean(unknown[0], sorted(FIELDS))}")
    connection = replace(connection, **{name: _fitting(name, value) for name, value in fields.items()})
    connection = replace(connection, name=checked_name(connection.name, "connection"))
    if connection.agent is not None:
        checked_name(connection.agent, "connection's agent")
    for several in PEOPLE:
        for one in getattr(connection, several):
            checked_name(one, "user or group")
    _check_sites(connection, sites)
    if connection.health_check:
        _check_health(connection.health_check)
    return connection


def _fitting(name: str, value: Any) -> Any:
    """Return a field's value in the type it has; raises BadSetting."""
    kinds, words = _TYPES[name]
    value = tuple(value) if kinds == (tuple,) and isinstance(value, list) else value
    names = value if isinstance(value, tuple) else ()
    if not isinstance(value, kinds) or not all(isinstance(one, str) for one in names):
        raise BadSetting(f"The connection's field '{name}' must be {words}.")
    return value


MOST_MINUTES, MOST_FAILURES = 525_600, 10_000  # a year


def _check_health(check: HealthCheck) -> None:
    if not all(type(one) is int and one >= 1 for one in (check.interval_minutes, check.failures_before_mail)):
        raise BadSetting("The health check's interval and the number of failures must each be at least one.")
    if check.interval_minutes > MOST_MINUTES or check.failures_before_mail > MOST_FAILURES:
        raise BadSetting(
            f"A health check's interval is at most {MOST_MINUTES:,} minutes, its number of failures {MOST_FAILURES:,}."
        )
    for recipient in check.recipients:
        if not isinstance(recipient, str) or not _ADDRESS.fullmatch(recipient):
            raise BadSetting(f"{recipient!r} is no e-mail address.")


def _check_sites(connection: Connection, sites: SiteMap) -> None:
    for name in filter(None, (connection.site, connection.recipient_site)):
        if name not in sites.sites:
            hint = did_you_mean(name, list(sites.sites)) or " Add it: connector-host sites add NAME"
            raise UnknownSite(f"There is no site '{name}'.{hint}")
    for name in connection.tenants:
        if name not in sites.tenants:
            hint = did_you_mean(name, list(sites.tenants)) or " Add it: connector-host tenants add NAME"
            raise UnknownSite(f"There is no tenant '{name}'.{hint}")
    if connection.site and connection.shared_to_internal_sites:
        raise BadSetting("A connection has one site, or is shared to internal sites; not both.")
    if connection.recipient_site and not connection.shared_to_internal_sites:
        raise BadSetting("A recipient site belongs to a connection that is shared to internal sites.")
    if connection.recipient_site and not sites.sites[connection.recipient_site].internal:
        raise BadSetting(f"The recipient site '{connection.recipient_site}' is no internal site.")
    if connection.tenants and home_tenant(sites, connection) != sites.master:
        raise BadSetting("Only a connection of the master tenant can be shared to tenants.")
    if sites.master in connection.tenants:
        raise BadSetting(f"'{sites.master}' is the master tenant; a connection is shared to the others.")


Given = Mapping[str, VaultReference | None]
Find = Callable[[str], Awaitable[StoredConnection]]


async def resolved(
    given: Given, registry: PluginRegistry, store: Store, find: Find, connection_id: str, by: Caller | None
) -> Given:
    """Return the references with the vaults' ids, made `by` a caller (None: the operator).

    `find` gives a vault connection that the caller may use.

    Raises UnknownConnection as `find` does, and BadSetting for what is no vault, and for a circle.
    """
    references: dict[str, VaultReference | None] = {}
    for name, reference in given.items():
        references[name] = None
        if reference is not None:
            vault = (await find(reference.vault)).connection
            if not registry.commands_of_kind(vault.plugin, "credential"):
                raise BadSetting(
                    f"The connection '{vault.name}' is no vault: {vault.plugin} has no credential command."
                )
            if not reference.path or not reference.field:
                raise BadSetting(f"The vault reference for '{name}' needs a path and a field.")
            await _refuse_circle(vault, store, connection_id)
            check_path(vault, reference.path)
            references[name] = replace(reference, vault=vault.id, by=by)
    return references


def check_path(vault: Connection, path: str) -> None:
    """Raise BadSetting for a path that the vault connection may not hand out: `*` stands for anything, `/` too."""
    if not vault.allowed_paths:
        return
    plain = path.strip("/")
    steps = {"", ".", ".."} & set(plain.split("/")) or set("%\\?#") & set(plain) or not plain.isprintable()
    if steps or not any(fnmatchcase(plain, allowed.strip("/")) for allowed in vault.allowed_paths):
        raise BadSetting(f"The vault connection '{vault.name}' does not hand out the path '{path}'.")


async def named(store: Store, reference: VaultReference) -> dict[str, str]:
    """Return a stored reference as people read it, with the vault's name."""
    vault = await store.connections.get(connection_id=reference.vault)
    name = vault.connection.name if vault else reference.vault
    return {"vault": name, "path": reference.path, "field": reference.field}


async def _refuse_circle(vault: Connection, store: Store, connection_id: str) -> None:
    """Follow where a vault connection gets its own values from; it must not come back."""
    waiting, seen = [vault], set[str]()
    while waiting:
        one = waiting.pop()
        if one.id == connection_id:
            raise BadSetting(f"'{vault.name}' cannot be the vault: it would need a value from this connection itself.")
        for reference in one.vault.values():
            further = await store.connections.get(connection_id=reference.vault)
            if further is not None and reference.vault not in seen:
                seen.add(reference.vault)
                waiting.append(further.connection)
