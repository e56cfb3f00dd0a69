"""Health checks: runs Test Connection when it is due, keeps how each connection fares, and tells people."""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import anyio

from connector_host.contract.connection import OPERATOR, Caller, Health, Round, StoredConnection
from connector_host.contract.errors import NoticeUndelivered, StoreError, WrongUse
from connector_host.contract.ids import new_id
from connector_host.contract.model import Result, Status
from connector_host.contract.ports import Clock, Notice, Notifier
from connector_host.contract.stores import Store
from connector_host.kernel.access import operator_only
from connector_host.kernel.health.notices import failing, recovered
from connector_host.kernel.settings import Settings

TICK_SECONDS = 5.0
CLAIM_MARGIN = 60  # seconds beyond a check's deadline before somebody else may take it over
JITTER = 0.1  # of the interval, either way
Check = Callable[[StoredConnection], Awaitable[Result]]
log = logging.getLogger("connector_host")


class HealthChecks:
    """The schedule; any number of processes may run it on one store."""

    def __init__(
        self, store: Store, clock: Clock, settings: Settings, notifiers: Sequence[Notifier], check: Check
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._notifiers = notifiers
        self._check = check
        self._me = new_id()

    @property
    def can_notify(self) -> bool:
        """Whether the host manifest names anything that tells people."""
        return bool(self._notifiers)

    async def serve(self, caller: Caller = OPERATOR) -> None:
        """Run what is due, for ever; a store that fails for a while is logged, and tried again."""
        while True:
            try:
                await self.run_due(caller)
            except StoreError as error:
                log.warning("The health checks could not go on: %s", error)
            await self._clock.sleep(TICK_SECONDS)

    async def run_due(self, caller: Caller = OPERATOR) -> Round:
        """Run every check that is due, each once however long it has been due, many at a time.

        Raises NotAllowed, and StoreError.
        """
        operator_only(caller, "run health checks")
        try:
            return await self._run_all()
        except* StoreError as errors:
            first = errors.split(StoreError)[0]
        raise StoreError(str(first.exceptions[0]) if first else None)

    async def _run_all(self) -> Round:
        done, most = Round(), self._settings.limits.concurrency
        running = 0
        finish, finished = anyio.create_memory_object_stream[bool](most)

        async def one(connection_id: str, before: Health) -> None:
            await finish.send(await self._run_one(connection_id, before))

        async with anyio.create_task_group() as group, finish, finished:
            claims = await self._claim(most)
            while claims or running:
                for connection_id, before in claims:
                    group.start_soon(one, connection_id, before)
                running += len(claims)
                if await finished.receive():
                    done.passed += 1
                else:
                    done.failed += 1
                running -= 1
                claims = await self._claim(most - running) if running <= most // 2 else []
        return done

    async def _claim(self, most: int) -> Sequence[tuple[str, Health]]:
        now = self._clock.now()
        until = now + timedelta(seconds=self._settings.limits.deadline_seconds + CLAIM_MARGIN)
        return await self._store.health.claim(self._me, now, until, most)

    async def _run_one(self, connection_id: str, before: Health) -> bool:
        """Run one claimed check and give the claim up, also where it was cut off; whether it passed."""
        kept, jitter = before, 1.0
        try:
            stored = await self._store.connections.get(connection_id=connection_id)
            if stored is not None and stored.connection.active:
                kept = await self._checked(stored, before)
                jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
        finally:
            with anyio.CancelScope(shield=True):
                await self._store.health.finish(connection_id, self._me, kept, jitter)
        return kept.status == Status.PASSED

    async def _checked(self, stored: StoredConnection, before: Health) -> Health:
        now = self._clock.now()
        try:
            result = await self._check(stored)
            status, words = result.status, "\n".join(map(str, result.errors))
        except WrongUse as error:  # the plugin is gone, or broken
            status, words = Status.FAILED, str(error)
        return await self._told(stored, after(before, status, now), words)

    async def _told(self, stored: StoredConnection, health: Health, words: str) -> Health:
        """Tell people where it is time to, and remember that they were told once they were."""
        check = stored.connection.health_check
        if check is None or not check.recipients:
            return health
        if health.failures >= check.failures_before_mail and not health.mailed:
            return replace(health, mailed=await self._delivered(failing(stored.connection, health, words)))
        if health.failures == 0 and health.mailed:
            return replace(health, mailed=not await self._delivered(recovered(stored.connection, health)))
        return health

    async def _delivered(self, notice: Notice) -> bool:
        """Deliver through every notifier; whether at least one could."""
        if not self._notifiers:
            log.warning("Nobody was told that %s: the host manifest names no notifier.", notice.subject)
        delivered = False
        for notifier in self._notifiers:
            try:
                await notifier.notify(notice)
                delivered = True
            except NoticeUndelivered as error:
                log.warning("%s: %s", notice.subject, error)
        return delivered


def after(before: Health, status: Status, at: datetime) -> Health:
    """Return how a connection fares after one more check."""
    if status is Status.PASSED:
        return replace(before, status=status.value, last_run=at, last_success=at, failures=0)
    return replace(before, status=status.value, last_run=at, last_failure=at, failures=before.failures + 1)
