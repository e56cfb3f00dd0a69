"""Two steps around a request: what may succeed later is tried again, and each try is told to observers and the log."""

import logging
import random
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from urllib.parse import urlsplit

from connector_host.model.invocation_errors import (
    ConnectionLost,
    DeadlinePassed,
    InvocationError,
    RateLimited,
    TimedOut,
    Unreachable,
)
from connector_host.model.times import http_date
from connector_host.ports.parts import Clock, Observe, Reply, Request, Send

log = logging.getLogger("connector_host.requests")
WORTH_TELLING = 1.0  # seconds
LONGEST_PAUSE = 3600.0  # seconds
ATTEMPT: ContextVar[int] = ContextVar("which try of a request it is", default=1)
TOO_MANY = 429


def server_hint(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the server asks to wait: Retry-After (RFC 9110, 10.2.3: seconds or a date), else ratelimit-reset.

    An hour at most: a server that asks for more would keep its key's connections shut for good.
    """
    for name in ("retry-after", "ratelimit-reset"):
        text = headers.get(name, "").strip()
        if text:
            seconds = _seconds(text, now)
            if seconds is not None:
                return min(max(0.0, seconds), LONGEST_PAUSE)
    return None


def _seconds(text: str, now: datetime) -> float | None:
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else None
    except (ValueError, OverflowError):
        return None
    date = http_date(text) if seconds is None else None
    return seconds if date is None else (date - now).total_seconds()


_PASSING = frozenset({408, TOO_MANY, 500, 502, 503, 504})


class Retry:
    """The step that sends again.

    A 429 and a request that never arrived are always tried again; a 408, a 5xx, a lost connection and a time-out only
    where a repeat does no harm, as is what the manifest's own rules say: a 503 may be a gateway's, of a request that
    was done behind it. No other 4xx ever is.
    """

    def __init__(self, clock: Clock, observe: Observe) -> None:
        self._clock = clock
        self._observe = observe

    async def __call__(self, request: Request, send: Send) -> Reply:
        """Send until an answer stands, the tries are used up or the deadline would pass."""
        for attempt in range(request.retry.times + 1):
            last = attempt == request.retry.times
            ATTEMPT.set(attempt + 1)
            reply, error = await _attempt(request, send)
            if last or not _worth_another_try(request, reply, error):
                break
            await self._wait(request, self._pause(request, reply, attempt), reply)
        if error is not None:
            raise error
        assert reply is not None  # noqa: S101 - one of the two is there
        return reply

    def _pause(self, request: Request, reply: Reply | None, attempt: int) -> float:
        hint = None if reply is None else server_hint(reply.headers, self._clock.now())
        if hint is not None:
            return hint + random.uniform(0, min(1.0, 0.1 + hint / 10))  # noqa: S311 - jitter, no secret
        if reply is not None and reply.status == TOO_MANY:
            return request.retry.rate_limited_seconds
        return request.retry.seconds * 2.0**attempt

    async def _wait(self, request: Request, pause: float, reply: Reply | None) -> None:
        left = request.deadline - self._clock.monotonic()
        if pause >= left:
            _give_up(pause, left, reply)
        self._observe(
            "request.retried",
            {"server": request.server, "seconds": pause, "status": reply.status if reply else None},
        )
        if pause >= WORTH_TELLING:
            what = f"answered {reply.status}" if reply else "cannot be reached"
            log.warning("The server '%s' %s; trying again in %.0f seconds.", request.server, what, pause)
        await self._clock.sleep(pause)


async def _attempt(request: Request, send: Send) -> tuple[Reply | None, InvocationError | None]:
    try:
        return await send(request), None
    except (Unreachable, ConnectionLost, TimedOut) as error:
        return None, error


def _worth_another_try(request: Request, reply: Reply | None, error: InvocationError | None) -> bool:
    if isinstance(error, DeadlinePassed):
        return False
    if error is not None:
        return isinstance(error, Unreachable) or request.idempotent
    if reply is None:
        return False
    wanted = None if request.again is None else request.again(reply)
    if wanted is not None:
        return wanted and request.idempotent
    if reply.status not in _PASSING:
        return False
    return request.idempotent or reply.status == TOO_MANY


def _give_up(pause: float, left: float, reply: Reply | None) -> None:
    if reply is not None and reply.status == TOO_MANY:
        raise RateLimited(
            f"The server's rate limit is reached; it asks to wait {pause:.0f} seconds, and the deadline is in "
            f"{max(left, 0):.0f}.",
            assistance="Run the command again later, or give it more time.",
            http_status=TOO_MANY,
        )
    if reply is not None:
        raise DeadlinePassed(
            f"The server keeps answering {reply.status}, and the deadline leaves no time for another try.",
            assistance="Run the command again later.",
            http_status=reply.status,
        )
    raise DeadlinePassed("The server cannot be reached, and the deadline leaves no time for another try.")


log = logging.getLogger("connector_host.requests")


class RequestLog:
    """The innermost step: sees each try by itself."""

    def __init__(self, clock: Clock, observe: Observe) -> None:
        self._clock = clock
        self._observe = observe

    async def __call__(self, request: Request, send: Send) -> Reply:
        """Send, and tell."""
        begun = self._clock.monotonic()
        try:
            reply = await send(request)
        except InvocationError as error:
            self._tell(request, begun, type(error).__name__)
            raise
        self._tell(request, begun, str(reply.status))
        return reply

    def _tell(self, request: Request, begun: float, outcome: str) -> None:
        milliseconds = (self._clock.monotonic() - begun) * 1000
        self._observe(
            "request.sent",
            {
                "server": request.server,
                "method": request.method,
                "attempt": ATTEMPT.get(),
                "outcome": outcome,
                "duration_ms": milliseconds,
            },
        )
        if log.isEnabledFor(logging.DEBUG):
            path = urlsplit(request.url).path
            log.debug("%s %s on %s: %s in %.0f ms", request.method, path, request.server, outcome, milliseconds)
