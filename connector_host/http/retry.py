"""Two steps around a request: what may succeed later is tried again, and each try is told to observers and the log."""

import logging
import random
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from urllib.parse import urlsplit

from msgspec.structs import replace

from connector_host.http.refusals import is_page
from connector_host.model.effects import EFFECTS, Effect
from connector_host.model.failure import Kind
from connector_host.model.invocation_errors import (
    ConnectionLost,
    DeadlinePassed,
    InvocationError,
    ProxyRefused,
    TimedOut,
    Unreachable,
)
from connector_host.model.times import http_date
from connector_host.ports.parts import Clock, Observe, Reply, Request, Send

log = logging.getLogger("connector_host.requests")
WORTH_TELLING = 1.0  # seconds
LEAST_PAUSE, LONGEST_PAUSE = 0.1, 3600.0  # seconds
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
        reply: Reply | None = None
        error: InvocationError | None = None
        for attempt in range(request.retry.times + 1):
            last = attempt == request.retry.times
            ATTEMPT.set(attempt + 1)
            before = reply, error
            reply, error = await _attempt(request, send)
            if reply is not None and before != (None, None) and _was_deleted(request, reply, *before):
                return replace(reply, status=_GONE_WELL, body=b"")
            if isinstance(error, DeadlinePassed) and before[0] is not None:
                return _told(*before, f"At try {attempt + 1} no answer came before the deadline.")
            if last or not _worth_another_try(request, reply, error):
                break
            pause, why = self._pause(request, reply, attempt)
            left = request.deadline - self._clock.monotonic()
            if pause >= left:
                late = f"{why}, and the deadline leaves no time for that: it is in {in_words(left)}."
                return _told(reply, error, late)
            await self._wait(request, pause, reply)
        return _told(reply, error, "")

    def _pause(self, request: Request, reply: Reply | None, attempt: int) -> tuple[float, str]:
        """Return how long to wait, and who decided so."""
        hint = None if reply is None else server_hint(reply.headers, self._clock.now())
        own = request.retry.seconds * 2.0**attempt
        if hint is not None and hint >= own:
            jitter = random.uniform(0, min(1.0, 0.1 + hint / 10))  # noqa: S311 - no secret
            return max(hint + jitter, LEAST_PAUSE), f"It asks to wait {in_words(hint)}"
        if hint is None and reply is not None and reply.status == TOO_MANY:
            own = request.retry.rate_limited_seconds
            return max(own, LEAST_PAUSE), f"It does not say how long to wait; the host would wait {in_words(own)}"
        return max(own, LEAST_PAUSE), f"The host would wait {in_words(own)} before another try"

    async def _wait(self, request: Request, pause: float, reply: Reply | None) -> None:
        self._observe(
            "request.retried",
            {"server": request.server, "seconds": pause, "status": reply.status if reply else None},
        )
        if pause >= WORTH_TELLING:
            what = f"answered {reply.status}" if reply else "cannot be reached"
            log.warning("The server '%s' %s; trying again in %s.", request.server, what, in_words(pause))
        await self._clock.sleep(pause)


_NOT_THERE, _GONE_WELL, _FAULT = frozenset({404, 410}), 204, 500  # RFC 9110, 15.5.5, 15.5.11 and 15.3.5


def _was_deleted(request: Request, reply: Reply, before: Reply | None, error: InvocationError | None) -> bool:
    """Whether a DELETE that may have arrived before is told now that nothing is there: our own first try did it."""
    if request.method != "DELETE" or reply.status not in _NOT_THERE or is_page(reply.body):
        return False
    lost = before.status >= _FAULT if before is not None else not isinstance(error, Unreachable)
    effects = EFFECTS.get()
    if lost and effects is not None:
        effects.note(request, Effect.DONE)
    return lost


def _told(reply: Reply | None, error: InvocationError | None, late: str) -> Reply:
    """Return the last answer, or raise the last error, with what the deadline has to do with it beside."""
    if error is not None:
        if late:
            error.amended(kind=Kind.TIMEOUT, detail=f"{error.failure.detail} {late}".lstrip())
        raise error
    assert reply is not None  # noqa: S101 - one of the two is there
    return replace(reply, remark=late) if late else reply


def in_words(count: float) -> str:
    """Return a number of seconds in words."""
    whole = max(round(count), 0)
    return "1 second" if whole == 1 else f"{whole} seconds"


async def _attempt(request: Request, send: Send) -> tuple[Reply | None, InvocationError | None]:
    try:
        return await send(request), None
    except (Unreachable, ConnectionLost, TimedOut) as error:
        return None, error


def _worth_another_try(request: Request, reply: Reply | None, error: InvocationError | None) -> bool:
    if isinstance(error, DeadlinePassed):
        return False
    if error is not None:
        return not isinstance(error, ProxyRefused) and (isinstance(error, Unreachable) or request.idempotent)
    if reply is None:
        return False
    wanted = None if request.again is None else request.again(reply)
    if wanted is not None:
        return wanted and request.idempotent
    if reply.status not in _PASSING:
        return False
    return request.idempotent or reply.status == TOO_MANY


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
