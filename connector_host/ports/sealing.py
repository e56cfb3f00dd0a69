"""The parts that keep secrets: ciphers, envelopes for somebody else, and who keeps the master keys."""

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from connector_host.model.connection import WrappedKey


class Cipher(Protocol):
    """Seals bytes under a key, bound to a context that must be the same when they are opened."""

    def new_key(self) -> bytes:
        """Return a fresh random key."""

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal."""

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open; raises SealBroken."""


class Envelope(Protocol):
    """Seals for somebody who holds a private key; keys are PEM."""

    def seal(self, public_key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal; raises BadSetting for a key that is none."""

    def open(self, private_key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open; raises BadSetting for a key that is none, and SealBroken."""


Release = Callable[[Collection[str]], Awaitable[Collection[str]]]


class KeyProvider(Protocol):
    """Keeps the master keys."""

    async def current(self) -> str:
        """Id of the key that seals now; raises KeyMissing, KeyExposed."""

    async def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap a data key under the current master key."""

    async def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Unwrap; raises KeyMissing, KeyExposed, KeyUnknown, SealBroken."""

    async def create(self) -> None:
        """Make the first master key; does nothing where one exists."""

    async def rotate(self) -> None:
        """Make a new current key and keep the older ones; raises SealError where keys are made elsewhere."""

    async def retire(self, release: Release) -> None:
        """Forget those of the older keys that `release` gives back: it is given their names, and forbids their use."""
