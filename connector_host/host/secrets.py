"""Seals and opens a connection's secrets under its data key, which the master key wraps, and signs its row.

The context bound to each secret is connection id, parameter name, version of the key and generation; the data key's is
connection id and version. The row carries the generation, and a MAC under a key derived from the data key: a stolen
row, a swapped value, an old value put back, a changed address or right does not open.
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from msgspec.structs import replace

from connector_host.host.audit import Audit
from connector_host.host.connections.iterating import iter_connections
from connector_host.host.seals import FORMAT, mac_of_connection, same
from connector_host.model.caller import OPERATOR
from connector_host.model.connection import EVERYTHING, Connection, Sealed, StoredConnection, WrappedKey
from connector_host.model.errors import ChangedOutside, KeyMissing, RotationIncomplete, SealBroken, SealError
from connector_host.ports.sealing import Cipher, KeyProvider
from connector_host.ports.stores import Store

_FOLDER = json.dumps(["folder key", FORMAT]).encode()


class Secrets:
    """The policy of sealing; cipher and keys are parts."""

    def __init__(self, cipher: Cipher, keys: KeyProvider, store: Store, audit: Audit) -> None:
        self.cipher = cipher
        self._keys = keys
        self._store = store
        self._audit = audit
        self._folder_key: bytes | None = None

    @property
    def key_file(self) -> Path | None:
        """The file that the master keys stand in; None where they stand in none."""
        path = getattr(self._keys, "path", None)
        return path if isinstance(path, Path) else None

    async def sealed(self, connection: Connection, secrets: Mapping[str, Any]) -> StoredConnection:
        """Return a connection as it is stored: its secrets under a new data key, its row signed."""
        await self.folder_key()
        data_key = self.cipher.new_key()
        connection = replace(connection, generation=connection.version)
        blobs = {
            name: self.cipher.seal(data_key, json.dumps(value).encode(), _secret_context(connection, name))
            for name, value in secrets.items()
        }
        key = await self._keys.wrap(data_key, _key_context(connection.id, connection.version))
        mac = mac_of_connection(data_key, connection)
        return StoredConnection(connection, Sealed(connection.version, key, blobs, mac))

    async def signed(self, connection: Connection, before: StoredConnection) -> StoredConnection:
        """Return a connection as it is stored after a change of what is no secret: sealed as before, its row signed."""
        data_key = await self._data_key(before)
        assert before.sealed is not None  # noqa: S101 - it has a data key
        mac = mac_of_connection(data_key, connection)
        return StoredConnection(connection, replace(before.sealed, mac=mac))

    async def check(self, stored: StoredConnection) -> None:
        """Raise ChangedOutside where a row is not as the host wrote it."""
        await self._data_key(stored)

    async def open(self, stored: StoredConnection, names: Collection[str] | None = None) -> dict[str, Any]:
        """Open all secrets, or those of the given names; raises SealError naming the connection."""
        data_key = await self._data_key(stored)
        assert stored.sealed is not None  # noqa: S101 - it has a data key
        return {
            name: self._open_one(data_key, stored.connection, name, blob)
            for name, blob in stored.sealed.secrets.items()
            if names is None or name in names
        }

    async def unopened(self) -> list[str]:
        """Return why secrets cannot be opened with the keys at hand, connection by connection."""
        told = []
        async for stored in iter_connections(self._store.connections, EVERYTHING, OPERATOR):
            try:
                await self.open(stored)
            except SealError as error:
                told.append(str(error))
        return told

    async def folder_key(self) -> bytes:
        """Return the folder's own key, which signs what is no connection's; made with the first master key.

        It is the check of the keys at hand, too: raises KeyUnknown where they are not those of this store.
        """
        if self._folder_key is None:
            stored = await self._store.keys.folder_key()
            if stored is None:
                await self._ensure_master_key()
                await self._store.keys.put_folder_key(await self._keys.wrap(self.cipher.new_key(), _FOLDER))
                stored = await self._store.keys.folder_key()
                assert stored is not None  # noqa: S101 - it was put there
            try:
                self._folder_key = await self._keys.unwrap(stored, _FOLDER)
            except SealError as error:
                raise type(error)(f"The keys at hand are not those of this store. {error}") from error
        return self._folder_key

    async def _data_key(self, stored: StoredConnection) -> bytes:
        """Return a connection's data key, once its row is seen to be as the host wrote it."""
        connection, sealed = stored.connection, stored.sealed
        if sealed is None:
            raise _changed(connection, "its key was taken away")
        data_key = await self.unwrapped(connection, sealed)
        if sealed.version != connection.generation:
            raise _changed(connection, "its secrets are those of another time")
        if not same(sealed.mac, mac_of_connection(data_key, connection)):
            raise _changed(connection, "its row says something else than what was saved")
        return data_key

    async def unwrapped(self, connection: Connection, sealed: Sealed) -> bytes:
        """Return a connection's data key, whatever its row says; raises SealError naming the connection."""
        try:
            return await self._keys.unwrap(sealed.key, _key_context(connection.id, sealed.version))
        except SealError as error:
            raise type(error)(f"The secrets of connection '{connection.name}' cannot be opened. {error}") from error

    def _open_one(self, data_key: bytes, connection: Connection, name: str, blob: bytes) -> Any:
        try:
            return json.loads(self.cipher.open(data_key, blob, _secret_context(connection, name)))
        except SealBroken as error:
            raise SealBroken(
                f"The secret '{name}' of connection '{connection.name}' cannot be opened: its row is damaged, or was "
                f"sealed for another place. Set it anew: connector-host connections edit {quote(connection.name)} "
                f"--secret {name}=-"
            ) from error

    async def rotate(self) -> int:
        """Put every data key under a new master key; how many were rewrapped.

        An interrupted rotation is finished first, without making another key. Others may read and write
        meanwhile: the older keys stay at hand until retire(). Raises RotationIncomplete, once all others are done, for
        connections whose key does not open.
        """
        moved, broken = await self._rewrap_all()
        if not moved:
            await self._keys.rotate()
            moved, broken = await self._rewrap_all()
        current = await self._keys.current()
        told = {"broken": sorted(broken)} if broken else {}
        await self._audit.record("keys.rotated", OPERATOR, "", rewrapped=moved, master_key=current, **told)
        if broken:
            raise RotationIncomplete(moved, broken)
        return moved

    async def _rewrap_all(self) -> tuple[int, dict[str, str]]:
        """Put what is under older keys under the current one; return how many, and why others cannot be."""
        await self._rewrap_folder_key()
        moved, before = 0, -1
        broken: dict[str, str] = {}
        while before != moved:
            before = moved
            async for stored in self._outdated():
                try:
                    moved += await self._rewrap(stored)
                except SealError as error:
                    broken[stored.connection.name] = str(error)
        return moved, broken

    async def retire(self) -> None:
        """Forget the older master keys; raises SealError while a connection still needs one."""
        async for stored in self._outdated():
            raise SealError(
                f"Connection '{stored.connection.name}' still needs an older key. Run: connector-host keys rotate"
            )
        await self._rewrap_folder_key()
        await self._keys.retire(self._store.keys.retire)
        await self._audit.record("keys.retired", OPERATOR, "", master_key=await self._keys.current())

    async def _outdated(self) -> AsyncIterator[StoredConnection]:
        """Read those whose data key is not under the current master key."""
        current = None
        async for stored in iter_connections(self._store.connections, EVERYTHING, OPERATOR):
            if stored.sealed is not None:
                current = current or await self._keys.current()
                if stored.sealed.key.master_key_id != current:
                    yield stored

    async def _rewrap(self, stored: StoredConnection) -> bool:
        connection, sealed = stored.connection, stored.sealed
        if sealed is None:
            return False
        context = _key_context(connection.id, sealed.version)
        new = await self._keys.wrap(await self._keys.unwrap(sealed.key, context), context)
        return await self._store.connections.rewrap(connection.id, sealed.key, new)

    async def _rewrap_folder_key(self) -> None:
        old = await self._store.keys.folder_key()
        if old is not None and old.master_key_id != await self._keys.current():
            new: WrappedKey = await self._keys.wrap(await self._keys.unwrap(old, _FOLDER), _FOLDER)
            await self._store.keys.rewrap_folder_key(old, new)

    async def _ensure_master_key(self) -> None:
        try:
            await self._keys.current()
        except KeyMissing:
            if await self._store.keys.in_use():
                raise
            await self._keys.create()


SHOWN = 4  # characters at the end of a secret, where it has at least
LONG = 16


def mask(secret: Any, *, administrator: bool = False) -> str:
    """Return a secret as it may be shown: the last four characters of a long one, to administrators; else none."""
    text = secret if isinstance(secret, str) else ""
    return f"************{text[-SHOWN:]}" if administrator and len(text) >= LONG else "************"


def _changed(connection: Connection, how: str) -> ChangedOutside:
    return ChangedOutside(
        f"The connection '{connection.name}' was changed outside the host: {how}. Restore the database from a backup, "
        f"or remove the connection and add it again."
    )


def _secret_context(connection: Connection, name: str) -> bytes:
    version = connection.generation
    return json.dumps(["secret", FORMAT, connection.id, name, version, version]).encode()


def _key_context(connection_id: str, version: int) -> bytes:
    return json.dumps(["data key", connection_id, version]).encode()
