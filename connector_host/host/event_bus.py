"""Hands what parts tell, as typed events, to everybody who reads them at the moment."""

from collections.abc import Callable, Mapping
from typing import Any

from connector_host.model.events import Event, event_of
from connector_host.ports.parts import Clock


class EventBus:
    """Takes what parts tell; where nobody reads it costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.readers: set[Callable[[Event], None]] = set()

    def tell(self, name: str, facts: Mapping[str, Any]) -> None:
        """Hand an event on, where anybody reads."""
        if not self.readers:
            return
        event = event_of(name, self._clock.now(), facts)
        if event is not None:
            for read in self.readers:
                read(event)
