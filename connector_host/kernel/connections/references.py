"""Vault references: people name a vault connection, the store keeps its id, and none may lead back to itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace

from connector_host.contract.connection import Connection, StoredConnection, VaultReference
from connector_host.contract.errors import BadSetting
from connector_host.contract.stores import Store
from connector_host.kernel.plugins import Registry

Given = Mapping[str, VaultReference | None]
Find = Callable[[str], Awaitable[StoredConnection]]


async def resolved(given: Given, registry: Registry, store: Store, find: Find, connection_id: str) -> Given:
    """Return the references with the vaults' ids; `find` gives a vault connection that the caller may use.

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
            references[name] = replace(reference, vault=vault.id)
    return references


async def named(store: Store, reference: VaultReference) -> dict[str, str]:
    """Return a stored reference as people read it, with the vault's name."""
    vault = await store.connections.get(connection_id=reference.vault)
    return {**asdict(reference), "vault": vault.connection.name if vault else reference.vault}


async def _refuse_circle(vault: Connection, store: Store, connection_id: str) -> None:
    """Follow where a vault connection gets its own values from; it must not come back."""
    waiting, seen = [vault], set[str]()
    while waiting:
        one = waiting.pop()
        if one.id == connection_id:
            raise BadSetting(f"'{vault.name}' can not be the vault: it would need a value from this connection itself.")
        for reference in one.vault.values():
            further = await store.connections.get(connection_id=reference.vault)
            if further is not None and reference.vault not in seen:
                seen.add(reference.vault)
                waiting.append(further.connection)
