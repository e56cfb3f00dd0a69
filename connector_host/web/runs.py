"""Invocations under way in this process: begun, watched, cancelled; a client that goes away ends none."""

import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct, field

from connector_host.model.boundary import outcome_of
from connector_host.model.caller import Actor, actor_of
from connector_host.model.result import Result, json_text
from connector_host.model.token import Token
from connector_host.web.problems import Problem

PER_TOKEN, EVENTS = 64, 256
WATCHERS, WATCHERS_IN_ALL = 20, 200  # of a token, of the server
KEPT, KEPT_BYTES, KEPT_SECONDS = 200, 64_000_000, 900.0  # of what ended; then the history alone has it
LOOK = 5.0  # seconds between looks whether who watches still may


class Run(Struct, eq=False):
    """One invocation: whose it is, what it told, and its result once it ended."""

    id: str
    token_id: str
    actor: Actor
    key: str | None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    changed: anyio.Event | None = None  # where anybody waits for it
    events: deque[tuple[int, str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS))
    number: int = 0
    result: Result | None = None
    error: Exception | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # plugin, command, connection, inputs
    ended_at: float = 0.0
    text: str = ""  # of the result's document

    @property
    def size(self) -> int:
        """How much it keeps."""
        return len(self.text)

    async def wait(self, seconds: float) -> None:
        """Wait until it has ended, for so long."""
        with anyio.move_on_after(seconds):
            await self.ended.wait()

    def tell(self, event: str, facts: Any) -> None:
        """Note an event, and wake who watches."""
        self.number += 1
        self.events.append((self.number, event, facts))
        if self.changed is not None:
            self.changed.set()
            self.changed = None

    def progress(self, done: int, total: int | None) -> None:
        """Take how far it has come."""
        self.tell("progress", {"done": done, "total": total})


class Runs:
    """The runs of one server."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._under_way: dict[str, Run] = {}
        self._ended: dict[str, Run] = {}  # the oldest first
        self._kept_bytes = 0
        self._at_once: Counter[str] = Counter()
        self._watching: Counter[str] = Counter()

    def begin(self, run: Run, work: Callable[[], Awaitable[Result]]) -> None:
        """Begin an invocation; raises Problem where its token has too many, or its key's first call is under way."""
        self._refuse_too_many(run.token_id)
        if run.key is not None and any(
            (one.key, one.actor, one.token_id) == (run.key, run.actor, run.token_id) for one in self._under_way.values()
        ):
            raise Problem("conflict", "The first call with this idempotency key is under way.")
        self._under_way[run.id] = run
        self._at_once[run.token_id] += 1
        self._group.start_soon(self._carry_out, run, work)

    async def _carry_out(self, run: Run, work: Callable[[], Awaitable[Result]]) -> None:
        with run.scope:
            run.result, run.error = await outcome_of(work())
        if run.result is not None:
            run.text = json_text(run.result.document())
        state = "finished" if run.result else "refused" if run.error else "cancelled"
        run.tell("finished", {"id": run.id, "state": state, "status": run.result.status.value if run.result else None})
        run.ended_at = time.monotonic()
        run.ended.set()
        self._keep(run)

    def get(self, invocation_id: str, token: Token, *, own: bool = False) -> Run | None:
        """Return a run of the token's actor, within what the token is narrowed to; None for any other.

        With `own` only one that this very token began.
        """
        run = self._under_way.get(invocation_id) or self._ended.get(invocation_id)
        if run is None or run.actor != actor_of(token.principal) or (own and run.token_id != token.id):
            return None
        names = {name: str(run.facts.get(name, "")) for name in ("plugin", "connection", "command")}
        return run if token.covers(**names) else None

    def watching(
        self, run: Run, after: int, holds: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[tuple[int, str, Any]]:
        """Return the events after a number, until the run has ended; raises Problem where too many are watched.

        `holds` says whether who watches still may.
        """
        self._begin_watching(run.token_id)
        return self._watch(run, after, holds)

    async def _watch(
        self, run: Run, after: int, holds: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[tuple[int, str, Any]]:
        try:
            while await holds():
                waiting = run.changed = run.changed or anyio.Event()
                for number, event, facts in [one for one in run.events if one[0] > after]:
                    after = number
                    yield number, event, facts
                if run.ended.is_set() and after >= run.number:
                    return
                with anyio.move_on_after(LOOK):
                    await waiting.wait()
        finally:
            self._watching[run.token_id] -= 1

    @contextmanager
    def watched(self, token_id: str) -> Iterator[None]:
        """Count a stream among those of its token; raises Problem where it has too many."""
        self._begin_watching(token_id)
        try:
            yield
        finally:
            self._watching[token_id] -= 1

    def _begin_watching(self, token_id: str) -> None:
        if self._watching[token_id] >= WATCHERS or self._watching.total() >= WATCHERS_IN_ALL:
            raise Problem("too-many", "Too much is watched.", headers={"Retry-After": "5"})
        self._watching[token_id] += 1

    @contextmanager
    def counted(self, token_id: str) -> Iterator[None]:
        """Count what is done at once as one of its token's invocations; raises Problem where it has too many."""
        self._refuse_too_many(token_id)
        self._at_once[token_id] += 1
        try:
            yield
        finally:
            self._at_once[token_id] -= 1

    def _refuse_too_many(self, token_id: str) -> None:
        if self._at_once[token_id] >= PER_TOKEN:
            words = f"{PER_TOKEN} invocations of this token are under way."
            raise Problem("too-many", words, headers={"Retry-After": "1"})

    def _keep(self, run: Run) -> None:
        """Keep what ended; forget what ended long ago, or is too much: the oldest first."""
        del self._under_way[run.id]
        self._at_once[run.token_id] -= 1
        self._ended[run.id] = run
        self._kept_bytes += run.size
        while self._ended:
            oldest = next(iter(self._ended.values()))
            old = run.ended_at - oldest.ended_at > KEPT_SECONDS
            if not old and len(self._ended) <= KEPT and self._kept_bytes <= KEPT_BYTES:
                break
            del self._ended[oldest.id]
            self._kept_bytes -= oldest.size
