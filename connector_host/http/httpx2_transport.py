"""Makes one of the host's errors of each way in which the HTTP library can fail."""

import logging
import socket
import ssl
import urllib.request
import zlib
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from connector_host.http.tls import TlsContexts
from connector_host.model.errors import (
    ConnectionLost,
    DeadlinePassed,
    InvocationError,
    ReplyTooLarge,
    RequestRefused,
    TimedOut,
    UnexpectedReply,
    Unreachable,
)
from connector_host.ports.parts import Reply, Request, Surroundings, Tls, Wire


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
        return RequestRefused("The request cannot be written as HTTP.", detail=str(error))
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
            return Unreachable(f"The name {host} cannot be resolved.", assistance="Check the server URL and the DNS.")
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(f"{host} refuses connections.", assistance=_NETWORK)
    return Unreachable(f"{host} cannot be reached.", detail=str(error)[:200], assistance=_NETWORK)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


MAX_WIRE_BYTES = 64 * 1024 * 1024
MAX_BODY_BYTES = 128 * 1024 * 1024
MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
_POOL = httpx2.Limits(max_connections=100, max_keepalive_connections=64, keepalive_expiry=60)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

for _name in ("httpx2", "httpcore2"):  # they log every URL
    logging.getLogger(_name).setLevel(logging.WARNING)


class HttpTransport:
    """Opens sessions that share their TLS contexts."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._clock = surroundings.clock
        self._contexts = TlsContexts()

    def open(self, tls: Tls) -> Wire:
        """Return a session; its pools are made when they are first needed."""
        return HttpWire(self._contexts, tls, self._clock.monotonic)


class HttpWire:
    """The pools of one connection, one per scheme: plain HTTP (loopback only) never touches TLS or a proxy."""

    def __init__(self, contexts: TlsContexts, tls: Tls, monotonic: Any) -> None:
        self._contexts = contexts
        self._tls = tls
        self._monotonic = monotonic
        self._pools: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def send(self, request: Request) -> Reply:
        """Send once, following redirects only within the same origin and only for GET."""
        url = request.url
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._exchange(request, url)
            if reply.status not in _REDIRECTS:
                return reply
            url = _redirected(request, url, reply)
        raise UnexpectedReply(f"The server redirected more than {MAX_REDIRECTS} times.", http_status=reply.status)

    async def close(self) -> None:
        """Close the pools."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    async def _exchange(self, request: Request, url: str) -> Reply:
        left = request.deadline - self._monotonic()
        timeout = {
            "connect": min(CONNECT_SECONDS, left),
            "read": min(READ_SECONDS, left),
            "write": min(READ_SECONDS, left),
            "pool": left,
        }
        with told_as_ours(url, timed_out_by_deadline=left < READ_SECONDS):
            outgoing = httpx2.Request(
                request.method,
                url,
                headers=dict(request.headers),
                content=request.body,
                extensions={"timeout": timeout},
            )
            response = await self._pool(url).handle_async_request(outgoing)
            try:
                body = await _read(response)
            finally:
                await response.aclose()
        return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)

    def _pool(self, url: str) -> httpx2.AsyncHTTPTransport:
        key = url.partition(":")[0]
        pool = self._pools.get(key)
        if pool is None:
            if key == "https":
                context = self._contexts.get(self._tls)
                pool = httpx2.AsyncHTTPTransport(verify=context, limits=_POOL, proxy=_proxy(url), trust_env=False)
            else:
                pool = httpx2.AsyncHTTPTransport(verify=self._contexts.none(), limits=_POOL, trust_env=False)
            self._pools[key] = pool
        return pool


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for this host, if any (HTTPS_PROXY, NO_PROXY)."""
    host = urlsplit(url).hostname or ""
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get("https")


def _redirected(request: Request, url: str, reply: Reply) -> str:
    """Return the next URL of the same origin; anything else is refused, so that no credential can go along."""
    target = urljoin(url, reply.headers.get("location", ""))
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise UnexpectedReply(
            f"The server redirects to another origin ({urlsplit(target).hostname or 'none'}), which the plugin does "
            f"not declare.",
            assistance="Check the connection's server URL.",
            http_status=reply.status,
        )
    if request.method not in {"GET", "HEAD"}:
        raise UnexpectedReply(
            f"The server redirects a {request.method} request to {urlsplit(target).path}.",
            assistance="Check the connection's server URL.",
            http_status=reply.status,
        )
    return target


async def _read(response: httpx2.Response) -> bytes:
    """Return the decoded body; raises ReplyTooLarge by what is declared, by what arrives and by what it unpacks to."""
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_WIRE_BYTES:
        raise _too_large("announces", int(declared), response)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "deflate", ""}:
        raise UnexpectedReply(
            f"The answer is packed as '{encoding}', which was not asked for.",
            http_status=response.status_code,
        )
    unpack = None if encoding in {"identity", ""} else zlib.decompressobj(wbits=47)
    stream = response.stream
    assert isinstance(stream, AsyncIterable)  # noqa: S101 - an async transport gives an async stream
    parts: list[bytes] = []
    wire = size = 0
    async for chunk in stream:
        wire += len(chunk)
        part = chunk if unpack is None else _unpacked(unpack, chunk, MAX_BODY_BYTES - size, response)
        size += len(part)
        if wire > MAX_WIRE_BYTES or size > MAX_BODY_BYTES:
            raise _too_large("is over", MAX_WIRE_BYTES, response)
        parts.append(part)
    return b"".join(parts)


def _unpacked(unpack: Any, chunk: bytes, room: int, response: httpx2.Response) -> bytes:
    try:
        part: bytes = unpack.decompress(chunk, room + 1)
    except zlib.error as error:
        raise UnexpectedReply(
            "The answer's packing is damaged.", detail=str(error), http_status=response.status_code
        ) from None
    if len(part) > room:
        raise _too_large("unpacks to over", MAX_BODY_BYTES, response)
    return part


def _too_large(how: str, size: int, response: httpx2.Response) -> ReplyTooLarge:
    return ReplyTooLarge(
        f"The answer {how} {size} bytes, more than the host accepts.",
        assistance="Narrow the request.",
        http_status=response.status_code,
    )
