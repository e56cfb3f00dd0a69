"""Master keys at hand, in a file of their owner's or in an environment variable; the first seals, all open."""

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import anyio.to_thread

from connector_host.crypto.aes_gcm import KEY, AesGcm
from connector_host.model.connection import WrappedKey
from connector_host.model.errors import KeyExposed, KeyMissing, KeyUnknown, SealBroken, SealError
from connector_host.model.file_lock import FileLock
from connector_host.model.guarded import Guarded
from connector_host.ports.parts import Surroundings
from connector_host.ports.sealing import Release

_CIPHER = AesGcm()


class KeyRing(Guarded, frozen=True):
    """Master keys by fingerprint, the current one first."""

    hidden: ClassVar[frozenset[str]] = frozenset({"keys"})
    keys: dict[str, bytes]

    @property
    def current(self) -> str:
        """Fingerprint of the key that seals now."""
        return next(iter(self.keys))

    def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap a data key under the current key."""
        return WrappedKey(self.current, _CIPHER.seal(self.keys[self.current], data_key, context))

    def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Unwrap; raises KeyUnknown, SealBroken."""
        if key.master_key_id not in self.keys:
            raise KeyUnknown(
                f"They were sealed under the master key {key.master_key_id}, and the keys at hand are "
                f"{', '.join(self.keys)}. Bring the right key back (from a backup); nothing was changed."
            )
        try:
            return _CIPHER.open(self.keys[key.master_key_id], key.wrapped, context)
        except SealBroken:
            raise SealBroken("Its wrapped data key is damaged, or belongs to another connection.") from None


def ring_of(lines: Iterable[str], where: str) -> KeyRing:
    """Return the ring written as one base64 key of 32 bytes per line; raises SealError naming the line."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            key = _decoded(text, f"{where}, line {number}")
            keys[fingerprint(key)] = key
    if not keys:
        raise SealError(f"{where} holds no key.")
    return KeyRing(keys)


def encode(keys: Sequence[bytes]) -> str:
    """Keys as text, the current one first."""
    return "".join(f"{base64.b64encode(key).decode()}\n" for key in keys)


def fingerprint(key: bytes) -> str:
    """Return a key's public name."""
    return hashlib.sha256(b"connector-host master key" + key).hexdigest()[:12]


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY:
        raise SealError(f"{where}: this is not a key. A key is 32 random bytes in base64.")
    if len(set(key)) < FEWEST_BYTES:
        raise SealError(f"{where}: this key is not random. Make one: openssl rand -base64 32")
    return key


FEWEST_BYTES = 16  # different ones among 32: of random keys one in 10^9 has fewer than 23
_WIDE = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


class KeyFile:
    """The key provider `file` (in the data folder) or `file:PATH`."""

    def __init__(self, surroundings: Surroundings) -> None:
        _, _, path = surroundings.key.partition(":")
        self.path = Path(path).expanduser() if path else surroundings.home / "master.key"
        self._ring: KeyRing | None = None
        self._stamp: tuple[int, int] | None = None

    async def current(self) -> str:
        """Fingerprint of the key that seals now."""
        return self._load().current

    async def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap under the current key."""
        return self._load().wrap(data_key, context)

    async def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Unwrap; the file is read again where it changed."""
        return self._load().unwrap(key, context)

    async def create(self) -> None:
        """Make the file with one key, unless it exists; of several processes at once one wins."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._written([os.urandom(32)])
        try:
            os.link(fresh, self.path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        _sync_folder(self.path.parent)

    async def rotate(self) -> None:
        """Put a new key before the others."""
        async with self._changing():
            self._replace([os.urandom(32), *self._load().keys.values()])

    async def retire(self, release: Release) -> None:
        """Forget the older keys that nothing needs."""
        async with self._changing():
            ring = self._load()
            gone = await release([name for name in ring.keys if name != ring.current])
            self._replace([key for name, key in ring.keys.items() if name not in gone])

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        """Let nobody else change the ring meanwhile, in whatever process; it is read again inside."""
        lock = FileLock(beside := self.path.with_name(f"{self.path.name}.lock"))
        try:
            await anyio.to_thread.run_sync(lock.acquire)
        except OSError as error:  # left by another user, say
            raise SealError(f"The master key's lock {beside} cannot be taken: {error.strerror}.") from error
        try:
            self._stamp = None
            yield
        finally:
            lock.release()

    def _replace(self, keys: list[bytes]) -> None:
        self._written(keys).replace(self.path)
        _sync_folder(self.path.parent)

    def _written(self, keys: list[bytes]) -> Path:
        """Return a new file beside the key file, safely on disk."""
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(encode(keys))
            file.flush()
            os.fsync(file.fileno())
        return fresh

    def _load(self) -> KeyRing:
        try:
            facts = self.path.stat()
        except FileNotFoundError as error:
            raise KeyMissing(
                f"The master key file {self.path} is missing. Bring it back (from a backup); without it no "
                f"sealed secret opens. Nothing was changed."
            ) from error
        except OSError as error:
            raise SealError(f"The master key file {self.path} cannot be read ({error.strerror}).") from error
        stamp = (facts.st_mtime_ns, facts.st_ino)
        if self._ring is None or stamp != self._stamp:
            if os.name == "posix":
                self._check_owner(facts)
            try:
                lines = self.path.read_text("ascii").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise SealError(f"The master key file {self.path} cannot be read ({error}).") from error
            self._ring, self._stamp = ring_of(lines, f"The master key file {self.path}"), stamp
        return self._ring

    def _check_owner(self, facts: os.stat_result) -> None:
        """Refuse a file that others can read, or that stands where others can put one of theirs."""
        if facts.st_mode & _WIDE:
            raise KeyExposed(f"The master key file {self.path} can be read by others. Run: chmod 600 {self.path}")
        if facts.st_uid not in {0, os.geteuid()}:
            raise KeyExposed(f"The master key file {self.path} is the user {facts.st_uid}'s: run this as that user.")
        folder = self.path.parent.stat()
        if folder.st_mode & _WRITABLE and not folder.st_mode & stat.S_ISVTX:
            raise KeyExposed(
                f"The folder {self.path.parent} of the master key can be written to by others. "
                f"Run: chmod go-w {self.path.parent}"
            )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class KeyEnvironment:
    """The key provider `env:VARIABLE`: base64 keys separated by commas, the current one first."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._variable = surroundings.key.partition(":")[2] or "CONNECTOR_HOST_MASTER_KEY"

    async def current(self) -> str:
        """Fingerprint of the key that seals now."""
        return self._ring().current

    async def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap under the current key."""
        return self._ring().wrap(data_key, context)

    async def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Unwrap."""
        return self._ring().unwrap(key, context)

    async def create(self) -> None:
        """Refuse: the host cannot set an environment variable for good: raises KeyMissing."""
        self._ring()

    async def rotate(self) -> None:
        """Refuse: new keys are made by whoever sets the variable: raises SealError."""
        raise SealError(
            f"All connections are sealed under the first key of {self._variable} already. To rotate, put a new key "
            f"before it (openssl rand -base64 32), separated by a comma, and run this again."
        )

    async def retire(self, release: Release) -> None:  # noqa: ARG002 - the port's signature
        """Old keys are taken away by whoever set them: raises SealError."""
        raise SealError(f"Take the older keys out of {self._variable} yourself; no connection needs them.")

    def _ring(self) -> KeyRing:
        text = os.environ.get(self._variable, "")
        if not text.strip():
            raise KeyMissing(
                f"The environment variable {self._variable} holds no master key. Set it (openssl rand -base64 32)."
            )
        return ring_of(text.split(","), f"The environment variable {self._variable}")
