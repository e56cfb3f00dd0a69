"""How much connections are used: by whom, how often, how it went and how long it took, as far as history reaches."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connector_host.host.access import Right
from connector_host.host.connections.reading import every, find, granted_to
from connector_host.host.core import Core
from connector_host.model.caller import Operator, Principal
from connector_host.model.connection import EVERYTHING
from connector_host.model.history import Calls, Use


class Usage:
    """The use of connections, for those who may use them."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def calls_of(self, names: Sequence[str], hours: float = 24) -> Mapping[str, Calls]:
        """Return how often many connections were used, and how that went, in so many hours; by their names.

        Raises UnknownConnection.
        """
        found = {one: (await find(self._core, one, self._caller)).connection.id for one in names}
        calls = await self._core.store.usage.calls(list(found.values()), self._before(hours))
        return {name: calls.get(connection_id, Calls()) for name, connection_id in found.items()}

    async def busiest(self, hours: float = 24, most: int = 50) -> Mapping[str, Calls]:
        """Return the connections that were used most in so many hours, by their names, busiest first.

        Those that the caller may not use are left out.
        """
        found: dict[str, Calls] = {}
        for connection_id, calls in (await self._core.store.usage.calls(None, self._before(hours))).items():
            stored = await self._core.store.connections.get(connection_id=connection_id)
            if stored is not None and await granted_to(self._core, stored, self._caller):
                found[stored.connection.name] = calls
            if len(found) == most:
                break
        return found

    async def calls_by_hour(self, names: Sequence[str] | None = None, hours: int = 24) -> Mapping[str, Calls]:
        """Return how much connections were used in each of so many hours, oldest first, by 2026-01-31T08 (UTC).

        Without names those of all connections that the caller may use. Raises UnknownConnection.
        """
        ids = None
        if names is not None:
            ids = [(await find(self._core, one, self._caller)).connection.id for one in names]
        elif not isinstance(self._caller, Operator):
            ids = [stored.connection.id async for stored in every(self._core, EVERYTHING, self._caller)]
        since = self._before(hours - 1).replace(minute=0, second=0, microsecond=0)
        found = await self._core.store.usage.by_hour(since, ids)
        marks = [(since + timedelta(hours=number)).strftime("%Y-%m-%dT%H") for number in range(hours)]
        return {mark: found.get(mark, Calls()) for mark in marks}

    async def uses_of(self, name: str, days: float = 30) -> Sequence[Use]:
        """Return who ran which commands through a connection in so many days, how often, and when last.

        Raises UnknownConnection, and NotAllowed where the caller does not administer it.
        """
        stored = await find(self._core, name, self._caller, Right.ADMINISTER)
        return await self._core.store.usage.uses(stored.connection.id, self._before(24 * days))

    def _before(self, hours: float) -> datetime:
        return self._core.clock.now() - timedelta(hours=hours)
