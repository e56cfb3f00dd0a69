"""The second transport, on httpx2's core: for HTTP/2, trio, SOCKS, and products that speak HTTP of the old kind.

It is guarded: a connection that holds bytes nobody asked for is not used again, an answer has one framing and its
bounds, and one deadline runs over all of it. Bytes of endless interim answers are bounded with those of heads.
"""

import logging
from collections.abc import AsyncIterable, Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpcore2
from msgspec.structs import replace

from connector_host.http import faults
from connector_host.http.httpx2_streams import GuardedBackend, resolved_by_any_loop, told_as_ours
from connector_host.http.proxies import proxy_for
from connector_host.http.tls import TlsContexts
from connector_host.http.transport import (
    BOUNDS,
    Bounds,
    Resolve,
    Unpacking,
    anywhere,
    content_length,
    following,
    permitted,
)
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.proxy import Proxy
from connector_host.ports.parts import Permit, Reply, Request, Surroundings, Tls, Wire

_HTTP2 = find_spec("h2") is not None

for _name in ("httpx2", "httpcore2"):  # they log every URL
    logging.getLogger(_name).setLevel(logging.WARNING)


class Httpx2Transport:
    """Opens wires that share their TLS contexts."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._monotonic = surroundings.clock.monotonic
        self._contexts = TlsContexts()

    def open(self, tls: Tls, permit: Permit) -> Wire:
        """Return a wire; it connects when it is first asked to send."""
        return Httpx2Wire(self._contexts, tls, self._monotonic, permit=permit)


class Httpx2Wire:
    """The connections of one connection's servers, one answer at a time on each; idle ones are kept by their origin."""

    def __init__(
        self,
        contexts: TlsContexts,
        tls: Tls,
        monotonic: Callable[[], float],
        bounds: Bounds = BOUNDS,
        resolve: Resolve = resolved_by_any_loop,
        permit: Permit = anywhere,
    ) -> None:
        self._contexts = contexts
        self._tls = tls
        self._monotonic = monotonic
        self._bounds = bounds
        self._direct = GuardedBackend(bounds, permitted(resolve, permit))
        self._through_proxy = GuardedBackend(bounds, resolve)
        self._idle: dict[tuple[str, str, Proxy | None], list[tuple[Any, Proxy | None]]] = {}
        self._kept = self._closings = 0
        self._room = anyio.CapacityLimiter(bounds.connections)

    async def send(self, request: Request) -> Reply:
        """Send once, following redirects only within the same origin and only for GET."""
        return await following(request, self._exchange)

    async def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection, _ in connections:
                await connection.aclose()
        self._idle.clear()
        self._kept = 0
        self._closings += 1

    async def _exchange(self, request: Request, url: str) -> Reply:
        host = urlsplit(url).netloc
        outgoing, sent = self._outgoing(request, url), _Sent()
        left = request.deadline - self._monotonic()
        outgoing.extensions = {"timeout": self._timeouts(left), "trace": sent.look}
        reply: Reply | None = None
        with anyio.move_on_after(left) as scope:
            async with self._room:
                reply = await self._answered(outgoing, host, request.proxy)
        if reply is None or scope.cancelled_caught:
            raise faults.deadline_over(host) if sent.maybe else faults.not_accepted(host)
        return reply

    async def _answered(self, outgoing: httpcore2.Request, host: str, chosen: Proxy | None) -> Reply:
        """Ask over an idle connection, or a new one; it is kept only where its past is clear."""
        key = (outgoing.url.scheme.decode(), host, chosen)
        connection, proxy = await self._take(key) or await self._connection(outgoing.url, chosen)
        reusable, closings = False, self._closings
        try:
            with told_as_ours(host, proxy):
                reply = await self._read(await connection.handle_async_request(outgoing), host)
            room = closings == self._closings and self._kept < self._bounds.idle
            reusable = room and connection.is_idle() and not _held_back(connection)
        finally:
            if reusable:
                self._idle.setdefault(key, []).append((connection, proxy))
                self._kept += 1
            else:
                with anyio.CancelScope(shield=True):
                    await connection.aclose()
        return reply if proxy is None else replace(reply, proxy=proxy.name)

    async def _take(self, key: tuple[str, str, Proxy | None]) -> "tuple[Any, Proxy | None] | None":
        connections = self._idle.get(key, [])
        while connections:
            connection, proxy = connections.pop()
            self._kept -= 1
            if not connection.is_closed() and not connection.has_expired():
                return connection, proxy
            await connection.aclose()
        return None

    async def _connection(self, url: httpcore2.URL, chosen: Proxy | None) -> "tuple[Any, Proxy | None]":
        """Return a new connection, an idle one closed where one more would be more than may be open."""
        if self._kept and self._room.borrowed_tokens + self._kept > self._bounds.connections:
            self._kept -= 1
            await next(filter(None, self._idle.values())).pop(0)[0].aclose()
        secure = url.scheme == b"https"
        proxy = proxy_for(url.host.decode(), url.port or 443, chosen) if secure else None
        pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._contexts.get(self._tls) if secure else self._contexts.none(),
            proxy=None if proxy is None else _as_the_librarys(proxy),
            keepalive_expiry=self._bounds.idle_seconds,
            http2=_HTTP2,
            network_backend=self._direct if proxy is None else self._through_proxy,
        )
        return pool.create_connection(url.origin), proxy

    def _timeouts(self, left: float) -> dict[str, float]:
        bounds = self._bounds
        return {"connect": min(bounds.connect_seconds, left), "read": bounds.read_seconds, "write": bounds.read_seconds}

    def _outgoing(self, request: Request, url: str) -> httpcore2.Request:
        length = content_length(request)
        try:
            framed = {} if length is None else {"Content-Length": str(length)}
            headers = {"Host": urlsplit(url).netloc, **request.headers, **framed}
            return httpcore2.Request(request.method, url, headers=list(headers.items()), content=request.body or b"")
        except (ValueError, TypeError) as error:
            raise faults.not_http(type(error).__name__) from error

    async def _read(self, response: httpcore2.Response, host: str) -> Reply:
        """Return the whole answer, within its bounds."""
        status, bounds = response.status, self._bounds
        headers: dict[str, str] = {}
        try:
            for raw, value in response.headers:
                name, text = raw.decode("ascii").lower(), value.decode("latin-1")
                headers[name] = f"{headers[name]}, {text}" if name in headers else text
            if "content-length" in headers and "transfer-encoding" in headers:
                raise faults.no_http(host, "It is framed in two ways.")
            if len(response.headers) > bounds.headers:
                raise faults.too_large("has headers, over", bounds.headers, status)
            declared = headers.get("content-length", "")
            if declared.isdigit() and int(declared) > bounds.wire_bytes:
                raise faults.too_large("announces", int(declared), status)
            response.extensions["network_stream"].left = bounds.wire_bytes + bounds.overhead_bytes
            body = await self._body(response, headers.get("content-encoding", ""))
        finally:
            await response.aclose()
        return Reply(status, headers, body)

    async def _body(self, response: httpcore2.Response, coding: str) -> bytes:
        unpacking = Unpacking(coding, response.status, self._bounds.body_bytes)
        stream = response.stream
        assert isinstance(stream, AsyncIterable)  # noqa: S101 - an async connection gives an async stream
        parts: list[bytes] = []
        taken = 0
        async for chunk in stream:
            taken += len(chunk)
            if taken > self._bounds.wire_bytes:
                raise faults.too_large("is over", self._bounds.wire_bytes, response.status)
            parts.append(unpacking.feed(chunk))
        unpacking.end()
        return b"".join(parts)


class _Sent:
    """Whether the request itself, not a proxy's, began to go out."""

    def __init__(self) -> None:
        self.maybe = False

    async def look(self, event: str, facts: Any) -> None:
        """See an event of the library's."""
        if event.endswith("send_request_headers.started"):
            self.maybe = self.maybe or facts["request"].method != b"CONNECT"


def _held_back(connection: Any) -> bool:
    """Whether bytes wait behind the answer; the library keeps them for the next, and tells nobody in public."""
    state = getattr(connection._connection, "_h11_state", None)  # noqa: SLF001 - a test notices when it is renamed
    return state is not None and bool(state.trailing_data[0])


def _as_the_librarys(proxy: Proxy) -> httpcore2.Proxy:
    if proxy.scheme.startswith("socks") and find_spec("socksio") is None:
        raise RequestRefused(
            "A SOCKS proxy needs one more package.", assistance="Install connector-host with its extra `socks`."
        )
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return httpcore2.Proxy(
        f"{proxy.scheme}://{host}:{proxy.port}", auth=(proxy.user, proxy.password) if proxy.user else None
    )
