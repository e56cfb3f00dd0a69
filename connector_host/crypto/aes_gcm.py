"""AES-256-GCM: a random 96-bit nonce before each sealed value (NIST SP 800-38D, 8.2.2)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector_host.model.errors import SealBroken
from connector_host.ports.parts import Surroundings

NONCE = 12
KEY = 32


class AesGcm:
    """Seals as nonce, ciphertext and tag in one."""

    def __init__(self, _surroundings: Surroundings | None = None) -> None:
        """Make a cipher; it needs nothing."""

    def new_key(self) -> bytes:
        """256 random bits."""
        return os.urandom(KEY)

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal under a fresh nonce."""
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(key).encrypt(nonce, plain, context)

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open; raises SealBroken."""
        try:
            return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error
