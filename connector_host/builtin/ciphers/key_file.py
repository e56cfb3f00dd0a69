"""Master keys in a file that only its owner can read, made at first use."""

import os
import stat
from pathlib import Path

from connector_host.builtin.ciphers.key_ring import KeyRing, encode, ring_of
from connector_host.contract.connection import WrappedKey
from connector_host.contract.errors import KeyExposed, KeyMissing, SealError
from connector_host.contract.ports import Surroundings

_WIDE = stat.S_IRWXG | stat.S_IRWXO


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
        self._replace([os.urandom(32), *self._load().keys.values()])

    async def retire(self) -> None:
        """Keep the current key only."""
        ring = self._load()
        self._replace([ring.keys[ring.current]])

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
            raise SealError(f"The master key file {self.path} can not be read ({error.strerror}).") from error
        stamp = (facts.st_mtime_ns, facts.st_ino)
        if self._ring is None or stamp != self._stamp:
            if os.name == "posix" and facts.st_mode & _WIDE:
                raise KeyExposed(f"The master key file {self.path} can be read by others. Run: chmod 600 {self.path}")
            try:
                lines = self.path.read_text("ascii").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise SealError(f"The master key file {self.path} can not be read ({error}).") from error
            self._ring, self._stamp = ring_of(lines, f"The master key file {self.path}"), stamp
        return self._ring


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
