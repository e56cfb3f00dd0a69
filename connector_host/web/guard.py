"""What every request passes first: an id, the Host header, the size of its body; and what every answer carries."""

import logging
import re
import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector_host.web.problems import Problem, response_of

log = logging.getLogger("connector_host.web")
BODY, FILE = 1_000_000, 25_000_000
_WITH_FILES = ("/api/v1/files", "/run")
SLASH = "\ue000"  # stands for a slash within a part of a path: no name holds it, for it cannot be printed
_HOST = re.compile(r"(?:(?P<name>[\w.-]+)|\[(?P<six>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?", re.ASCII)
_TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, 3.2
_ID = re.compile(r"[\x21-\x7e]{1,128}")
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """The outermost middleware. `hosts` are the names that the server is reached by; empty for those of any address."""

    def __init__(self, app: ASGIApp, base: str, hosts: Collection[str]) -> None:
        self._app, self._base, self._hosts = app, base, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        trace = headers.get("traceparent", "")
        scope["traceparent"] = trace if _TRACE.fullmatch(trace) else ""
        scope["request_id"] = given if _ID.fullmatch(given) else uuid4().hex
        limit = FILE if scope["path"] in _WITH_FILES else BODY
        bounded = _Bounded(receive, limit)

        begun = time.monotonic()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"], begun)
                own = [*message["headers"], (b"x-request-id", scope["request_id"].encode())]
                given = {name for name, _ in own}
                message = {**message, "headers": [*own, *(pair for pair in _SAFE if pair[0] not in given)]}
            await send(message)

        try:
            self._refuse(headers, limit)
            scope["path"] = _plain_path(scope)
            await self._app(scope, bounded, sent)
        except Problem as problem:
            await response_of(problem, self._base, scope["request_id"])(scope, receive, sent)

    def _note(self, scope: Scope, status: int, begun: float) -> None:
        """Write a line of the log, without the query, which may hold what is nobody's business."""
        if log.isEnabledFor(logging.INFO):
            path = scope["path"].replace(SLASH, "/")
            words = f"{scope['method']} {path} {status} {1000 * (time.monotonic() - begun):.0f} ms"
            log.info("%s", words, extra={"request_id": scope["request_id"]})

    def _refuse(self, headers: Headers, limit: int) -> None:
        named = headers.getlist("host")
        found = _HOST.fullmatch(named[0]) if len(named) == 1 else None
        name = (found["name"] or found["six"]).lower() if found else ""
        if not name or (self._hosts and name not in self._hosts):
            raise Problem("misdirected")
        if headers.get("content-encoding", "identity") != "identity":
            raise Problem("media", "Send the body as it is, without a Content-Encoding.")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:12]) > limit:
            raise Problem("too-large")


def _plain_path(scope: Scope) -> str:
    """Return the path with each part decoded by itself, so that a name may hold a slash; raises Problem for tricks."""
    raw = bytes(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    try:
        parts = [unquote(part.decode("ascii"), errors="strict") for part in raw.split(b"/")]
    except UnicodeError:
        raise Problem("not-found") from None
    odd = ["\x00", SLASH, *(["\\"] if parts[1:2] == ["static"] else [])]  # which divides folders on some systems
    if {".", ".."} & set(parts) or any(one in part for part in parts for one in odd):
        raise Problem("not-found")
    return "/".join(part.replace("/", SLASH) for part in parts)


def part_of(parameters: Mapping[str, Any], name: str) -> str:
    """Return a part of the path as it was meant: a name may hold a slash."""
    return str(parameters[name]).replace(SLASH, "/")


class _Bounded:
    """Receives a body, and no more of it than is allowed."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit

    async def __call__(self) -> Any:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise Problem("too-large")
        return message
