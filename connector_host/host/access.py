"""Decides, in one place and by one table, who may use and who may administer a connection; the operator may all.

What a caller has no right to does not exist for them: see find() in connections/reading.py.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from connector_host.model.caller import Caller, Operator, Principal, SiteMap
from connector_host.model.connection import Connection
from connector_host.model.errors import NotAllowed


class Right(StrEnum):
    """What a caller may do with a connection."""

    USE = "use"
    ADMINISTER = "administer"


class Standing(StrEnum):
    """Where a caller stands in relation to a connection."""

    UNPLACED = "neither the caller nor the connection has a site"
    OWN_INTERNAL = "at the connection's own site, an internal one"
    OWN_CLIENT = "at the connection's own site, a client's"
    SHARED_INTERNAL = "at an internal site of the tenant to whose internal sites it is shared"
    TENANT_INTERNAL = "at an internal site of a tenant that the master tenant shares it to"
    TENANT_OTHER = "elsewhere in a tenant that the master tenant shares it to"
    ELSEWHERE = "anywhere else"


class Naming(StrEnum):
    """Whether a caller is among the users and groups that a connection names."""

    ADMIN = "named among its administrators"
    USER = "named among its users"
    NOBODY = "it names no users, and they are no administrator"
    OTHERS = "it names others"


_NONE: frozenset[Right] = frozenset()
_USE = frozenset({Right.USE})
_ALL = frozenset({Right.USE, Right.ADMINISTER})

_OWN = frozenset({Standing.UNPLACED, Standing.OWN_INTERNAL, Standing.OWN_CLIENT})

# A client's site is closed unless it names who may; sharing to a tenant goes one way, so nobody there administers.
RULES: Mapping[Standing, Mapping[Naming, frozenset[Right]]] = MappingProxyType(
    {
        Standing.UNPLACED: {Naming.ADMIN: _ALL, Naming.USER: _USE, Naming.NOBODY: _USE, Naming.OTHERS: _NONE},
        Standing.OWN_INTERNAL: {Naming.ADMIN: _ALL, Naming.USER: _USE, Naming.NOBODY: _USE, Naming.OTHERS: _NONE},
        Standing.OWN_CLIENT: {Naming.ADMIN: _ALL, Naming.USER: _USE, Naming.NOBODY: _NONE, Naming.OTHERS: _NONE},
        Standing.SHARED_INTERNAL: {Naming.ADMIN: _ALL, Naming.USER: _USE, Naming.NOBODY: _USE, Naming.OTHERS: _NONE},
        Standing.TENANT_INTERNAL: {Naming.ADMIN: _USE, Naming.USER: _USE, Naming.NOBODY: _USE, Naming.OTHERS: _NONE},
        Standing.TENANT_OTHER: {Naming.ADMIN: _USE, Naming.USER: _USE, Naming.NOBODY: _NONE, Naming.OTHERS: _NONE},
        Standing.ELSEWHERE: dict.fromkeys(Naming, _NONE),
    }
)


def operator_only(caller: Principal, what: str) -> None:
    """Raise NotAllowed where somebody else than the operator asks for it."""
    if not isinstance(caller, Operator):
        raise NotAllowed(f"Only the operator of the host may {what}.")


def rights(sites: SiteMap, connection: Connection, caller: Principal) -> frozenset[Right]:
    """Return what `caller` may do with `connection`."""
    if isinstance(caller, Operator):
        return _ALL
    if not caller or not caller.bounds.cover(plugin=connection.plugin, connection=connection.name):
        return _NONE
    stands = standing(sites, connection, caller)
    named = Naming.ADMIN if caller.manages and stands in _OWN else naming(connection, caller)
    return RULES[stands][named]


def check_may_add(caller: Principal, name: str, plugin: str, fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return the fields of a new connection as this caller may give them; raises NotAllowed.

    The operator gives any; who manages connections adds them at their own site, and shares them with nobody.
    """
    if isinstance(caller, Operator):
        return fields
    if not (caller and caller.manages):
        raise NotAllowed("Only the operator of the host may add a connection.")
    if not caller.bounds.cover(plugin=plugin, connection=name):
        raise NotAllowed("You may not add a connection of that name or plugin.")
    if caller.site is None and caller.tenant is not None:
        raise NotAllowed("You belong to no site, where a connection of yours could be.")
    elsewhere = fields.get("site", caller.site) != caller.site
    shared = [one for one in ("shared_to_internal_sites", "tenants", "recipient_site", "agent") if fields.get(one)]
    if elsewhere or shared:
        raise NotAllowed(
            f"You may add connections at your own site alone ({caller.site or 'none'}), and not share them."
        )
    return {**fields, "site": caller.site}


def standing(sites: SiteMap, connection: Connection, caller: Caller) -> Standing:  # noqa: PLR0911 - the rules in their order
    """Return where the caller stands; a site or tenant that is unknown, or do not go together, is elsewhere."""
    site = sites.sites.get(caller.site) if caller.site is not None else None
    tenant = site.tenant if site else caller.tenant
    if (caller.site is not None and site is None) or (caller.tenant is not None and caller.tenant != tenant):
        return Standing.ELSEWHERE
    if tenant is not None and tenant not in sites.tenants:
        return Standing.ELSEWHERE
    if site is None and tenant is None:
        placed = connection.site is not None or connection.shared_to_internal_sites
        return Standing.ELSEWHERE if placed else Standing.UNPLACED
    if site is not None and site.name == connection.site:
        return Standing.OWN_INTERNAL if site.internal else Standing.OWN_CLIENT
    home = home_tenant(sites, connection)
    internal = site is not None and site.internal
    if connection.shared_to_internal_sites and internal and tenant == home:
        return Standing.SHARED_INTERNAL
    if tenant in connection.tenants and home == sites.master:
        return Standing.TENANT_INTERNAL if internal else Standing.TENANT_OTHER
    return Standing.ELSEWHERE


def home_tenant(sites: SiteMap, connection: Connection) -> str | None:
    """Return the tenant a connection belongs to: that of its site or recipient site, else the master tenant."""
    site = sites.sites.get(connection.home_site or "")
    return site.tenant if site else sites.master


def naming(connection: Connection, caller: Caller) -> Naming:
    """Return whether the connection names the caller."""
    if _named(caller, connection.admin_users, connection.admin_groups):
        return Naming.ADMIN
    if not connection.allowed_users and not connection.allowed_groups:
        return Naming.NOBODY
    return Naming.USER if _named(caller, connection.allowed_users, connection.allowed_groups) else Naming.OTHERS


def _named(caller: Caller, users: tuple[str, ...], groups: tuple[str, ...]) -> bool:
    return caller.user in users or not set(groups).isdisjoint(caller.groups)
