"""Health checks: runs Test Connection when it is due, keeps how each connection fares, and tells people."""

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import anyio
from msgspec.structs import replace

from connector_host.host.access import operator_only
from connector_host.host.core import Core
from connector_host.host.invocation import invoke, test_command
from connector_host.model.caller import HEALTH_CHECK, OPERATOR, Principal
from connector_host.model.connection import Connection, ConnectionHealth, Round, StoredConnection
from connector_host.model.errors import NoticeUndelivered, StoreError, WrongUse
from connector_host.model.invocation import Invocation, new_id
from connector_host.model.result import Result, Status, iso
from connector_host.ports.parts import Notice

TICK_SECONDS = 5.0
CLAIM_MARGIN = 60  # seconds beyond a check's deadline before somebody else may take it over
JITTER = 0.1  # of the interval, either way
log = logging.getLogger("connector_host")


class Health:
    """The schedule of health checks; any number of processes may run it on one store."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller
        self._me = new_id()

    @property
    def can_notify(self) -> bool:
        """Whether the host manifest names anything that tells people."""
        return bool(self._core.notifiers)

    async def serve(self) -> None:
        """Run what is due, for ever; a store that fails for a while is logged, and tried again."""
        while True:
            try:
                await self.run_due()
            except StoreError as error:
                log.warning("The health checks could not go on: %s", error)
            await self._core.clock.sleep(TICK_SECONDS)

    async def run_due(self) -> Round:
        """Run every check that is due, each once however long it has been due, many at a time.

        Raises NotAllowed, and StoreError.
        """
        operator_only(self._caller, "run health checks")
        try:
            return await self._run_all()
        except* StoreError as errors:
            first = errors.split(StoreError)[0]
        raise StoreError(str(first.exceptions[0]) if first else None)

    async def _run_all(self) -> Round:
        done, most = Round(), self._core.settings.limits.concurrency
        self._undelivered = 0
        running = 0
        finish, finished = anyio.create_memory_object_stream[bool](most)

        async def one(connection_id: str, before: ConnectionHealth) -> None:
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
        done.undelivered = self._undelivered
        return done

    async def _claim(self, most: int) -> Sequence[tuple[str, ConnectionHealth]]:
        now = self._core.clock.now()
        until = now + timedelta(seconds=self._core.settings.limits.deadline_seconds + CLAIM_MARGIN)
        return await self._core.store.health.claim(self._me, now, until, most)

    async def _run_one(self, connection_id: str, before: ConnectionHealth) -> bool:
        """Run one claimed check and give the claim up, also where it was cut off; whether it passed."""
        kept, jitter = before, 1.0
        try:
            stored = await self._core.store.connections.get(connection_id=connection_id)
            if stored is not None and stored.connection.active:
                kept = await self._checked(stored, before)
                jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
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
        return await self._told(stored, after(before, status, now), words)

    async def _run_test(self, stored: StoredConnection) -> Result:
        manifest, command = test_command(self._core.registry, stored.connection.plugin)
        return await invoke(self._core, Invocation(new_id(), manifest, command, stored, {}, OPERATOR, HEALTH_CHECK))

    async def _told(self, stored: StoredConnection, health: ConnectionHealth, words: str) -> ConnectionHealth:
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
        if not self._core.notifiers:
            log.warning("Nobody was told that %s: the host manifest names no notifier.", notice.subject)
        delivered = False
        for notifier in self._core.notifiers:
            try:
                await notifier.notify(notice)
                delivered = True
            except NoticeUndelivered as error:
                log.warning("%s: %s", notice.subject, error)
        self._undelivered += not delivered
        return delivered


def after(before: ConnectionHealth, status: Status, at: datetime) -> ConnectionHealth:
    """Return how a connection fares after one more check."""
    if status is Status.PASSED:
        return replace(before, status=status.value, last_run=at, last_success=at, failures=0)
    return replace(before, status=status.value, last_run=at, last_failure=at, failures=before.failures + 1)


def failing(connection: Connection, health: ConnectionHealth, words: str) -> Notice:
    """Return the notice that a connection failed several checks in a row; `words` are the error tab's."""
    since = f"since {iso(health.last_success)}" if health.last_success else "so far"
    return Notice(
        event="connection.failing",
        connection=connection.name,
        recipients=_recipients(connection),
        subject=f"Connection '{connection.name}' fails ({health.failures} health checks in a row)",
        text=(
            f"The health check of the connection '{connection.name}' ({connection.plugin}) failed {health.failures} "
            f"times in a row; no check passed {since}.\n\n{words}\n\n"
            f"See what happened:  connector-host health history {connection.name}\n"
            f"Try it again:       connector-host connections test {connection.name}\n\n"
            f"You get one more message when it works again."
        ),
    )


def recovered(connection: Connection, health: ConnectionHealth) -> Notice:
    """Return the notice that a connection works again."""
    return Notice(
        event="connection.recovered",
        connection=connection.name,
        recipients=_recipients(connection),
        subject=f"Connection '{connection.name}' works again",
        text=(
            f"The health check of the connection '{connection.name}' ({connection.plugin}) passed at "
            f"{iso(health.last_success) if health.last_success else 'last'}."
        ),
    )


def _recipients(connection: Connection) -> tuple[str, ...]:
    return connection.health_check.recipients if connection.health_check else ()
