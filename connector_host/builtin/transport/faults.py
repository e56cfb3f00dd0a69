"""Makes one of the host's errors of each way in which the HTTP library can fail."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2

from connector_host.contract.errors import (
    ConnectionLost,
    DeadlinePassed,
    InvocationError,
    RequestRefused,
    TimedOut,
    UnexpectedReply,
    Unreachable,
)


@contextmanager
def told_as_ours(url: str, *, timed_out_by_deadline: bool) -> Iterator[None]:
    """Re-raise the library's errors as the host's; none of them quotes a URL's path or query."""
    try:
        yield
    except httpx2.HTTPError as error:
        raise _translated(error, urlsplit(url).netloc, timed_out_by_deadline) from error
    except (httpx2.InvalidURL, ValueError, TypeError) as error:
        raise RequestRefused("The HTTP library refused the request.", detail=type(error).__name__) from error


def _translated(error: httpx2.HTTPError, host: str, by_deadline: bool) -> InvocationError:  # noqa: FBT001, PLR0911 - one caller; a table in code
    if isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return Unreachable(f"{host} did not accept a connection in time.", assistance=_NETWORK)
    if isinstance(error, httpx2.TimeoutException):
        if by_deadline:
            return DeadlinePassed(
                f"{host} did not answer before the deadline.", assistance="Try later, or allow more time."
            )
        return TimedOut(f"{host} did not answer in time.", assistance="Try later; the service may be overloaded.")
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
        return _not_connected(error, host)
    if isinstance(error, httpx2.LocalProtocolError):
        return RequestRefused("The request can not be written as HTTP.", detail=str(error))
    if isinstance(error, httpx2.RemoteProtocolError):
        if "disconnected without" in str(error):
            return ConnectionLost(f"{host} closed the connection without an answer.", assistance=_NETWORK)
        return UnexpectedReply(
            f"{host} does not answer in HTTP.",
            detail=str(error)[:200],
            assistance="Check the server URL and port.",
        )
    return ConnectionLost(f"The connection to {host} broke.", detail=str(error)[:200], assistance=_NETWORK)


_NETWORK = "Check the server URL, the network and any firewall or proxy."


def _not_connected(error: BaseException, host: str) -> InvocationError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "the handshake failed"
            return Unreachable(
                f"No trusted TLS connection to {host}: {reason}.",
                assistance="Check the server URL; a private authority needs the connection's CA Bundle.",
            )
        if isinstance(cause, socket.gaierror):
            return Unreachable(f"The name {host} can not be resolved.", assistance="Check the server URL and the DNS.")
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(f"{host} refuses connections.", assistance=_NETWORK)
    return Unreachable(f"{host} can not be reached.", detail=str(error)[:200], assistance=_NETWORK)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
