"""The audit: who did what to which connection; verifying finds what was altered, removed or reordered, and where."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from connector_host.host.access import operator_only
from connector_host.model.audit import AuditEntry, AuditHead, AuditRecord, AuditVerdict, digest_of
from connector_host.model.caller import Actor, Principal, actor_of
from connector_host.model.connection import Connection
from connector_host.model.result import iso, json_text
from connector_host.ports.parts import Clock
from connector_host.ports.stores import AuditStore

PAGE = 1000
SHOWN = 20


class Audit:
    """Writes audit entries, and reads them."""

    def __init__(self, log: AuditStore, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def entry(
        self, action: str, actor: Principal | Actor, subject: Connection | str = "", **details: Any
    ) -> AuditEntry:
        """Return an entry of now; details must not hold a secret, nor a parameter's value that might be one."""
        who = actor if isinstance(actor, Actor) else actor_of(actor)
        connection = subject if isinstance(subject, Connection) else None
        return AuditEntry(
            at=iso(self._clock.now()),
            actor=str(who),
            action=action,
            subject=connection.name if connection else str(subject),
            subject_id=connection.id if connection else "",
            details=json_text(details),
            actor_kind=who.kind,
            actor_id=who.id,
        )

    async def record(
        self, action: str, actor: Principal | Actor, subject: Connection | str = "", **details: Any
    ) -> None:
        """Record what is written nowhere else."""
        await self._log.append(self.entry(action, actor, subject, **details))

    async def every(self) -> AsyncIterator[AuditRecord]:
        """Read all records, oldest first, as they are stored."""
        after = -(2**62)
        while page := await self._log.read(after, PAGE):
            for record in page:
                yield record
            after = page[-1].number

    async def head(self) -> AuditHead:
        """How far the audit reaches."""
        return await self._log.head()

    async def lost(self) -> AuditHead | None:
        """Return the end that was noted outside the database, and that it did not have when it was opened."""
        return await self._log.lost()

    async def last(self, limit: int) -> list[AuditRecord]:
        """Return the newest records, newest first."""
        head = await self._log.head()
        return list(reversed(await self._log.read(head.number - limit, limit)))


class AuditTrail:
    """The audit as it may be read: by the operator alone."""

    def __init__(self, audit: Audit, caller: Principal) -> None:
        self._audit = audit
        self._caller = caller

    async def newest(self, limit: int) -> list[AuditRecord]:
        """Return the newest records, newest first; raises NotAllowed."""
        operator_only(self._caller, "read the audit")
        return await self._audit.last(limit)

    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Check the whole chain, against its end as the store knows it and, where given, as somebody noted it.

        Raises NotAllowed.
        """
        operator_only(self._caller, "read the audit")
        chain, problems = AuditHead(), list[str]()
        records, noted_digest = 0, None
        async for record in self._audit.every():
            problems += _faults(record, chain)
            chain, records = AuditHead(record.number, record.digest), records + 1
            noted_digest = record.digest if noted and record.number == noted.number else noted_digest
        head, missing = await self._audit.head(), await self._audit.lost()
        if missing is not None:
            problems.append(
                f"Record {missing.number}, which was noted beside the database, was not in it when it was opened: lost "
                f"in a power cut, or removed."
            )
        if chain.number != head.number:
            lost = f"after record {chain.number}" if chain.number < head.number else f"from record {head.number + 1} on"
            problems.append(f"The store says that the audit ends at record {head.number}: look {lost}.")
        elif chain != head:
            problems.append(f"Record {chain.number}, the last, is not the one that was written last.")
        if noted and noted.number and noted_digest != noted.digest:
            problems.append(
                f"Record {noted.number} is not as it was noted: it, or one before it, was rewritten or removed."
            )
        shown = problems[:SHOWN] + ([f"… and {len(problems) - SHOWN} more."] if len(problems) > SHOWN else [])
        return AuditVerdict(records, head, tuple(shown))


def _faults(record: AuditRecord, before: AuditHead) -> Iterator[str]:
    expected = before.number + 1
    if record.number > expected:
        gap = (
            f"Record {expected} is"
            if record.number == expected + 1
            else f"Records {expected} to {record.number - 1} are"
        )
        yield f"{gap} missing, before record {record.number} of {record.entry.at}."
    elif record.number < expected:
        yield f"Record {record.number} is none that was ever written: the numbers run from 1."
    elif record.previous != before.digest:
        where = f"Record {record.number} of {record.entry.at}"
        yield f"{where} does not follow the one before it: one of them was moved or rewritten."
    if digest_of(record.number, record.previous, record.entry) != record.digest:
        yield f"Record {record.number} of {record.entry.at} ({record.entry.action}) was altered."
