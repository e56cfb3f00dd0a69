"""Keeps shared rate limits by waiting: never more than so many requests in any window, whoever sends them."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from connector_host.builtin.steps.retry import TOO_MANY, server_hint
from connector_host.contract.errors import RateLimited
from connector_host.contract.ports import Allowance, Clock, Observe, Reply, Request, Send


@dataclass(slots=True)
class _Window:
    """When the newest requests under one key are, or are booked, to be sent; newest last."""

    sent: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0


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
        await self._wait_for_place(request, request.allowance, window)
        reply = await send(request)
        if reply.status == TOO_MANY:
            hint = server_hint(reply.headers, self._clock.now())
            window.closed_until = max(window.closed_until, self._clock.monotonic() + (hint or 0))
        return reply

    async def _wait_for_place(self, request: Request, allowance: Allowance, window: _Window) -> None:
        now = self._clock.monotonic()
        place = max(now, window.closed_until, window.sent[-1] if window.sent else 0.0)
        while len(window.sent) > allowance.requests:
            window.sent.popleft()
        if len(window.sent) == allowance.requests:
            place = max(place, window.sent[0] + allowance.seconds)
        if place >= request.deadline:
            raise RateLimited(
                f"The rate limit of {allowance.requests} requests in {allowance.seconds} seconds is used up for the "
                f"next {place - now:.0f} seconds, and the deadline is in {max(request.deadline - now, 0):.0f}.",
                assistance="Run the command again later, give it more time, or ask for less at once.",
            )
        if len(window.sent) == allowance.requests:
            window.sent.popleft()
        window.sent.append(place)
        if place > now:
            self._observe("request.delayed", {"server": request.server, "seconds": place - now})
            await self._clock.sleep(place - now)
