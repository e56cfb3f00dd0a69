"""The wire: httpx2's pooled transports, one pool per connection, one TLS context for all that trust the same roots."""

import logging
import urllib.request
import zlib
from collections.abc import AsyncIterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from connector_host.builtin.transport.faults import told_as_ours
from connector_host.builtin.transport.tls import TlsContexts
from connector_host.contract.errors import ReplyTooLarge, UnexpectedReply
from connector_host.contract.ports import Reply, Request, Session, Surroundings, Tls

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

    def open(self, tls: Tls) -> Session:
        """Return a session; its pools are made when they are first needed."""
        return HttpSession(self._contexts, tls, self._clock.monotonic)


class HttpSession:
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
