"""The ports of intake: records taken in, schedules, and field mappings of connections' own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from connector_host.model.audit import AuditEntry
from connector_host.model.intake import Arrival, IntakeRecord, KeptSchedule, MappingTables

ANYWHERE = "*"  # no site is called so


class IntakeStore(Protocol):
    """Records taken in, each once per connection and command."""

    async def add(self, connection: str, command: str, records: Sequence[IntakeRecord], at: str) -> tuple[int, int]:
        """Keep them in one transaction, each unique key once, as it is now; how many were new, and how many changed.

        Those arrive last, at that time (ISO 8601).
        """

    async def position(self, connection: str, command: str, name: str) -> str | None:
        """Return how far a cursor came (ISO 8601); None where it never moved."""

    async def move(self, connection: str, command: str, name: str, position: str) -> None:
        """Move a cursor."""

    async def recent(
        self, connection: str, command: str, limit: int, *, site: str | None = ANYWHERE
    ) -> Sequence[IntakeRecord]:
        """Return the newest, newest first; those of a site alone where one is given."""


class FeedStore(Protocol):
    """Records taken in, read on in order of arrival by whoever wants them."""

    async def arrivals(
        self, after: int, limit: int, *, connection_id: str | None = None, site: str | None = ANYWHERE
    ) -> Sequence[Arrival]:
        """Return those that arrived after a number, in their order; of one connection, and of one site, where given."""

    async def last_arrival(self) -> int:
        """Return the number of the last that arrived; 0 where there is none."""

    async def acknowledged(self, person: str, reader: str) -> int:
        """Return the number up to which a person's reader has read."""

    async def acknowledge(self, person: str, reader: str, number: int, most: int) -> bool:
        """Note the number up to which a reader has read, never back; false where they have so many others already."""


class ScheduleStore(Protocol):
    """When intakes run by themselves, and how that went; with their connection they go."""

    async def put(self, kept: KeptSchedule, entry: AuditEntry) -> None:
        """Keep one, or change it; how it fares stays."""

    async def remove(self, connection_id: str, command: str, entry: AuditEntry) -> bool:
        """Forget one; whether it was there."""

    async def list(self, connection_id: str | None = None, limit: int = 1000) -> Sequence[KeptSchedule]:
        """Return those of a connection, or at most so many of all by their connections' names, which they have."""

    async def claim(self, claimant: str, now: datetime, until: datetime, limit: int) -> Sequence[KeptSchedule]:
        """Take at most `limit` that are due, of active connections, so that nobody else does before `until`."""

    async def renew(self, kept: KeptSchedule, claimant: str, until: datetime) -> bool:
        """Hold a claim until then; false where it is no longer the claimant's."""

    async def finish(self, kept: KeptSchedule, claimant: str) -> bool:
        """Keep how a run went and give the claim up; false where the claim is no longer the claimant's."""


class MappingStore(Protocol):
    """Field mappings of connections' own, and that they were put back; with their connection they go."""

    async def get(self, connection_id: str, command: str) -> MappingTables | None:
        """Return what was kept last; None where nothing ever was."""

    async def put(self, connection_id: str, command: str, tables: MappingTables, entry: AuditEntry) -> bool:
        """Keep tables whose version is one more than what is there (1 where nothing is); false where it is not."""
