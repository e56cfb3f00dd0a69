"""TLS contexts: verification always on, one context for all connections that trust the same roots."""

import errno
import os
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector_host.model.invocation_errors import InvocationError
from connector_host.ports.parts import Tls

_PEM = "-----BEGIN"


class TlsContexts:
    """Makes each context once; one that shows a client certificate is its connection's own."""

    def __init__(self) -> None:
        self._by_bundle: dict[str | None, ssl.SSLContext] = {}
        self._none: ssl.SSLContext | None = None

    def get(self, tls: Tls) -> ssl.SSLContext:
        """Return a verifying context: the system's roots, or the CA bundle's; raises an InvocationError."""
        if tls.client_certificate or tls.client_key:
            return _with_client(_from_bundle(tls.ca_bundle) if tls.ca_bundle else _system(), tls)
        if tls.ca_bundle not in self._by_bundle:
            self._by_bundle[tls.ca_bundle] = _system() if tls.ca_bundle is None else _from_bundle(tls.ca_bundle)
        return self._by_bundle[tls.ca_bundle]

    def none(self) -> ssl.SSLContext:
        """Return a context that trusts nobody, for pools that never speak TLS."""
        if self._none is None:
            self._none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._none


def _system() -> ssl.SSLContext:
    """Trust the system's roots; a hashed folder is read as needed, a hundred times cheaper than the bundle.

    On Windows and macOS, which keep theirs in no file, truststore asks the system.
    """
    if sys.platform in {"win32", "darwin"} and "SSL_CERT_FILE" not in os.environ:
        import truststore  # noqa: PLC0415 - there alone

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    folder = ssl.get_default_verify_paths().capath
    if "SSL_CERT_FILE" in os.environ or not folder or not any(Path(folder).glob("*.0")):
        import httpx2  # noqa: PLC0415 - most systems have the folder

        return httpx2.create_ssl_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=folder)
    return context


def _from_bundle(bundle: str) -> ssl.SSLContext:
    """Trust what a PEM text, or the PEM file of a path, holds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    is_text = bundle.lstrip().startswith(_PEM)
    try:
        if not is_text and not Path(bundle).is_file():
            raise OSError(errno.EINVAL, "it is no regular file")  # noqa: TRY301 - told as what the system says is
        context.load_verify_locations(cadata=bundle) if is_text else context.load_verify_locations(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise InvocationError(
            f"The CA bundle{'' if is_text else ' ' + repr(bundle)} cannot be read ({reason}).",
            assistance="Give the certificates to trust as PEM, or the path of a PEM file.",
        ) from error
    return context


def _with_client(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    """Show a client certificate."""
    if not tls.client_certificate or not tls.client_key:
        raise InvocationError(
            "The client certificate and its key belong together, and one of them is missing.",
            assistance="Give both, each as PEM text.",
        )
    try:
        with _in_memory(f"{tls.client_certificate.strip()}\n{tls.client_key.strip()}\n") as file:
            context.load_cert_chain(file, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError):
        raise InvocationError(
            "The client certificate cannot be used: it, or its key, is no PEM text, or they do not belong together.",
            assistance="Give both as PEM text; the key without a password.",
        ) from None
    return context


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Lend the path of a file that holds the text in memory; where there is none such, of one that only we can read."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        yield file.name
