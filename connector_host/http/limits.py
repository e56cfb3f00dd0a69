"""Keeps shared rate limits by waiting: never more than so many requests in any window, whoever sends them."""

from collections import defaultdict, deque

import anyio
from msgspec import Struct, field

from connector_host.http.retry import TOO_MANY, WORTH_TELLING, log, server_hint
from connector_host.model.invocation_errors import RateLimited
from connector_host.ports.parts import Allowance, Clock, Observe, Reply, Request, Send


class _Window(Struct):
    """When the newest requests under one key were sent, oldest first; and who waits for a place, in order."""

    sent: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0
    waiting: int = 0
    turn: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))

    def opens_at(self, allowance: Allowance, ahead: int) -> float:
        """Return when the next request may be sent, with so many ahead of it; past times mean now."""
        while len(self.sent) > allowance.requests:
            self.sent.popleft()
        rounds, place = divmod(ahead, allowance.requests)
        first = self.sent[place] + allowance.seconds if place < len(self.sent) == allowance.requests else 0.0
        return max(self.closed_until, first) + rounds * allowance.seconds


class Limiter:
    """One window per key, shared by all connections of this process that use the same key."""

    def __init__(self, clock: Clock, observe: Observe) -> None:
        self._clock = clock
        self._observe = observe
        self._windows: defaultdict[str, _Window] = defaultdict(_Window)

    async def __call__(self, request: Request, send: Send) -> Reply:
        """Wait for a place, then send; a 429 closes the window for all who share it."""
        if request.allowance is None:
            return await send(request)
        window = self._windows[request.allowance.key]
        await self._take_place(request, request.allowance, window)
        reply = await send(request)
        if reply.status == TOO_MANY:
            hint = server_hint(reply.headers, self._clock.now())
            window.closed_until = max(window.closed_until, self._clock.monotonic() + (hint or 0))
        return reply

    async def _take_place(self, request: Request, allowance: Allowance, window: _Window) -> None:
        if not window.waiting and window.opens_at(allowance, 0) <= (now := self._clock.monotonic()):
            window.sent.append(now)
            return
        self._refuse_if_late(request, allowance, window.opens_at(allowance, window.waiting))
        window.waiting += 1
        try:
            async with window.turn:
                while (opens := window.opens_at(allowance, 0)) > (now := self._clock.monotonic()):
                    self._refuse_if_late(request, allowance, opens)
                    self._observe("request.delayed", {"server": request.server, "seconds": opens - now})
                    if opens - now >= WORTH_TELLING:
                        log.warning("Waiting %.0f seconds for the rate limit of '%s'.", opens - now, request.server)
                    await self._clock.sleep(opens - now)
                window.sent.append(now)
        finally:
            window.waiting -= 1

    def _refuse_if_late(self, request: Request, allowance: Allowance, opens: float) -> None:
        if opens >= request.deadline:
            now = self._clock.monotonic()
            raise RateLimited(
                f"The rate limit of {allowance.requests} requests in {allowance.seconds} seconds is used up for the "
                f"next {opens - now:.0f} seconds, and the deadline is in {max(request.deadline - now, 0):.0f}.",
                assistance="Run the command again later, give it more time, or ask for less at once.",
            )
