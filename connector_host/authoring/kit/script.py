"""The other end of the wire in the conformance kit, and what a run lets out beside its result."""

import logging
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import anyio
import anyio.lowlevel
import pluggy
from msgspec import Struct, field

from connector_host.app import LOGGERS
from connector_host.authoring.kit.exchanges import Answer, ReceivedRequest, received
from connector_host.configuration import SystemClock
from connector_host.model.invocation_errors import DeadlinePassed
from connector_host.ports.hookspecs import PROJECT
from connector_host.ports.parts import Permit, Reply, Request, Surroundings, Tls, Wire

_LISTENERS: list[list[str]] = []


@contextmanager
def logs_heard() -> Iterator[list[str]]:
    """Hear all that the host logs, in place of whoever hears it otherwise, but for who wants to see faults alone."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        faults = [one for one in logger.handlers if one.level >= logging.ERROR]
        logger.handlers, logger.propagate = [handler, *faults], False
    try:
        yield heard
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate


@contextmanager
def connects_heard() -> Iterator[list[str]]:
    """List the addresses that this process connects to: with the kit's transport the host itself connects nowhere."""
    _hook()
    heard: list[str] = []
    _LISTENERS.append(heard)
    try:
        yield heard
    finally:
        _LISTENERS.remove(heard)


@cache
def _hook() -> None:
    """Listen, once and for good: an audit hook cannot be taken out again."""
    sys.addaudithook(_hear)


def _hear(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        for heard in _LISTENERS:
            heard.append(str(args[1]))


Answering = Callable[[ReceivedRequest], Awaitable[Answer]]
SECONDS_EACH = 0.1  # by the kit's clock: what never ends meets its deadline


class QuickClock(SystemClock):
    """A clock whose sleeps take no time."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> datetime:
        """Return the time, what was slept included."""
        return super().now() + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        """Seconds, those slept included."""
        return super().monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds
        await anyio.lowlevel.checkpoint()


class Script(Struct, weakref=True):
    """What is answered; `bases` are the declared servers' URLs, `requests` what came, `strays` what went elsewhere."""

    bases: Mapping[str, str]
    clock: QuickClock
    answering: Answering | None = None
    requests: list[Request] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    async def send(self, request: Request) -> Reply:
        """Answer one request."""
        self.requests.append(request)
        await self.clock.sleep(SECONDS_EACH)
        if request.deadline <= self.clock.monotonic():
            raise DeadlinePassed  # as the wire does
        base = self.bases.get(request.server, "")
        if not base or not request.url.startswith(base):
            self.strays.append(f"{request.method} {_without_query(request.url)}")
        assert self.answering is not None  # noqa: S101 - the bench tells before it runs
        target = request.url[len(base) :]
        came = received(request.method, target, request.headers, request.body or b"", request.server)
        status, headers, body = await self.answering(came)
        return Reply(status, {name.lower(): value for name, value in headers.items()}, body)


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


_SCRIPTS: WeakValueDictionary[Path, Script] = WeakValueDictionary()


def use_script(home: Path, script: Script) -> None:
    """Let the host on this data folder talk to the script."""
    _SCRIPTS[home] = script


class ScriptedTransport:
    """The transport `scripted`: no socket, the host's script at the other end."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._script = _SCRIPTS[surroundings.home]

    def open(self, _tls: Tls, _permit: Permit) -> Wire:
        """Return a session with the script."""
        return _ScriptedWire(self._script)


class _ScriptedWire:
    def __init__(self, script: Script) -> None:
        self._script = script

    async def send(self, request: Request) -> Reply:
        return await self._script.send(request)

    async def close(self) -> None:
        """Nothing is open."""


def plug() -> Any:
    """Return the plug that offers the transport `scripted`, also in place of those that a server may name."""

    def provide() -> Mapping[str, Mapping[str, str]]:
        part = f"{__name__}:{ScriptedTransport.__name__}"
        return {"transport": dict.fromkeys(("scripted", "lean", "httpx2"), part)}

    return SimpleNamespace(provide=pluggy.HookimplMarker(PROJECT)(provide))
