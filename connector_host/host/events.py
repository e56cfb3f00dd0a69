"""Events on their way to whoever reads them: bounded, and each caller's own."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Self

import anyio

from connector_host.host.access import Right
from connector_host.host.connections.reading import granted_to
from connector_host.host.core import Core
from connector_host.model.caller import Operator, Principal, actor_of
from connector_host.model.errors import WrongUse
from connector_host.model.events import KINDS, ConnectionRemoved, Event, EventsLost

KEPT = 1000  # events for a reader who is slow; the oldest are dropped
HELD_SECONDS = 5.0  # for which a connection is taken for none of the caller's


class EventStream(AsyncIterator[Event]):
    """The events that a caller may see, from the moment at which it was made; close it with aclose()."""

    def __init__(self, core: Core, caller: Principal, names: frozenset[str]) -> None:
        self._core, self._caller, self._names = core, caller, names
        self._waiting: deque[Event] = deque()
        self._lost = 0
        self._hidden: dict[str, float] = {}  # connections that are none of the caller's, and until when that is held
        self._visible: set[str] = set()
        self._more = anyio.Event()
        core.bus.readers.add(self.put)

    def put(self, event: Event) -> None:
        """Take an event; of too many the oldest goes."""
        place = getattr(event, "connection_id", "")
        if (self._names and event.name not in self._names) or self._hidden.get(place, 0.0) > self._now():
            return
        if len(self._waiting) >= KEPT:
            lost = self._waiting.popleft()
            self._lost += isinstance(self._caller, Operator) or getattr(lost, "connection_id", "") in self._visible
        self._waiting.append(event)
        self._more.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                return EventsLost(at=self._core.clock.now(), count=lost)
            if self._waiting:
                event = self._waiting[0]
                seen = await self._may_see(event)  # whoever is cancelled here has lost nothing
                if self._waiting and self._waiting[0] is event:
                    self._waiting.popleft()
                if seen:
                    return event
                continue
            if self.put not in self._core.bus.readers:
                raise StopAsyncIteration
            self._more = anyio.Event()
            await self._more.wait()

    async def aclose(self) -> None:
        """Read no more; what came until now can still be read."""
        self._core.bus.readers.discard(self.put)
        self._more.set()

    def _note(self, connection_id: str, *, seen: bool) -> None:
        """Note for a while whether a connection is the caller's, so that others' events crowd out none of theirs."""
        if seen:
            self._visible.add(connection_id)
            self._hidden.pop(connection_id, None)
        else:
            self._visible.discard(connection_id)
            self._hidden[connection_id] = self._now() + HELD_SECONDS

    def _now(self) -> float:
        return self._core.clock.monotonic()

    async def _may_see(self, event: Any) -> bool:
        """Whether an event is the caller's to see: of their own runs, and of what they may use or administer."""
        if isinstance(self._caller, Operator):
            return True
        if isinstance(event, ConnectionRemoved):
            return False
        names = {name: getattr(event, name, "") for name in ("plugin", "connection", "command")}
        stored = await self._core.store.connections.get(connection_id=event.connection_id)
        if stored is None or not self._caller.bounds.cover(**names):
            return False
        granted = await granted_to(self._core, stored, self._caller)
        self._note(event.connection_id, seen=bool(granted))
        if not hasattr(event, "invocation"):
            return bool(granted)
        return Right.ADMINISTER in granted or (bool(granted) and event.actor == actor_of(self._caller))


def stream_of(core: Core, caller: Principal, names: tuple[str, ...]) -> EventStream:
    """Return a stream of events by their names, all where none is named; raises WrongUse for a name that is none."""
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise WrongUse(f"There is no event '{unknown[0]}'. There are: {', '.join(KINDS)}.")
    return EventStream(core, caller, frozenset(names))
