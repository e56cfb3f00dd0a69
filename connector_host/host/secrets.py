"""Seals and opens a connection's secrets: one random data key each, wrapped by the master key.

The context bound to each secret is connection id, parameter name and version; the data key's is connection id and
version. A stolen row, a swapped value or an old value put back does not open: each change of a secret makes a new
data key and a new version.
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from connector_host.host.access import operator_only
from connector_host.host.audit import Audit
from connector_host.model.caller import OPERATOR, Principal
from connector_host.model.connection import EVERYTHING, Connection, Sealed, StoredConnection, WrappedKey
from connector_host.model.errors import KeyMissing, SealBroken, SealError
from connector_host.ports.parts import Cipher, KeyProvider
from connector_host.ports.stores import Store, iter_connections


class Secrets:
    """The policy of sealing; cipher and keys are parts."""

    def __init__(self, cipher: Cipher, keys: KeyProvider, store: Store, audit: Audit) -> None:
        self._cipher = cipher
        self._keys = keys
        self._store = store
        self._audit = audit

    async def seal(self, connection_id: str, version: int, secrets: Mapping[str, Any]) -> Sealed:
        """Seal all of a connection's secrets under a new data key."""
        await self._ensure_master_key()
        data_key = self._cipher.new_key()
        sealed = {
            name: self._cipher.seal(data_key, json.dumps(value).encode(), _secret_context(connection_id, name, version))
            for name, value in secrets.items()
        }
        return Sealed(version, await self._keys.wrap(data_key, _key_context(connection_id, version)), sealed)

    async def open(self, stored: StoredConnection, names: Collection[str] | None = None) -> dict[str, Any]:
        """Open all secrets, or those of the given names; raises SealError naming the connection."""
        sealed = stored.sealed
        if sealed is None:
            return {}
        connection = stored.connection
        try:
            data_key = await self._keys.unwrap(sealed.key, _key_context(connection.id, sealed.version))
        except SealError as error:
            raise type(error)(f"The secrets of connection '{connection.name}' cannot be opened. {error}") from error
        return {
            name: self._open_one(data_key, connection, name, sealed.version, blob)
            for name, blob in sealed.secrets.items()
            if names is None or name in names
        }

    def _open_one(self, data_key: bytes, connection: Connection, name: str, version: int, blob: bytes) -> Any:
        try:
            return json.loads(self._cipher.open(data_key, blob, _secret_context(connection.id, name, version)))
        except SealBroken as error:
            raise SealBroken(
                f"The secret '{name}' of connection '{connection.name}' cannot be opened: its row is damaged, or was "
                f"sealed for another place. Set it anew: connector-host connections edit {connection.name} "
                f"--secret {name}=-"
            ) from error

    async def rotate(self) -> int:
        """Put every data key under a new master key; how many were rewrapped.

        An interrupted rotation is finished first, without making another key. Others may read and write
        meanwhile: the older keys stay at hand until retire().
        """
        if await anext(self._outdated(), None) is None:
            await self._keys.rotate()
        moved, before = 0, -1
        while before != moved:
            before = moved
            async for connection in self._outdated():
                moved += await self._rewrap(connection)
        await self._audit.record("keys.rotated", OPERATOR, "", rewrapped=moved, master_key=await self._keys.current())
        return moved

    async def retire(self) -> None:
        """Forget the older master keys; raises SealError while a connection still needs one."""
        async for stored in self._outdated():
            raise SealError(
                f"Connection '{stored.connection.name}' still needs an older key. Run: connector-host keys rotate"
            )
        await self._keys.retire()
        await self._audit.record("keys.retired", OPERATOR, "", master_key=await self._keys.current())

    async def _sealed(self) -> AsyncIterator[tuple[StoredConnection, Sealed]]:
        """Read every connection that has secrets, page by page."""
        async for stored in iter_connections(self._store.connections, EVERYTHING, OPERATOR):
            if stored.sealed is not None:
                yield stored, stored.sealed

    async def _outdated(self) -> AsyncIterator[StoredConnection]:
        """Read those whose data key is not under the current master key."""
        current = None
        async for stored, sealed in self._sealed():
            current = current or await self._keys.current()
            if sealed.key.master_key_id != current:
                yield stored

    async def _rewrap(self, stored: StoredConnection) -> bool:
        connection, sealed = stored.connection, stored.sealed
        if sealed is None:
            return False
        context = _key_context(connection.id, sealed.version)
        try:
            new: WrappedKey = await self._keys.wrap(await self._keys.unwrap(sealed.key, context), context)
        except SealError as error:
            raise type(error)(
                f"The rotation stopped at connection '{connection.name}': {error} The other connections are unharmed; "
                f"mend or remove this one and run the rotation again."
            ) from error
        return await self._store.connections.rewrap(connection.id, sealed.key, new)

    async def _ensure_master_key(self) -> None:
        try:
            await self._keys.current()
        except KeyMissing:
            async for _ in self._sealed():
                raise
            await self._keys.create()


class Keys:
    """The master keys as they may be handled: by the operator alone."""

    def __init__(self, secrets: Secrets, caller: Principal) -> None:
        self._secrets = secrets
        self._caller = caller

    async def rotate(self) -> int:
        """Put every data key under a new master key; how many. Raises NotAllowed, SealError."""
        operator_only(self._caller, "rotate the master key")
        return await self._secrets.rotate()

    async def retire(self) -> None:
        """Forget the older master keys; raises NotAllowed, and SealError while a connection still needs one."""
        operator_only(self._caller, "retire master keys")
        await self._secrets.retire()


def mask(secret: Any) -> str:
    """Return a secret as it may be shown: the first and last four characters of a long one, else none."""
    text = secret if isinstance(secret, str) else ""
    return f"{text[:4]}************{text[-4:]}" if len(text) >= 16 else "************"  # noqa: PLR2004 - half stays hidden


def _secret_context(connection_id: str, name: str, version: int) -> bytes:
    return json.dumps(["secret", connection_id, name, version]).encode()


def _key_context(connection_id: str, version: int) -> bytes:
    return json.dumps(["data key", connection_id, version]).encode()
