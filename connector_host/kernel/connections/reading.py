"""What callers may see of the connections: what they have no right to does not exist for them."""

from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from connector_host.contract.connection import EVERYTHING, OPERATOR, Caller, Selection, StoredConnection
from connector_host.contract.documents import iso, plain
from connector_host.contract.errors import NotAllowed, SealError, UnknownConnection
from connector_host.contract.ports import Clock
from connector_host.contract.stores import Store
from connector_host.kernel.access import Right, rights
from connector_host.kernel.connections.references import named
from connector_host.kernel.plugins import Registry
from connector_host.kernel.roster import PAGE, stored_one_by_one
from connector_host.kernel.schema import did_you_mean
from connector_host.kernel.secrets import SecretKeeper, mask

REFUSAL_SECONDS = 0.01  # what is unknown and what is forbidden are refused after the same time


class ConnectionReader:
    """Everything that is read of connections goes through here."""

    def __init__(self, registry: Registry, store: Store, keeper: SecretKeeper, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._keeper = keeper
        self._clock = clock

    async def get(self, name: str, caller: Caller = OPERATOR, right: Right = Right.USE) -> StoredConnection:
        """One by its name.

        Raises UnknownConnection where there is none, and in the same words and after the same time where the caller
        has no right to it; NotAllowed where he may use it, and asks for more.
        """
        stored = await self._store.connections.get(name)
        granted = frozenset[Right]()
        if stored is not None:
            granted = rights(await self._store.places.load(), stored.connection, caller)
        if stored is not None and right in granted:
            return stored
        if granted:
            raise NotAllowed(f"You may use the connection '{name}', but not change it.")
        if caller != OPERATOR:
            await self._clock.sleep(REFUSAL_SECONDS)
            raise UnknownConnection(f"There is no connection '{name}' that you may use.")
        raise UnknownConnection(f"There is no connection '{name}'.{await self._hint(name)}")

    async def visible(self, connection_id: str, caller: Caller) -> bool:
        """Whether the caller may use the connection of an id."""
        stored = await self._store.connections.get(connection_id=connection_id) if connection_id else None
        return stored is not None and bool(rights(await self._store.places.load(), stored.connection, caller))

    async def _hint(self, name: str) -> str:
        near = Selection(name=f"{name[:1]}*", limit=PAGE) if name[:1].isalnum() else Selection(limit=50)
        found = await self._store.connections.list(near, OPERATOR)
        found = found or await self._store.connections.list(Selection(limit=50), OPERATOR)
        return did_you_mean(name, [one.connection.name for one in found])

    async def list(self, selection: Selection = EVERYTHING, caller: Caller = OPERATOR) -> list[StoredConnection]:
        """Those selected that the caller may use, by name, with their health and without their sealed secrets."""
        found: list[StoredConnection] = []
        async for stored in self.every(selection, caller):
            found.append(replace(stored, sealed=None))
            if len(found) == selection.limit:
                break
        return found

    async def every(
        self, selection: Selection = EVERYTHING, caller: Caller = OPERATOR, right: Right = Right.USE
    ) -> AsyncIterator[StoredConnection]:
        """Read those selected that the caller has a right to, page by page."""
        places = await self._store.places.load()
        async for stored in stored_one_by_one(self._store.connections, selection, caller):
            if right in rights(places, stored.connection, caller):
                yield stored

    async def show(self, name: str, caller: Caller = OPERATOR) -> dict[str, Any]:
        """Return a connection as `schemas/connection.schema.json` describes it, each secret masked."""
        stored = await self.get(name, caller)
        connection = stored.connection
        document: dict[str, Any] = plain(asdict(connection))
        try:
            opened = await self._keeper.open(stored)
            document["secrets"] = {key: mask(value) for key, value in opened.items()}
        except SealError as error:
            document["secrets"] = {key: f"(can not be opened: {type(error).__name__})" for key in connection.secrets}
        manifest = self._registry.plugins.get(connection.plugin)
        for key in manifest.secret_names & set(connection.parameters) if manifest else ():
            document["secrets"][key] = mask(document["parameters"].pop(key))
        document["vault"] = {key: await named(self._store, one) for key, one in connection.vault.items()}
        health = await self._store.health.state(connection.id)
        document["state"] = replace(stored, health=health).state.value
        document["health"] = {
            key: iso(value) if isinstance(value, datetime) else value for key, value in asdict(health).items()
        }
        return document
