"""What callers may see of the connections: what they have no right to does not exist for them."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict, replace

from connector_host.host.access import Right, rights
from connector_host.host.connections.fields import named
from connector_host.host.connections.iterating import PAGE, iter_connections
from connector_host.host.core import Core
from connector_host.host.secrets import mask
from connector_host.host.sites import plain_name
from connector_host.manifests.wording import did_you_mean
from connector_host.model.caller import OPERATOR, Operator, Principal, SiteMap
from connector_host.model.connection import Selection, StoredConnection
from connector_host.model.errors import NotAllowed, SealError, UnknownConnection
from connector_host.model.result import iso, plain

REFUSAL_SECONDS = 0.01  # what is unknown and what is forbidden are refused after the same time


async def find(core: Core, name: str, caller: Principal, right: Right = Right.USE) -> StoredConnection:
    """Return a connection by its name.

    Raises UnknownConnection where there is none, and in the same words and after the same time where the caller has no
    right to it; NotAllowed where they may use it, and ask for more.
    """
    stored = await core.store.connections.get(name) or await core.store.connections.get(plain_name(name))
    if stored is not None:
        granted = await granted_to(core, stored, caller)
        if right in granted:
            return stored
        if granted:
            raise NotAllowed(f"You may use the connection '{name}', but not change it.")
    if not isinstance(caller, Operator):
        await core.clock.sleep(REFUSAL_SECONDS)
        raise UnknownConnection(f"There is no connection '{name}' that you may use.")
    raise UnknownConnection(f"There is no connection '{name}'.{await _hint(core, name)}")


async def granted_to(core: Core, stored: StoredConnection, caller: Principal) -> frozenset[Right]:
    """Return what the caller may do with a connection."""
    if isinstance(caller, Operator):
        return rights(SiteMap(), stored.connection, caller)
    return rights(await core.sites.load(), stored.connection, caller)


async def _hint(core: Core, name: str) -> str:
    near = Selection(name=f"{name[:1]}*", limit=PAGE) if name[:1].isalnum() else Selection(limit=50)
    found = await core.store.connections.list(near, OPERATOR)
    found = found or await core.store.connections.list(Selection(limit=50), OPERATOR)
    return did_you_mean(name, [stored.connection.name for stored in found])


async def every(
    core: Core, selection: Selection, caller: Principal, right: Right = Right.USE
) -> AsyncIterator[StoredConnection]:
    """Read those selected that the caller has a right to, page by page."""
    sites = await core.sites.load()
    async for stored in iter_connections(core.store.connections, selection, caller):
        if right in rights(sites, stored.connection, caller):
            yield stored


def with_plugin(core: Core, stored: StoredConnection) -> StoredConnection:
    """Return a connection that needs attention where its plugin is gone, or broken, however well it was before."""
    plugin = stored.connection.plugin
    if plugin in core.registry.plugins or stored.health.attention:
        return stored
    words = "is broken" if plugin in core.registry.broken else "is not installed any more"
    return replace(stored, health=replace(stored.health, attention=f"The plugin '{plugin}' {words}."))


_INSIDE = ("generation", "origins", "set_by")  # of the row, and no part of what people see


async def shown(core: Core, stored: StoredConnection, caller: Principal) -> dict[str, Any]:
    """Return a connection as `schemas/connection.schema.json` describes it, each secret masked.

    Administrators see the end of a long secret, to tell one key from another; nobody else sees any of it.
    """
    connection = stored.connection
    document: dict[str, Any] = {key: value for key, value in plain(connection).items() if key not in _INSIDE}
    administrator = Right.ADMINISTER in await granted_to(core, stored, caller)
    try:
        opened = await core.secrets.open(stored)
        document["secrets"] = {key: mask(value, administrator=administrator) for key, value in opened.items()}
    except SealError as error:
        document["secrets"] = {key: f"(cannot be opened: {type(error).__name__})" for key in connection.secrets}
    manifest = core.registry.plugins.get(connection.plugin)
    for key in manifest.secret_names & set(connection.parameters) if manifest else ():
        document["secrets"][key] = mask(document["parameters"].pop(key), administrator=administrator)
    document["vault"] = {key: await named(core.store, reference) for key, reference in connection.vault.items()}
    health = await core.store.health.state(connection.id)
    now = with_plugin(core, replace(stored, health=health))
    document["state"], health = now.state.value, now.health
    document["health"] = {
        key: iso(value) if isinstance(value, datetime) else to_builtins(value) for key, value in asdict(health).items()
    }
    return document
