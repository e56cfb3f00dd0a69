"""What callers may see of the connections: what they have no right to does not exist for them."""

import json
import platform
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from importlib.metadata import distributions
from typing import Any

from msgspec.structs import asdict, replace

from connector_host.host.access import Right, rights
from connector_host.host.connections.fields import named
from connector_host.host.core import Core
from connector_host.host.redaction import Redactor, leaves
from connector_host.host.secrets import mask
from connector_host.manifests.schema import did_you_mean
from connector_host.model.caller import OPERATOR, Operator, Principal
from connector_host.model.connection import Selection, StoredConnection
from connector_host.model.errors import NotAllowed, SealError, UnknownConnection
from connector_host.model.result import iso, plain
from connector_host.ports.stores import PAGE, iter_connections

REFUSAL_SECONDS = 0.01  # what is unknown and what is forbidden are refused after the same time


async def find(core: Core, name: str, caller: Principal, right: Right = Right.USE) -> StoredConnection:
    """Return a connection by its name.

    Raises UnknownConnection where there is none, and in the same words and after the same time where the caller has no
    right to it; NotAllowed where they may use it, and ask for more.
    """
    stored = await core.store.connections.get(name)
    if stored is not None:
        if isinstance(caller, Operator):
            return stored
        granted = rights(await core.store.sites.load(), stored.connection, caller)
        if right in granted:
            return stored
        if granted:
            raise NotAllowed(f"You may use the connection '{name}', but not change it.")
    if not isinstance(caller, Operator):
        await core.clock.sleep(REFUSAL_SECONDS)
        raise UnknownConnection(f"There is no connection '{name}' that you may use.")
    raise UnknownConnection(f"There is no connection '{name}'.{await _hint(core, name)}")


async def visible(core: Core, connection_id: str, caller: Principal) -> bool:
    """Whether the caller may use the connection of an id."""
    if isinstance(caller, Operator):
        return True
    stored = await core.store.connections.get(connection_id=connection_id) if connection_id else None
    return stored is not None and bool(rights(await core.store.sites.load(), stored.connection, caller))


async def _hint(core: Core, name: str) -> str:
    near = Selection(name=f"{name[:1]}*", limit=PAGE) if name[:1].isalnum() else Selection(limit=50)
    found = await core.store.connections.list(near, OPERATOR)
    found = found or await core.store.connections.list(Selection(limit=50), OPERATOR)
    return did_you_mean(name, [stored.connection.name for stored in found])


async def every(
    core: Core, selection: Selection, caller: Principal, right: Right = Right.USE
) -> AsyncIterator[StoredConnection]:
    """Read those selected that the caller has a right to, page by page."""
    sites = await core.store.sites.load()
    async for stored in iter_connections(core.store.connections, selection, caller):
        if right in rights(sites, stored.connection, caller):
            yield stored


async def shown(core: Core, stored: StoredConnection) -> dict[str, Any]:
    """Return a connection as `schemas/connection.schema.json` describes it, each secret masked."""
    connection = stored.connection
    document: dict[str, Any] = plain(connection)
    try:
        opened = await core.secrets.open(stored)
        document["secrets"] = {key: mask(value) for key, value in opened.items()}
    except SealError as error:
        document["secrets"] = {key: f"(cannot be opened: {type(error).__name__})" for key in connection.secrets}
    manifest = core.registry.plugins.get(connection.plugin)
    for key in manifest.secret_names & set(connection.parameters) if manifest else ():
        document["secrets"][key] = mask(document["parameters"].pop(key))
    document["vault"] = {key: await named(core.store, reference) for key, reference in connection.vault.items()}
    health = await core.store.health.state(connection.id)
    document["state"] = replace(stored, health=health).state.value
    document["health"] = {
        key: iso(value) if isinstance(value, datetime) else value for key, value in asdict(health).items()
    }
    return document


RUNS, RECORDS = 20, 1000
_OURS = ("connector-host", "httptools", "httpx2", "msgspec", "jsonschema", "jsonschema-rs", "cryptography", "pluggy")


async def diagnosis_of(core: Core, stored: StoredConnection) -> Mapping[str, Any]:
    """Return the bundle of one connection as {file name: JSON value}; what would be a secret is masked."""
    connection = stored.connection
    manifest = core.registry.plugins.get(connection.plugin)
    document = await shown(core, stored)
    runs = await core.store.history.recent(RUNS, connection.id)
    records = await core.audit.last(RECORDS)
    bundle = {
        "connection.json": {**document, "secrets": dict.fromkeys(document["secrets"], "********")},
        "plugin.json": {
            "id": connection.plugin,
            "version": manifest.version if manifest else None,
            "made_for": connection.plugin_version,
            "commands": list(manifest.commands) if manifest else [],
        },
        "history.json": [{**run.document(), "result": None} for run in runs],
        "audit.json": [record.document() for record in records if record.entry.subject_id == connection.id],
        "host.json": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "packages": {one.name: one.version for one in distributions() if one.name.lower() in _OURS},
        },
    }
    text = json.dumps(bundle, ensure_ascii=False, default=str)
    redacted: Mapping[str, Any] = (await _redactor(core, stored)).value(json.loads(text))
    return redacted


async def _redactor(core: Core, stored: StoredConnection) -> Redactor:
    try:
        opened = await core.secrets.open(stored)
    except SealError:
        return Redactor(())
    return Redactor(text for value in opened.values() for text in leaves(value))
