"""What runs by itself: claimed when it is due, many at a time, for ever; what fails for a while is tried again."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import anyio

from connector_host.host.core import Core
from connector_host.model.boundary import outcome_of
from connector_host.model.errors import StoreError

TICK_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
STALE_SECONDS = 900.0  # without a look, after which what runs by itself is taken for stuck
CLAIM_MARGIN = 60  # seconds beyond a run's deadline before somebody else may take it over
log = logging.getLogger("connector_host")
C = TypeVar("C")


async def serve(core: Core, what: str, run_due: Callable[[], Awaitable[object]]) -> None:
    """Run what is due, for ever; what fails for a while is logged, and tried again after pauses that grow."""
    failures = 0
    while True:
        core.heartbeats[what] = core.clock.monotonic()
        _, error = await outcome_of(run_due())
        failures = 0 if error is None or isinstance(error, StoreError) else failures + 1
        if isinstance(error, StoreError):
            log.warning("%s could not go on: %s", what, error)
        elif error is not None:
            log.error("%s ended in an error of the host, and begin again.", what, exc_info=error)
        await core.clock.sleep(min(TICK_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS))


async def run_claimed(
    core: Core, what: str, claim: Callable[[int], Awaitable[Sequence[C]]], one: Callable[[C], Awaitable[None]]
) -> None:
    """Run everything that is due: claim as many as there is room for, and more as they end. Raises StoreError."""
    try:
        await _run_all(core, what, claim, one)
    except* StoreError as errors:
        first = errors.split(StoreError)[0]
    else:
        return
    raise StoreError(str(first.exceptions[0]) if first else None)


async def _run_all(
    core: Core, what: str, claim: Callable[[int], Awaitable[Sequence[C]]], one: Callable[[C], Awaitable[None]]
) -> None:
    most, running = core.settings.limits.concurrency, 0
    finish, finished = anyio.create_memory_object_stream[None](most)

    async def whole(claimed: C) -> None:
        await one(claimed)
        await finish.send(None)

    async with anyio.create_task_group() as group, finish, finished:
        claims = await claim(most)
        while claims or running:
            core.heartbeats[what] = core.clock.monotonic()
            for claimed in claims:
                group.start_soon(whole, claimed)
            running += len(claims)
            with anyio.move_on_after(TICK_SECONDS):  # what takes long keeps nothing else waiting
                await finished.receive()
                running -= 1
            claims = await claim(most - running) if running <= most // 2 else []


def stuck(core: Core) -> list[str]:
    """Return what runs by itself in this program and has not looked for long."""
    now = core.clock.monotonic()
    return [what for what, at in core.heartbeats.items() if now - at > STALE_SECONDS]


def claimed_for(core: Core, deadline: float | None = None) -> timedelta:
    """Return how long a claim holds: a run's deadline in seconds, the host's where it has none, and some."""
    return timedelta(seconds=(deadline or core.settings.limits.deadline_seconds) + CLAIM_MARGIN)
