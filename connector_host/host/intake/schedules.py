"""Intakes that run by themselves: when one is due, its command goes on where its last whole run ended."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from msgspec.structs import replace

from connector_host.host.access import operator_only
from connector_host.host.core import Core
from connector_host.host.intake.subscription import take_in
from connector_host.host.invocation import invoke
from connector_host.host.scheduler import claimed_for, run_claimed, serve
from connector_host.model.boundary import outcome_of
from connector_host.model.caller import INTAKE_SCHEDULE, OPERATOR, Principal
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import StoreError, WrongUse
from connector_host.model.intake import KeptSchedule, ScheduleState
from connector_host.model.invocation import DEFAULTS, Invocation, Options, new_id
from connector_host.model.result import Result, Status

log = logging.getLogger("connector_host")
_WHAT = "Scheduled intakes"
_COUNTS = ("fetched", "new", "updated", "known")


class Schedules:
    """The schedules as they are run; any number of processes may do so on one store."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller
        self._me = new_id()

    async def serve(self) -> None:
        """Run what is due, for ever."""
        await serve(self._core, _WHAT, self.run_due)

    async def run_due(self) -> int:
        """Run what is due; how many. Raises NotAllowed, StoreError."""
        operator_only(self._caller, "run intakes on their schedules")
        done = 0

        async def one(kept: KeptSchedule) -> None:
            nonlocal done
            done += 1
            await self._run_one(kept)

        await run_claimed(self._core, _WHAT, self._claim, one)
        return done

    async def _claim(self, most: int) -> Sequence[KeptSchedule]:
        now = self._core.clock.now()
        return await self._core.store.schedules.claim(self._me, now, now + claimed_for(self._core), most)

    async def _run_one(self, kept: KeptSchedule) -> None:
        """Run one claimed schedule and give the claim up, also where it was cut off."""
        state = replace(kept.state, last_run=self._core.clock.now())
        try:
            stored = await self._core.store.connections.get(connection_id=kept.connection_id)
            if stored is not None:
                found, error = await outcome_of(self._taken_in(stored, kept))
                if isinstance(error, StoreError):
                    raise error
                if error is not None and not isinstance(error, WrongUse):
                    log.error("The intake through '%s' ended in an error.", stored.connection.name, exc_info=error)
                state = replace(_after(found, error), last_run=state.last_run)
        finally:
            with anyio.CancelScope(shield=True):
                await self._core.store.schedules.finish(replace(kept, state=state), self._me)

    async def _taken_in(self, stored: StoredConnection, kept: KeptSchedule) -> Result:
        schedule = kept.schedule
        manifest, command = self._core.registry.command(stored.connection.plugin, schedule.command)

        async def run(inputs: Mapping[str, Any], options: Options) -> Result:
            """Run one window, the claim renewed for it."""
            until = self._core.clock.now() + claimed_for(self._core, command.deadline)
            if not await self._core.store.schedules.renew(kept, self._me, until):
                raise WrongUse("Another program has taken this schedule over, or it is gone.")
            invocation = Invocation(
                new_id(), manifest, command, stored, inputs, OPERATOR, INTAKE_SCHEDULE, options, ingest=True
            )
            return await invoke(self._core, invocation)

        return await take_in(
            self._core,
            stored.connection,
            command,
            schedule.inputs,
            DEFAULTS,
            run,
            overlap_minutes=schedule.overlap_minutes,
        )


def _after(result: Result | None, error: Exception | None) -> ScheduleState:
    """Return how a schedule fares after a run, or after one that could not be begun."""
    if result is None:
        return ScheduleState(status=Status.FAILED.value, words=str(error))
    counts = {name: result.raw_data[name] for name in _COUNTS} if isinstance(result.raw_data, dict) else {}
    return ScheduleState(status=result.status.value, words="\n".join(map(str, result.errors[:3])), counts=counts)
