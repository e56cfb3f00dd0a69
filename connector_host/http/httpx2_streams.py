"""What the httpx2 transport is guarded with: streams that bound what comes, and the library's errors as the host's."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpcore2

from connector_host.http import faults
from connector_host.http.transport import Addresses, Bounds, Resolve
from connector_host.model.invocation_errors import InvocationError
from connector_host.model.proxy import Proxy

_READ_BYTES = 64 * 1024  # of httpcore2's reads, and of our writes
_FAILED = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, httpcore2.ProxyError)


async def resolved_by_any_loop(host: str, port: int) -> Addresses:
    """Return a host's addresses by the system's resolver, on asyncio and on trio."""
    return await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class GuardedStream(httpcore2.AsyncNetworkStream):
    """A network stream that takes no more than `left` bytes; with a new request that is what a head may have."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, bounds: Bounds) -> None:
        self._stream = stream
        self._bounds = bounds
        self.left = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the library's signature
        """Read, within the bound."""
        data = await self._stream.read(max_bytes, timeout)
        self.left -= len(data)
        if self.left < 0:
            raise faults.too_large("is, with what is no body, over", self._bounds.overhead_bytes, None)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the same
        """Write; an answer's head may follow, and what comes of its body in the same segment."""
        self.left = self._bounds.overhead_bytes + _READ_BYTES
        for begin in range(0, len(buffer), _READ_BYTES):  # so that what moves is not silent, however long it takes
            await self._stream.write(buffer[begin : begin + _READ_BYTES], timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the same
    ) -> httpcore2.AsyncNetworkStream:
        """Begin TLS."""
        return GuardedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._bounds)

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the socket."""
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens guarded streams, on asyncio and on trio, to the addresses that `resolve` gives."""

    def __init__(self, bounds: Bounds, resolve: Resolve) -> None:
        self._backend = httpcore2.AnyIOBackend()
        self._bounds = bounds
        self._resolve = resolve

    async def connect_tcp(self, host: str, port: int, *given: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        """Connect."""
        addresses = [str(one[4][0]) for one in await self._looked_up(host, port)]
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore2.ConnectError):
                return GuardedStream(await self._backend.connect_tcp(address, port, *given, **options), self._bounds)
        return GuardedStream(await self._backend.connect_tcp(addresses[-1], port, *given, **options), self._bounds)

    async def _looked_up(self, host: str, port: int) -> Addresses:
        try:
            found = await self._resolve(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        if not found:
            raise httpcore2.ConnectError(f"{host} has no address.")
        return found

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)


@contextmanager
def told_as_ours(host: str, proxy: Proxy | None = None) -> Iterator[None]:
    """Re-raise the library's errors as the host's."""
    try:
        yield
    except httpcore2.ProxyError as error:
        status = str(error).partition(" ")[0]
        if proxy is None or not status.isdigit():
            raise faults.not_connected(error, host) from error
        raise faults.refused_by_proxy(proxy.name, int(status), host) from error
    except _FAILED as error:
        to_proxy = proxy is not None and isinstance(error, httpcore2.ConnectError) and not _is_tls(error)
        raise _translated(error, f"the proxy {proxy.name}" if proxy is not None and to_proxy else host) from error
    except (ValueError, TypeError) as error:
        raise faults.not_http(type(error).__name__) from error


def _is_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _translated(error: Exception, host: str) -> InvocationError:
    if isinstance(error, httpcore2.ConnectTimeout):
        return faults.not_accepted(host)
    if isinstance(error, httpcore2.TimeoutException):
        return faults.silent(host)
    if isinstance(error, httpcore2.ConnectError):
        return faults.not_connected(error, host)
    if isinstance(error, httpcore2.LocalProtocolError):
        return faults.not_http(str(error))
    if isinstance(error, httpcore2.RemoteProtocolError):
        return _broken_or_no_http(str(error), host)
    return faults.broken(host, error)


def _broken_or_no_http(words: str, host: str) -> InvocationError:
    """Tell by the library's words whether the connection ended, or what came on it was no HTTP."""
    if "disconnected without" in words:
        return faults.closed(host)
    return faults.broken(host, "It ended early.") if "peer closed" in words else faults.no_http(host, words)
