"""Intake as its readers have it: a feed of records in order of arrival, and the schedules by which they are fetched."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from connector_host.host.access import Right
from connector_host.host.connections.reading import find, granted_to
from connector_host.host.core import Core
from connector_host.host.intake.schedules import Schedules
from connector_host.host.intake.subscription import cursor_name
from connector_host.host.requested import command_of
from connector_host.host.seals import mac_of_cursor
from connector_host.model.caller import Operator, Principal, actor_of
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import BadSetting, NotAllowed, WrongUse
from connector_host.model.intake import Arrival, FeedPage, IntakeSchedule, KeptSchedule
from connector_host.model.invocation_errors import InvalidInput
from connector_host.model.manifest import Command
from connector_host.model.result import iso
from connector_host.model.times import in_utc
from connector_host.ports.intake import ANYWHERE

MOST = 1000  # records at once
READERS = 100  # of one person
OLDEST = timedelta(days=730)  # from which on a schedule may begin
SHORTEST, LONGEST = 1, 10_080  # minutes between runs
_LONGEST_NAME = 200


class Intakes:
    """What was taken in, read on; and schedules."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def read(
        self,
        *,
        after: str = "",
        reader: str = "",
        connection: str | None = None,
        site: str | None = ANYWHERE,
        limit: int = 100,
    ) -> FeedPage:
        """Return records in order of arrival: those after a cursor, or after what a reader acknowledged last.

        Of one connection, and of one site (None: of none), where they are named. A page may hold fewer than `limit`,
        and be empty, though more follow; the end is reached where `next` is that of the page before. A record that
        changed at the product arrives again. The operator reads all, others those of their own site through connections
        that they may use, and all of those that they administer. Raises BadSetting for a cursor that is none of the
        caller's, UnknownConnection, and NotAllowed for a reader who is nobody.
        """
        if not 1 <= limit <= MOST:
            raise BadSetting(f"From 1 to {MOST} records are read at once.")
        if reader and (connection is not None or site != ANYWHERE):
            raise BadSetting("What a reader acknowledged is of all records: give a cursor to read those of one place.")
        stored = None if connection is None else await find(self._core, connection, self._caller)
        number = await self._opened(after) if after else await self._reached(reader) if reader else 0
        head = await self._core.store.feed.last_arrival()
        most = limit if isinstance(self._caller, Operator) else MOST
        some = await self._core.store.feed.arrivals(
            number, most, connection_id=None if stored is None else stored.connection.id, site=site
        )
        # Where fewer came than were asked for, the rest is nobody's here: it is passed over.
        end = max(number, head, some[-1].number if some else 0) if len(some) < most else some[-1].number
        found = await _Seen(self._core, self._caller).all_of(some, limit)
        return FeedPage(found, await self._sealed(found[-1].number if len(found) == limit else end))

    async def acknowledge(self, reader: str, cursor: str) -> None:
        """Note that everything up to a cursor was read; read(reader=…) goes on from there.

        A reader's name, of at most 200 characters, is its caller's own. Raises BadSetting.
        """
        person, name = self._reader(reader)
        if not await self._core.store.feed.acknowledge(person, name, await self._opened(cursor), READERS):
            raise BadSetting(f"You have {READERS} readers already: take one of theirs.")

    async def schedule(self, wanted: IntakeSchedule) -> KeptSchedule:
        """Have an intake command run by itself, as often as it says; one that is there for it is changed.

        Raises UnknownConnection, NotAllowed where the caller does not administer the connection, UnknownCommand,
        WrongUse for a command that is no intake, BadSetting.
        """
        stored = await find(self._core, wanted.connection, self._caller, Right.ADMINISTER)
        command = command_of(self._core, self._caller, stored.connection.plugin, wanted.command)[1]
        begin = wanted.begin and in_utc(wanted.begin)
        wanted = replace(wanted, connection=stored.connection.name, command=command.id, begin=begin)
        _check(wanted, command, self._core.clock.now())
        self._accept(wanted, command)
        if begin is not None:
            await self._begin_at(stored, command, wanted, begin)
        facts = {"command": command.id, "minutes": wanted.interval_minutes, "inputs": sorted(wanted.inputs)}
        entry = self._core.audit.entry("intake.scheduled", self._caller, stored.connection, **facts)
        kept = KeptSchedule(stored.connection.id, wanted)
        await self._core.store.schedules.put(kept, entry)
        there = await self.schedules(stored.connection.name)
        return next((one for one in there if one.schedule.command == command.id), kept)

    def _accept(self, wanted: IntakeSchedule, command: Command) -> None:
        """Raise BadSetting for inputs that the command would refuse at each run."""
        cursor = command.intake.cursor if command.intake is not None else None
        now = iso(self._core.clock.now())
        times = {cursor.since: now, cursor.until: now} if cursor is not None else {}
        try:
            self._core.planner.rules(command).form.accept({**wanted.inputs, **times})
        except InvalidInput as error:
            raise BadSetting(str(error)) from None

    async def _begin_at(
        self, stored: StoredConnection, command: Command, wanted: IntakeSchedule, begin: datetime
    ) -> None:
        """Have the next run read from a time on, wherever the last one ended."""
        cursor = command.intake.cursor if command.intake is not None else None
        if cursor is not None:
            minutes = cursor.overlap_minutes if wanted.overlap_minutes is None else wanted.overlap_minutes
            place = cursor_name(stored.connection, wanted.inputs, cursor), iso(begin + timedelta(minutes=minutes))
            await self._core.store.intake.move(stored.connection.id, command.id, *place)

    async def unschedule(self, connection: str, command: str) -> None:
        """Have an intake command run by itself no more; raises as schedule() does."""
        stored = await find(self._core, connection, self._caller, Right.ADMINISTER)
        name = command_of(self._core, self._caller, stored.connection.plugin, command)[1].id
        entry = self._core.audit.entry("intake.unscheduled", self._caller, stored.connection, command=name)
        if not await self._core.store.schedules.remove(stored.connection.id, name, entry):
            raise BadSetting(f"Nothing runs '{command}' through '{connection}' by itself.")

    async def schedules(self, connection: str | None = None) -> Sequence[KeptSchedule]:
        """Return the schedules of the connections that the caller may use, and how they fare."""
        stored = None if connection is None else await find(self._core, connection, self._caller)
        found = await self._core.store.schedules.list(None if stored is None else stored.connection.id)
        if isinstance(self._caller, Operator):
            return found
        seen = _Seen(self._core, self._caller)
        bounds = self._caller.bounds
        own = [one for one in found if bounds.cover(command=one.schedule.command)]
        return [one for one in own if await seen.rights(one.connection_id)]

    async def run_due(self) -> int:
        """Run every schedule that is due, each once however long it has been due; how many. The operator's.

        Raises NotAllowed, StoreError.
        """
        return await Schedules(self._core, self._caller).run_due()

    async def serve(self) -> None:
        """Run what is due, for ever."""
        await Schedules(self._core, self._caller).serve()

    async def _reached(self, reader: str) -> int:
        return await self._core.store.feed.acknowledged(*self._reader(reader))

    def _reader(self, name: str) -> tuple[str, str]:
        if not self._caller and not isinstance(self._caller, Operator):
            raise NotAllowed("A caller with nothing in it may do nothing.")
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise BadSetting(f"A reader's name has 1 to {_LONGEST_NAME} printable characters.")
        return json.dumps(self._who()), name

    def _who(self) -> list[str | None]:
        """Return who reads: the operator is one, by whatever token."""
        actor = actor_of(Operator() if isinstance(self._caller, Operator) else self._caller)
        return [actor.kind, actor.id, actor.site, actor.tenant]

    async def _sealed(self, number: int) -> str:
        mac = mac_of_cursor(await self._core.secrets.folder_key(), self._who(), number)
        return base64.urlsafe_b64encode(number.to_bytes(8) + mac[:16]).decode()

    async def _opened(self, cursor: str) -> int:
        try:
            raw = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        number = int.from_bytes(raw[:8])
        if not hmac.compare_digest((await self._sealed(number)).encode(), cursor.encode()):
            raise BadSetting("That is no cursor of yours: take the one that came with the last page, or begin anew.")
        return number


class _Seen:
    """What one caller may see, looked up once for each connection."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller
        self._known: dict[str, tuple[str, frozenset[Right]]] = {}

    async def rights(self, connection_id: str) -> frozenset[Right]:
        """Return the rights to a connection; none where it is gone."""
        return (await self._looked_up(connection_id))[1]

    async def all_of(self, arrivals: Sequence[Arrival], most: int) -> list[Arrival]:
        """Return those that are the caller's, with their connections' names, at most so many."""
        found: list[Arrival] = []
        for one in arrivals:
            if len(found) < most and (shown := await self.shown(one)) is not None:
                found.append(shown)
        return found

    async def shown(self, arrival: Arrival) -> Arrival | None:
        """Return a record with its connection's name; None where it is none of the caller's."""
        name, granted = await self._looked_up(arrival.connection_id)
        if isinstance(self._caller, Operator):
            return replace(arrival, connection=name)
        if not granted or not self._caller.bounds.cover(command=arrival.command):
            return None
        own = self._caller.site is not None and arrival.record.site == self._caller.site
        unplaced = self._caller.site is self._caller.tenant is arrival.record.site is None
        return replace(arrival, connection=name) if own or unplaced or Right.ADMINISTER in granted else None

    async def _looked_up(self, connection_id: str) -> tuple[str, frozenset[Right]]:
        if connection_id not in self._known:
            stored = await self._core.store.connections.get(connection_id=connection_id)
            granted = frozenset[Right]() if stored is None else await granted_to(self._core, stored, self._caller)
            self._known[connection_id] = ("" if stored is None else stored.connection.name, granted)
        return self._known[connection_id]


def _check(wanted: IntakeSchedule, command: Command, now: datetime) -> None:
    """Raise for a schedule that makes no sense."""
    if command.intake is None:
        raise WrongUse(f"The command '{command.id}' is no intake, so it does not run by itself.")
    if not SHORTEST <= wanted.interval_minutes <= LONGEST:
        raise BadSetting(f"An intake runs each {SHORTEST} to {LONGEST:,} minutes, not each {wanted.interval_minutes}.")
    cursor = command.intake.cursor
    if cursor is None:
        raise BadSetting(f"{command.title} does not know how to go on where it ended, so it does not run by itself.")
    if wanted.overlap_minutes is not None and not 0 <= wanted.overlap_minutes <= LONGEST:
        raise BadSetting(f"From 0 to {LONGEST:,} minutes are read again.")
    if given := {cursor.since, cursor.until} & wanted.inputs.keys():
        raise BadSetting(f"Leave out {', '.join(sorted(given))}: a schedule goes on where it ended.")
    properties: Mapping[str, Any] = command.input.get("properties", {})
    if unknown := wanted.inputs.keys() - properties.keys():
        raise BadSetting(f"There is no input '{min(unknown)}'. There are: {', '.join(properties)}.")
    if secret := [name for name in wanted.inputs if properties[name].get("writeOnly")]:
        raise BadSetting(f"'{secret[0]}' is a secret: it belongs into the connection, and not into a schedule.")
    if wanted.begin is not None and not now - OLDEST < wanted.begin <= now:
        raise BadSetting(f"An intake begins in the past, {OLDEST.days} days back at most.")
