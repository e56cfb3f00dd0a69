"""Master keys in an environment variable, kept and rotated by whoever sets it."""

import os

from connector_host.builtin.ciphers.key_ring import KeyRing, ring_of
from connector_host.contract.connection import WrappedKey
from connector_host.contract.errors import KeyMissing, SealError
from connector_host.contract.ports import Surroundings


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
        """Refuse: the host can not set an environment variable for good: raises KeyMissing."""
        self._ring()

    async def rotate(self) -> None:
        """Refuse: new keys are made by whoever sets the variable: raises SealError."""
        raise SealError(
            f"All connections are sealed under the first key of {self._variable} already. To rotate, put a new key "
            f"before it (openssl rand -base64 32), separated by a comma, and run this again."
        )

    async def retire(self) -> None:
        """Old keys are taken away by whoever set them: raises SealError."""
        raise SealError(f"Take the older keys out of {self._variable} yourself; no connection needs them.")

    def _ring(self) -> KeyRing:
        text = os.environ.get(self._variable, "")
        if not text.strip():
            raise KeyMissing(
                f"The environment variable {self._variable} holds no master key. Set it (openssl rand -base64 32)."
            )
        return ring_of(text.split(","), f"The environment variable {self._variable}")
