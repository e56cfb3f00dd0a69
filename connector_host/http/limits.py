"""Keeps shared rate limits by waiting: never more than so many requests in any window, whoever sends them."""

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

import anyio
from msgspec import Struct, field

from connector_host.http.retry import TOO_MANY, WORTH_TELLING, in_words, log, server_hint
from connector_host.model.invocation_errors import RateLimited
from connector_host.model.stored import Lease
from connector_host.ports.parts import Allowance, Clock, Observe, Reply, Request, Send


class _Window(Struct):
    """When the newest requests under one key were sent, oldest first; and who waits for a place, in order."""

    sent: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0
    told: float = 0.0  # seconds that the server asked to wait when it closed the window
    waiting: int = 0
    leased: int = 0  # requests that this program may send of the limit that all share
    leased_until: float = 0.0
    batch: int = 1
    turn: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))

    def opens_at(self, allowance: Allowance, ahead: int) -> float:
        """Return when the next request may be sent, with so many ahead of it; past times mean now."""
        while len(self.sent) > allowance.requests:
            self.sent.popleft()
        rounds, place = divmod(ahead, allowance.requests)
        first = self.sent[place] + allowance.seconds if place < len(self.sent) == allowance.requests else 0.0
        return max(self.closed_until, first) + rounds * allowance.seconds


TakeLease = Callable[[Allowance, int], Awaitable[Lease]]
LARGEST_BATCH = 20  # a limit is taken in parts of at least so many


class Limiter:
    """One window per key, shared by all connections of this process that use the same key.

    Programs share a limit by leases: each takes a few requests ahead, more of them the faster it sends.
    """

    def __init__(self, clock: Clock, observe: Observe, lease: TakeLease | None = None) -> None:
        self._clock = clock
        self._observe = observe
        self._lease = lease
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
            window.told = hint or 0.0
        return reply

    async def _take_place(self, request: Request, allowance: Allowance, window: _Window) -> None:
        leased = self._lease is None or (window.leased > 0 and self._clock.monotonic() < window.leased_until)
        if leased and not window.waiting and window.opens_at(allowance, 0) <= (now := self._clock.monotonic()):
            self._took(request, allowance, window, now)
            return
        self._refuse_if_late(request, allowance, window, window.opens_at(allowance, window.waiting))
        window.waiting += 1
        try:
            async with window.turn:
                while (opens := await self._opens_at(allowance, window)) > (now := self._clock.monotonic()):
                    self._refuse_if_late(request, allowance, window, opens)
                    self._observe("request.delayed", {"server": request.server, "seconds": opens - now})
                    if opens - now >= WORTH_TELLING:
                        log.warning("Waiting %.0f seconds for the rate limit of '%s'.", opens - now, request.server)
                    await self._clock.sleep(opens - now)
                self._took(request, allowance, window, now)
        finally:
            window.waiting -= 1

    def _took(self, request: Request, allowance: Allowance, window: _Window, now: float) -> None:
        """Count a request that is sent now, and tell how much of its limit is used."""
        window.sent.append(now)
        window.leased -= 1
        while window.sent[0] <= now - allowance.seconds:
            window.sent.popleft()
        facts = {"used": len(window.sent), "limit": allowance.requests, "seconds": allowance.seconds}
        self._observe("limit.used", {"server": request.server, **facts})

    async def _opens_at(self, allowance: Allowance, window: _Window) -> float:
        """Return when the next request may be sent, by what this program sent and by what others did."""
        now = self._clock.monotonic()
        opens = window.opens_at(allowance, 0)
        if opens > now or self._lease is None or (window.leased > 0 and now < window.leased_until):
            return opens
        used_up = window.leased <= 0 and now < window.leased_until
        most = max(1, allowance.requests // LARGEST_BATCH)
        window.batch = min(window.batch * 2, most) if used_up else 1
        lease = await self._lease(allowance, window.batch)
        window.leased = lease.granted
        window.leased_until = now + lease.seconds if lease.granted else 0.0
        return opens if lease.granted else now + lease.seconds

    def _refuse_if_late(self, request: Request, allowance: Allowance, window: _Window, opens: float) -> None:
        if opens >= request.deadline:
            now = self._clock.monotonic()
            if window.closed_until >= opens:
                why = f"The server answered {TOO_MANY} before and asked to wait {in_words(window.told)}"
            else:
                why = f"The rate limit of {allowance.requests} requests in {allowance.seconds} seconds is used up"
            raise RateLimited(
                f"{why}: the next request can go in {in_words(opens - now)}, and the deadline is in "
                f"{in_words(request.deadline - now)}.",
                assistance="Run the command again later, give it more time, or ask for less at once.",
            )
