"""What callers may see of what ran: the operator all, others their own runs and those of what they administer."""

from collections.abc import Sequence

from msgspec.structs import replace

from connector_host.host.access import Right
from connector_host.host.connections.reading import find, granted_to
from connector_host.host.core import Core
from connector_host.model.caller import HEALTH_CHECK, Actor, Caller, Operator, Principal, actor_of
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import BadSetting
from connector_host.model.history import HistoryFilter, HistoryPage, HistoryRecord
from connector_host.model.intake import IntakeRecord
from connector_host.model.result import Status
from connector_host.model.times import in_utc

EVERYTHING = HistoryFilter()
MOST = 10_000  # runs at once
AT_ONCE = 200  # of which some may not be the caller's to read


async def may_read(core: Core, record: HistoryRecord, caller: Principal) -> bool:
    """Whether a run is the caller's to read: their own, or of a connection that they administer."""
    if isinstance(caller, Operator):
        return True
    if not within(record, caller):
        return False
    stored = await core.store.connections.get(connection_id=record.connection_id) if record.connection_id else None
    own = record.actor in (actor_of(caller), HEALTH_CHECK)
    if stored is None:  # the connection is gone: one's own runs stay one's own
        return record.actor == actor_of(caller)
    granted = await granted_to(core, stored, caller)
    return Right.ADMINISTER in granted or (Right.USE in granted and own)


def within(record: HistoryRecord, caller: Caller) -> bool:
    """Whether a run lies within a caller's bounds."""
    return caller.bounds.cover(plugin=record.plugin, connection=record.connection, command=record.command)


async def runs_of(
    core: Core,
    stored: StoredConnection,
    caller: Principal,
    limit: int,
    wanted: HistoryFilter = EVERYTHING,
    *,
    checks: bool = False,
) -> Sequence[HistoryRecord]:
    """Return the newest runs of a connection that are the caller's to read, newest first."""
    whose = HEALTH_CHECK if checks else await _whose(core, stored, caller)
    found = await core.store.history.search(wanted, limit, connection_id=stored.connection.id, actor=whose)
    return found if checks or isinstance(caller, Operator) else [one for one in found if within(one, caller)]


async def intake_records_of(
    core: Core, stored: StoredConnection, caller: Principal, command: str, limit: int
) -> Sequence[IntakeRecord]:
    """Return the newest records taken in that are the caller's to read: those of their site, or all of their own."""
    if Right.ADMINISTER in await granted_to(core, stored, caller):
        return await core.store.intake.recent(stored.connection.id, command, limit)
    assert isinstance(caller, Caller)  # noqa: S101 - the operator administers everything
    if caller.site is None and caller.tenant is not None:
        return []  # what is of no site is nobody's who belongs to a tenant
    return await core.store.intake.recent(stored.connection.id, command, limit, site=caller.site)


async def search(core: Core, caller: Principal, wanted: HistoryFilter, after: str, limit: int) -> HistoryPage:
    """Return a page of the runs looked for that are the caller's to read; raises UnknownConnection, BadSetting."""
    if not 1 <= limit <= MOST:
        raise BadSetting(f"From 1 to {MOST:,} runs are read at once.")
    if wanted.status is not None and wanted.status not in set(Status):
        raise BadSetting(f"There is no status '{wanted.status[:40]}'. There are: {', '.join(Status)}.")
    wanted = replace(wanted, since=wanted.since and in_utc(wanted.since), until=wanted.until and in_utc(wanted.until))
    stored = await find(core, wanted.connection, caller) if wanted.connection is not None else None
    if after:
        last = await core.store.history.get(after)
        if last is None or not await may_read(core, last, caller):
            raise BadSetting(f"There is no run '{after[:60]}' to go on after: begin anew.")
    whose = await _whose(core, stored, caller)
    connection_id = stored.connection.id if stored is not None else None
    kept: list[HistoryRecord] = []
    while len(kept) <= limit:
        most = limit + 1 if isinstance(caller, Operator) else max(limit + 1, AT_ONCE)
        some = await core.store.history.search(
            wanted, most, connection_id=connection_id, actor=whose, after=after or None
        )
        kept += some if isinstance(caller, Operator) else [one for one in some if await may_read(core, one, caller)]
        if len(some) < most:
            break
        after = some[-1].invocation_id
    return HistoryPage(kept[:limit], kept[limit - 1].invocation_id if len(kept) > limit else "")


async def _whose(core: Core, stored: StoredConnection | None, caller: Principal) -> Actor | None:
    """Return whose runs alone the caller may read; None for everybody's."""
    if isinstance(caller, Operator):
        return None
    if stored is not None and Right.ADMINISTER in await granted_to(core, stored, caller):
        return None
    return actor_of(caller)
