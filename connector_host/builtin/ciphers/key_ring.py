"""A ring of master keys: the first seals, all open; a key is known by a fingerprint of itself."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from connector_host.builtin.ciphers.aes_gcm import KEY, AesGcm
from connector_host.contract.connection import WrappedKey
from connector_host.contract.errors import KeyUnknown, SealBroken, SealError

_CIPHER = AesGcm()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Master keys by fingerprint, the current one first."""

    keys: dict[str, bytes] = field(repr=False)

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
    return key
