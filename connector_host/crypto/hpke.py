"""HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM: for secrets on their way to another host."""

from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from connector_host.model.errors import BadSetting, SealBroken
from connector_host.ports.parts import Surroundings

_MAKE_KEYS = (
    "Make a pair: openssl genpkey -algorithm x25519 -out private.pem, then "
    "openssl pkey -in private.pem -pubout -out public.pem"
)


class Hpke:
    """The envelope `hpke`."""

    def __init__(self, _surroundings: Surroundings | None = None) -> None:
        """Make one; it needs nothing."""

    def seal(self, public_key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal to a public key."""
        try:
            key: Any = load_pem_public_key(public_key)
        except ValueError:
            key = None
        if not isinstance(key, X25519PublicKey):
            raise BadSetting(f"This is no X25519 public key in PEM. {_MAKE_KEYS}")
        sealed: bytes = _suite().encrypt(plain, key, context)
        return sealed

    def open(self, private_key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open with the private key."""
        try:
            key: Any = load_pem_private_key(private_key, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, X25519PrivateKey):
            raise BadSetting(f"This is no X25519 private key in PEM without a password. {_MAKE_KEYS}")
        suite = _suite()
        try:
            plain: bytes = suite.decrypt(sealed, key, context)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("It was sealed to another key, or is damaged.") from error
        return plain


def _suite() -> Any:
    try:
        from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite  # noqa: PLC0415 - hosts bring older ones
    except ImportError as error:
        raise BadSetting(
            "Sealed exports need cryptography 47 or newer, and this environment has an older one. Update it "
            "(pip install 'cryptography>=47'), or export without secrets and enter them on the other host."
        ) from error
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
