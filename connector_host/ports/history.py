"""The ports of the history: what ran, how much connections are used, and which invocation a key stands for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from connector_host.model.caller import Actor
from connector_host.model.history import Calls, HistoryFilter, HistoryRecord, Use
from connector_host.model.stored import EndedRun, KeyUse, Pruned


class HistoryStore(Protocol):
    """What ran, and how it ended."""

    async def begin(self, record: HistoryRecord) -> None:
        """Tell, durably, of a run that may change something, before it does.

        Where what ended before could not be written yet, that is first. Raises StoreError, and InvocationExists where
        its id is that of another that is under way.
        """

    async def abandoned(self) -> Sequence[HistoryRecord]:
        """Return those that were begun by programs which run no more, and never ended; keep those that ended."""

    async def end(self, run: EndedRun) -> None:
        """Keep what came of a run; durable against the process's death once done, and soon seen by other programs.

        Raises StoreError where it cannot be kept yet: it is tried again.
        """

    async def search(
        self,
        wanted: HistoryFilter,
        limit: int,
        *,
        connection_id: str | None = None,
        actor: Actor | None = None,
        after: str | None = None,
    ) -> Sequence[HistoryRecord]:
        """Return the newest of those looked for, newest first; the filter's `connection` is not asked about here.

        Of one connection, and of one actor: of a whole kind where it has no id. With `after` those that come after the
        run of that id, in this order; none where it is not there.
        """

    async def get(self, invocation_id: str) -> HistoryRecord | None:
        """One by its id."""

    async def prune(self, now: datetime, days: int, most: int) -> Pruned:
        """Forget at most so many of those that are older than so many days.

        Where the clock jumped by more than a day since the store was used last, the days count from the earlier time.
        """


class UsageStore(Protocol):
    """How much connections are used, as far as the history reaches."""

    async def calls(
        self, connection_ids: Sequence[str] | None, since: datetime, most: int = 1000
    ) -> Mapping[str, Calls]:
        """Return how much these connections, or all, were used since then, by their ids: the busiest first.

        At most so many; those that were not used are left out.
        """

    async def by_hour(self, since: datetime, connection_ids: Sequence[str] | None) -> Mapping[str, Calls]:
        """Return how much these connections, or all, were used since then, by the hour: 2026-01-31T08 in UTC."""

    async def uses(self, connection_id: str, since: datetime) -> Sequence[Use]:
        """Return who ran what through a connection since then, the most frequent first."""


class IdempotencyStore(Protocol):
    """Which invocation was the first to be given a key."""

    async def take(self, scope: str, key: str, mine: KeyUse, now: float) -> KeyUse | None:
        """Keep the key for an invocation unless another has it; return that one. Keys are kept for a day.

        The invocation's id is kept too. `now` is in Unix seconds. Raises InvocationExists where the id is another's.
        """

    async def take_id(self, mine: KeyUse, now: float) -> None:
        """Keep an id that its caller gave, and no key; raises InvocationExists where it is another's."""
