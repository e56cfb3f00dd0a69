"""The default transport: HTTP/1.1 on asyncio, with a pool, clocks and bounds of its own.

llhttp parses and Python's ssl encrypts. It speaks neither HTTP/2 nor SOCKS nor trio; the httpx2 transport does.
"""

import asyncio
import re
import select
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from connector_host.http import faults
from connector_host.http.lean_connecting import Origin, Way, connected, resolved
from connector_host.http.lean_connection import LeanConnection
from connector_host.http.tls import TlsContexts
from connector_host.http.transport import BOUNDS, Bounds, Resolve, anywhere, content_length, following
from connector_host.model.proxy import Proxy
from connector_host.ports.parts import Permit, Reply, Request, Surroundings, Tls, Wire

_METHOD = re.compile(r"[A-Z]+")
_TARGET = re.compile(r"[!-\"$-~]*")  # printable, and no fragment
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[ -~\t\x80-\xff]*")


Place = tuple[Origin, Proxy | None]


class LeanTransport:
    """Opens wires that share their TLS contexts."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._monotonic = surroundings.clock.monotonic
        self._contexts = TlsContexts()

    def open(self, tls: Tls, permit: Permit) -> Wire:
        """Return a wire; it connects when it is first asked to send."""
        return LeanWire(self._contexts, tls, self._monotonic, permit=permit)


class LeanWire:
    """The connections of one connection's servers: idle ones are kept, and no more are open than the bounds allow."""

    def __init__(
        self,
        contexts: TlsContexts,
        tls: Tls,
        monotonic: Callable[[], float],
        bounds: Bounds = BOUNDS,
        resolve: Resolve = resolved,
        permit: Permit = anywhere,
    ) -> None:
        self._contexts = contexts
        self._tls = tls
        self._monotonic = monotonic
        self._bounds = bounds
        self._resolve = resolve
        self._permit = permit
        self._idle: dict[Place, deque[LeanConnection]] = {}
        self._kept = self._busy = self._closings = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots: asyncio.Semaphore  # of the loop, made with the first request

    async def send(self, request: Request) -> Reply:
        """Send once, following redirects only within the same origin and only for GET."""
        return await following(request, self._exchange)

    async def close(self) -> None:
        """Close what is idle; what is in use closes itself when its answer is there."""
        for connections in self._idle.values():
            for connection in connections:
                if connection.loop is self._loop:
                    connection.abort()
        self._idle.clear()
        self._kept = 0
        self._closings += 1

    async def _exchange(self, request: Request, url: str) -> Reply:
        scheme, _, rest = url.partition("://")
        netloc, _, target = rest.partition("/")
        origin = _origin(scheme, netloc)
        message = _written(request, netloc, target)
        loop = self._running()
        until = loop.time() + request.deadline - self._monotonic()
        await self._room(origin, until)
        self._busy += 1
        try:
            place = origin, request.proxy
            connection = self._take(place)
            if connection is None:
                self._make_room()
                way = Way(self._contexts.get(self._tls) if scheme == "https" else None, until, request.proxy)
                connection = await connected(origin, way, self._bounds, self._resolve, self._permit)
            return await self._answered(place, connection, message, until, head_only=request.method == "HEAD")
        finally:
            self._busy -= 1
            self._slots.release()

    async def _answered(
        self, place: Place, connection: LeanConnection, message: bytes, until: float, *, head_only: bool
    ) -> Reply:
        closings = self._closings
        try:
            await connection.ask(message, until, head_only=head_only)
        except BaseException:
            connection.abort()
            raise
        finally:
            connection.let_go()
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in connection.headers.items()}
        reply = Reply(connection.status, headers, connection.body(), connection.proxy)
        if connection.reusable and closings == self._closings and self._kept < self._bounds.idle:
            connection.idle_since = connection.loop.time()
            self._idle.setdefault(place, deque()).append(connection)
            self._kept += 1
        else:
            connection.abort()
        return reply

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the loop; connections of a loop that is no more are let go."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise faults.other_transport("event loop but asyncio's") from None
        if loop is not self._loop:
            self._idle.clear()
            self._kept, self._loop = 0, loop
            self._slots = asyncio.Semaphore(self._bounds.connections)
        return loop

    async def _room(self, origin: Origin, until: float) -> None:
        """Wait until one more connection may be open."""
        try:
            if self._slots.locked():
                async with asyncio.timeout_at(until):
                    await self._slots.acquire()
            else:
                await self._slots.acquire()
        except TimeoutError:
            raise faults.no_room(origin.name, self._bounds.connections) from None

    def _make_room(self) -> None:
        """Close an idle connection where one more would be more than may be open."""
        if self._kept and self._busy + self._kept > self._bounds.connections:
            connections = next(filter(None, self._idle.values()))
            connections.popleft().abort()
            self._kept -= 1

    def _take(self, place: Place) -> LeanConnection | None:
        """Return an idle connection whose past is clear: the one that was used last."""
        connections = self._idle.get(place, ())
        while connections:
            connection = connections.pop()
            self._kept -= 1
            fresh = connection.loop.time() - connection.idle_since < self._bounds.idle_seconds
            if fresh and connection.reusable and not _readable(connection.transport):
                return connection
            connection.abort()
        return None


@lru_cache(1024)
def _origin(scheme: str, netloc: str) -> Origin:
    """Return where a URL leads to; raises RequestRefused for what is no such place."""
    try:
        parts = urlsplit(f"{scheme}://{netloc}")
        port = parts.port
    except ValueError:
        raise faults.not_http("The URL is none.") from None
    plain = _TARGET.fullmatch(netloc) and not set("/?@\\") & set(netloc)
    if scheme not in {"http", "https"} or not plain or not parts.hostname:
        raise faults.not_http("The URL is none, or holds a login.")
    return Origin(scheme, parts.hostname, port or (443 if scheme == "https" else 80), netloc)


def _written(request: Request, netloc: str, target: str) -> bytes:
    """Return the request as it goes out; raises RequestRefused for what would change its meaning."""
    if not _METHOD.fullmatch(request.method) or not _TARGET.fullmatch(target):
        raise faults.not_http("Its method or its path holds characters that cannot stand there.")
    length = content_length(request)
    lines = [f"{request.method} /{target} HTTP/1.1", *_lines(request.headers)]
    if not any(name.lower() == "host" for name in request.headers):
        lines.insert(1, f"Host: {netloc}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (request.body or b"")


def _lines(headers: Mapping[str, str]) -> list[str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise faults.not_http("A header holds characters that cannot stand there.")
    return [f"{name}: {value}" for name, value in headers.items()]


def _readable(transport: Any) -> bool:
    """Whether something came, or the other side closed, that the event loop did not see yet."""
    descriptor = transport.get_extra_info("socket").fileno()
    if not hasattr(select, "poll"):  # Windows
        return descriptor < 0 or bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(0))
