"""Seals and opens a connection's secrets: one random data key each, wrapped by the master key.

The context bound to each secret is connection id, parameter name and version; the data key's is connection id and
version. A stolen row, a swapped value or an old value put back does not open: each change of a secret makes a new
data key and a new version.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from connector_host.contract.errors import KeyMissing, SealBroken, SealError
from connector_host.contract.model import Connection, Sealed, StoredConnection, WrappedKey
from connector_host.contract.ports import Cipher, Connections, KeyProvider


class SecretKeeper:
    """The policy of sealing; cipher and keys are parts."""

    def __init__(self, cipher: Cipher, keys: KeyProvider, connections: Connections) -> None:
        self._cipher = cipher
        self._keys = keys
        self._connections = connections

    async def seal(self, connection_id: str, version: int, secrets: Mapping[str, Any]) -> Sealed:
        """Seal all of a connection's secrets under a new data key."""
        await self._ensure_master_key()
        data_key = self._cipher.new_key()
        sealed = {
            name: self._cipher.seal(data_key, json.dumps(value).encode(), _secret_context(connection_id, name, version))
            for name, value in secrets.items()
        }
        return Sealed(version, self._keys.wrap(data_key, _key_context(connection_id, version)), sealed)

    def open(self, stored: StoredConnection, names: Collection[str] | None = None) -> dict[str, Any]:
        """Open all secrets, or those of the given names; raises SealError naming the connection."""
        sealed = stored.sealed
        if sealed is None:
            return {}
        connection = stored.connection
        try:
            data_key = self._keys.unwrap(sealed.key, _key_context(connection.id, sealed.version))
        except SealError as error:
            raise type(error)(f"The secrets of connection '{connection.name}' can not be opened. {error}") from error
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
                f"The secret '{name}' of connection '{connection.name}' can not be opened: its row is damaged, or was "
                f"sealed for another place. Set it anew: connector-host connections edit {connection.name} "
                f"--secret {name}=-"
            ) from error

    async def rotate(self) -> int:
        """Put every data key under a new master key; how many were rewrapped.

        An interrupted rotation is finished first, without making another key. Others may read and write
        meanwhile: the older keys stay at hand until retire().
        """
        if not [one for one in await self._wrapped() if one[1].key.master_key_id != self._keys.current()]:
            self._keys.rotate()
        moved = 0
        while pending := [one for one in await self._wrapped() if one[1].key.master_key_id != self._keys.current()]:
            for connection_id, sealed, name in pending:
                moved += await self._rewrap(connection_id, sealed, name)
        return moved

    async def retire(self) -> None:
        """Forget the older master keys; raises SealError while a connection still needs one."""
        for _, sealed, name in await self._wrapped():
            if sealed.key.master_key_id != self._keys.current():
                raise SealError(f"Connection '{name}' still needs an older key. Run: connector-host keys rotate")
        self._keys.retire()

    async def _wrapped(self) -> list[tuple[str, Sealed, str]]:
        return [
            (stored.connection.id, stored.sealed, stored.connection.name)
            for stored in await self._connections.list()
            if stored.sealed is not None
        ]

    async def _rewrap(self, connection_id: str, sealed: Sealed, name: str) -> bool:
        context = _key_context(connection_id, sealed.version)
        try:
            new: WrappedKey = self._keys.wrap(self._keys.unwrap(sealed.key, context), context)
        except SealError as error:
            raise type(error)(
                f"The rotation stopped at connection '{name}': {error} The other connections are unharmed; mend or "
                f"remove this one and run the rotation again."
            ) from error
        return await self._connections.rewrap(connection_id, sealed.key, new)

    async def _ensure_master_key(self) -> None:
        try:
            self._keys.current()
        except KeyMissing:
            if await self._wrapped():
                raise
            self._keys.create()


def mask(secret: Any) -> str:
    """Return a secret as it may be shown: the first and last four characters of a long one, else none."""
    text = secret if isinstance(secret, str) else ""
    return f"{text[:4]}************{text[-4:]}" if len(text) >= 16 else "************"  # noqa: PLR2004 - half stays hidden


def _secret_context(connection_id: str, name: str, version: int) -> bytes:
    return json.dumps(["secret", connection_id, name, version]).encode()


def _key_context(connection_id: str, version: int) -> bytes:
    return json.dumps(["data key", connection_id, version]).encode()
