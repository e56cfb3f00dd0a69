"""What every transport keeps to: bounds, redirects within the origin, and unpacking."""

import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from msgspec import Struct

from connector_host.http import faults
from connector_host.model.invocation_errors import RequestRefused
from connector_host.ports.parts import Permit, Reply, Request

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"})
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Bounds(Struct, frozen=True):
    """What a wire takes at most.

    `wire_bytes` and `body_bytes` count a body as it comes and unpacked, `overhead_bytes` what is no body: heads,
    interim answers, chunk sizes and trailers. `read_seconds` is how long nothing may move.
    """

    wire_bytes: int = 64 << 20
    body_bytes: int = 128 << 20
    overhead_bytes: int = 128 << 10
    headers: int = 256
    connections: int = 100
    idle: int = 64
    idle_seconds: float = 60.0
    connect_seconds: float = 10.0
    read_seconds: float = 30.0


BOUNDS = Bounds()
Addresses = Sequence[Any]  # as socket.getaddrinfo gives them
Resolve = Callable[[str, int], Awaitable[Addresses]]


def permitted(resolve: Resolve, permit: Permit) -> Resolve:
    """Resolve names to those of their addresses alone that may be connected to; raises RequestRefused for none."""

    async def look_up(host: str, port: int) -> Addresses:
        found, refused = [], None
        for address in await resolve(host, port):
            try:
                permit(host, str(address[4][0]))
            except RequestRefused as error:
                refused = error
            else:
                found.append(address)
        if not found and refused is not None:
            raise refused
        return found

    return look_up


def anywhere(_host: str, _address: str) -> None:
    """Permit every address."""


Exchange = Callable[[Request, str], Awaitable[Reply]]


async def following(request: Request, exchange: Exchange) -> Reply:
    """Send once, and follow redirects within the same origin, for GET and HEAD alone: no credential goes elsewhere."""
    url = request.url
    for _ in range(MAX_REDIRECTS + 1):
        reply = await exchange(request, url)
        if reply.status not in _REDIRECTS:
            return reply
        url = _next(request, url, reply)
    raise faults.redirected_too_often(MAX_REDIRECTS, reply.status)


def _next(request: Request, url: str, reply: Reply) -> str:
    place = reply.headers.get("location", "").encode("latin-1", "replace")
    try:
        target = urldefrag(urljoin(url, quote(place, safe="%/:=&?~#+!$,;'@()*[]"))).url
        elsewhere = urlsplit(target)[:2] != urlsplit(url)[:2]
        host = urlsplit(target).hostname
    except ValueError:
        raise faults.other_origin(None, reply.status) from None
    if elsewhere:
        raise faults.other_origin(host, reply.status)
    if request.method not in {"GET", "HEAD"}:
        raise faults.redirected(request.method, urlsplit(target).path, reply.status)
    return target


def content_length(request: Request) -> int | None:
    """Return the length that a request's head gives, None where it gives none (RFC 9110, 8.6).

    Raises RequestRefused for a header that says how the message is framed: that is the transport's own.
    """
    for name in request.headers:
        if name.lower() in _FRAMING:
            raise faults.not_http(f"The header {name.title()} is the transport's own.")
    return len(request.body or b"") if request.body or request.method in {"POST", "PUT", "PATCH"} else None


class Unpacking:
    """Unpacks a body as it comes; raises UnexpectedReply, and ReplyTooLarge before more than the bound is unpacked."""

    def __init__(self, coding: str, status: int, bound: int) -> None:
        coding = coding.strip(" \t").lower()
        if coding not in {"", "identity", "gzip", "deflate"}:
            raise faults.packed(coding, status)
        self._unpack: Any = zlib.decompressobj(wbits=47) if coding in {"gzip", "deflate"} else None
        self._status = status
        self._bound = bound
        self.size = 0

    def feed(self, chunk: bytes) -> bytes:
        """Return what a part of the body unpacks to."""
        if self._unpack is not None:
            try:
                chunk = self._unpack.decompress(chunk, self._bound + 1 - self.size)
            except zlib.error as error:
                raise faults.damaged(str(error), self._status) from None
        self.size += len(chunk)
        if self.size > self._bound:
            raise faults.too_large("unpacks to over", self._bound, self._status)
        return chunk

    def end(self) -> None:
        """Refuse a body that ended too early."""
        if self._unpack is not None and self.size and not self._unpack.eof:
            raise faults.damaged("it ends too early", self._status)
