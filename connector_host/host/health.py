"""Health checks: runs Test Connection when it is due, keeps how each connection fares, and tells people."""

import logging
import random
from collections.abc import Mapping, Sequence
from datetime import datetime

import anyio
from msgspec.structs import replace

from connector_host.host.access import operator_only
from connector_host.host.core import Core
from connector_host.host.invocation import invoke, test_command
from connector_host.host.notices import Notices
from connector_host.host.scheduler import claimed_for, run_claimed, serve
from connector_host.model.boundary import outcome_of
from connector_host.model.caller import HEALTH_CHECK, OPERATOR, Principal
from connector_host.model.connection import ConnectionHealth, Round, StoredConnection
from connector_host.model.errors import StoreError, WrongUse
from connector_host.model.invocation import Invocation, new_id
from connector_host.model.result import Result, Status

_WHAT = "The health checks"
JITTER = 0.1  # of the interval, either way
log = logging.getLogger("connector_host")


class Health:
    """The schedule of health checks; any number of processes may run it on one store."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller
        self._me = new_id()
        self._page = ""
        self._notices = Notices(core.notifiers)

    @property
    def can_notify(self) -> bool:
        """Whether the host manifest names anything that tells people."""
        return bool(self._core.notifiers)

    async def serve(self, page: str = "") -> None:
        """Run what is due, for ever; what fails for a while is logged, and tried again after pauses that grow.

        `page` is the address of the page, where there is one: messages say where to mend what fails.
        """
        self._page = page
        await serve(self._core, _WHAT, self.run_due)

    async def run_due(self) -> Round:
        """Run every check that is due, each once however long it has been due, many at a time.

        Raises NotAllowed, and StoreError.
        """
        operator_only(self._caller, "run health checks")
        done = Round()
        self._notices = Notices(self._core.notifiers, self._page)

        async def one(claimed: tuple[str, ConnectionHealth]) -> None:
            if await self._run_one(*claimed):
                done.passed += 1
            else:
                done.failed += 1

        await run_claimed(self._core, _WHAT, self._claim, one)
        done.undelivered = self._notices.undelivered
        return done

    async def send_trial(self, recipient: str) -> Mapping[str, str]:
        """Send somebody a message of no concern, by every notifier; return why it failed, by the notifier's class.

        An empty text is a message that was handed over. Raises NotAllowed, and WrongUse where nothing notifies.
        """
        operator_only(self._caller, "send a trial message")
        if not self._core.notifiers:
            raise WrongUse("The host manifest names no notifier: `notifiers: [smtp]`, and an `smtp:` section.")
        return await Notices(self._core.notifiers).tried(recipient)

    async def _claim(self, most: int) -> Sequence[tuple[str, ConnectionHealth]]:
        now = self._core.clock.now()
        return await self._core.store.health.claim(self._me, now, now + claimed_for(self._core), most)

    async def _run_one(self, connection_id: str, before: ConnectionHealth) -> bool:
        """Run one claimed check and give the claim up, also where it was cut off; whether it passed."""
        kept, jitter = before, 1.0
        try:
            stored = await self._core.store.connections.get(connection_id=connection_id)
            if stored is not None and stored.connection.active:
                jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
                found, error = await outcome_of(self._checked(stored, before))
                if isinstance(error, StoreError):
                    raise error
                if error is not None:  # whatever became of one connection's check, it ends no other's
                    log.error("The health check of '%s' ended in an error.", stored.connection.name, exc_info=error)
                kept = found or after(before, Status.FAILED, self._core.clock.now())
        finally:
            with anyio.CancelScope(shield=True):
                await self._core.store.health.finish(connection_id, self._me, kept, jitter)
        return kept.status == Status.PASSED

    async def _checked(self, stored: StoredConnection, before: ConnectionHealth) -> ConnectionHealth:
        now = self._core.clock.now()
        try:
            result = await self._run_test(stored)
            status, words = result.status, "\n".join(map(str, result.errors))
        except WrongUse as error:  # the plugin is gone, or broken
            status, words = Status.FAILED, str(error)
        current = await self._core.store.health.state(stored.connection.id)
        health = replace(after(before, status, now), unchecked=current.unchecked)
        return await self._notices.told(stored.connection, health, words, now)

    async def _run_test(self, stored: StoredConnection) -> Result:
        manifest, command = test_command(self._core.registry, stored.connection.plugin)
        return await invoke(self._core, Invocation(new_id(), manifest, command, stored, {}, OPERATOR, HEALTH_CHECK))


def after(before: ConnectionHealth, status: Status, at: datetime) -> ConnectionHealth:
    """Return how a connection fares after one more check."""
    if status is Status.PASSED:
        return replace(before, status=status.value, last_run=at, last_success=at, failures=0)
    return replace(before, status=status.value, last_run=at, last_failure=at, failures=before.failures + 1)
