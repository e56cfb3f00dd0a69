"""Invocations under way in this process: begun, watched, cancelled; a client that goes away ends none."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct, field

from connector_host.model.caller import Actor
from connector_host.model.result import Result
from connector_host.web.problems import Problem

KEPT, PER_TOKEN, WATCHERS, EVENTS = 200, 64, 20, 256


class Run(Struct, eq=False):
    """One invocation: whose it is, what it told, and its result once it ended."""

    id: str
    token_id: str
    actor: Actor
    key: str | None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    changed: anyio.Event = field(default_factory=anyio.Event)
    events: deque[tuple[int, str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS))
    number: int = 0
    watchers: int = 0
    result: Result | None = None
    error: Exception | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    async def wait(self, seconds: float) -> None:
        """Wait until it has ended, for so long."""
        with anyio.move_on_after(seconds):
            await self.ended.wait()

    def tell(self, event: str, facts: Any) -> None:
        """Note an event, and wake who watches."""
        self.number += 1
        self.events.append((self.number, event, facts))
        self.changed.set()
        self.changed = anyio.Event()

    def progress(self, done: int, total: int | None) -> None:
        """Take how far it has come."""
        self.tell("progress", {"done": done, "total": total})


class Runs:
    """The runs of one server."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._runs: dict[str, Run] = {}

    def begin(self, run: Run, work: Callable[[Run], Awaitable[Result]]) -> None:
        """Begin an invocation; raises Problem where its token has too many, or its key's first call is under way."""
        under_way = [one for one in self._runs.values() if not one.ended.is_set() and one.token_id == run.token_id]
        if len(under_way) >= PER_TOKEN:
            raise Problem(
                "too-many", f"{PER_TOKEN} invocations of this token are under way.", headers={"Retry-After": "1"}
            )
        if run.key is not None and any(one.key == run.key and one.actor == run.actor for one in under_way):
            raise Problem("conflict", "The first call with this idempotency key is under way.")
        if run.id in self._runs:
            raise Problem("conflict", "There is an invocation of that id already.")
        self._forget_ended()
        self._runs[run.id] = run
        self._group.start_soon(self._carry_out, run, work)

    async def _carry_out(self, run: Run, work: Callable[[Run], Awaitable[Result]]) -> None:
        from connector_host.model.boundary import outcome_of  # noqa: PLC0415 - beside its one use

        with run.scope:
            run.result, run.error = await outcome_of(work(run))
        run.tell("finished", {"id": run.id, "status": run.result.status.value if run.result else "Failed"})
        run.ended.set()

    def get(self, invocation_id: str, actor: Actor) -> Run | None:
        """Return a run of this actor's; None where there is none, or it is somebody else's."""
        run = self._runs.get(invocation_id)
        return run if run is not None and run.actor == actor else None

    async def watch(self, run: Run, after: int) -> AsyncIterator[tuple[int, str, Any]]:
        """Give the events after a number, until the run has ended; raises Problem where too many watch."""
        if run.watchers >= WATCHERS:
            raise Problem("too-many", "Too many watch this invocation.", headers={"Retry-After": "5"})
        run.watchers += 1
        try:
            while True:
                waiting = run.changed
                for number, event, facts in [one for one in run.events if one[0] > after]:
                    after = number
                    yield number, event, facts
                if run.ended.is_set() and after >= run.number:
                    return
                await waiting.wait()
        finally:
            run.watchers -= 1

    def _forget_ended(self) -> None:
        ended = [run.id for run in self._runs.values() if run.ended.is_set()]
        for invocation_id in ended[: max(0, len(ended) - KEPT)]:
            del self._runs[invocation_id]
