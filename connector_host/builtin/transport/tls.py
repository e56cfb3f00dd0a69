"""TLS contexts: verification always on, one context for all connections that trust the same roots."""

import os
import ssl
from pathlib import Path

import httpx2

from connector_host.contract.errors import InvocationError


class TlsContexts:
    """Makes each context once."""

    def __init__(self) -> None:
        self._by_bundle: dict[str | None, ssl.SSLContext] = {}
        self._none: ssl.SSLContext | None = None

    def get(self, ca_bundle: str | None) -> ssl.SSLContext:
        """Return a verifying context: the system's roots, or those in a PEM file; raises an InvocationError."""
        if ca_bundle not in self._by_bundle:
            self._by_bundle[ca_bundle] = _system() if ca_bundle is None else _from_bundle(ca_bundle)
        return self._by_bundle[ca_bundle]

    def none(self) -> ssl.SSLContext:
        """Return a context that trusts nobody, for pools that never speak TLS."""
        if self._none is None:
            self._none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._none


def _system() -> ssl.SSLContext:
    """Trust the system's roots; a hashed folder is read as needed, a hundred times cheaper than the bundle."""
    folder = ssl.get_default_verify_paths().capath
    if "SSL_CERT_FILE" in os.environ or not folder or not any(Path(folder).glob("*.0")):
        return httpx2.create_ssl_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=folder)
    return context


def _from_bundle(path: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise InvocationError(
            f"The CA bundle '{path}' can not be read ({reason}).",
            assistance="Give the path of a PEM file with the certificates to trust.",
        ) from error
    return context
