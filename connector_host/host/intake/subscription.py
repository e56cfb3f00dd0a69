"""Intake as a subscription: a run without times goes on where the last whole one ended, and loses nothing on the way.

The cursor is the time of the newest record taken in, and never ahead of the product's clock; each run reads an overlap
before it again, for what the product shows late. It moves only when a run came whole, so a run that was cut is
repeated, and only to a record's time: a clock that is wrong once leads it nowhere.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from connector_host.host.core import Core
from connector_host.model.connection import Connection
from connector_host.model.errors import WrongUse
from connector_host.model.invocation import Options
from connector_host.model.manifest import Command, Cursor
from connector_host.model.result import Result, Status, iso

FIRST = timedelta(days=1)  # how far back the first run reads
WINDOW = timedelta(days=150)  # longer pauses are caught up in several; products refuse ranges of over six months
AHEAD = timedelta(days=1)  # of what is known of the product's clock
BELIEVED = timedelta(days=3660)  # between the product's clock and ours; what is farther is no clock
EVERYTHING = 1_000_000
Run = Callable[[Mapping[str, Any], Options], Awaitable[Result]]
Move = Callable[[datetime], Awaitable[None]]


async def take_in(
    core: Core,
    connection: Connection,
    command: Command,
    inputs: Mapping[str, Any],
    options: Options,
    run: Run,
    *,
    overlap_minutes: int | None = None,
) -> Result:
    """Run an intake; from where it ended, where its times are not given and it knows how to go on.

    Each run reads `overlap_minutes` again where the manifest is not to decide. Raises WrongUse for an idempotency key
    then: what goes on where it ended may be repeated as it is.
    """
    cursor = command.intake.cursor if command.intake is not None else None
    if cursor is None or {cursor.since, cursor.until} & inputs.keys():
        return await run(inputs, options)
    if options.idempotency_key is not None:
        raise WrongUse("An intake without times goes on where it ended, so repeat it as it is: it needs no key.")
    if overlap_minutes is not None:
        cursor = replace(cursor, overlap_minutes=overlap_minutes)
    name, store = cursor_name(connection, inputs, cursor), core.store.intake
    known = await store.position(connection.id, command.id, name)

    async def move(at: datetime) -> None:
        await store.move(connection.id, command.id, name, iso(at))

    return await _Subscription(cursor, move, known, core.clock.now()).go_on(inputs, options, run)


class _Subscription:
    """One cursor, and where it stands; `now` is the product's time as far as is known, before an answer our own."""

    def __init__(self, cursor: Cursor, move: Move, known: str | None, now: datetime) -> None:
        self._cursor = cursor
        self._move = move
        self._new = known is None
        self._now = self._ours = now
        self._overlap = timedelta(minutes=cursor.overlap_minutes)
        self._at = datetime.fromisoformat(known) if known else now - FIRST + self._overlap

    async def go_on(self, inputs: Mapping[str, Any], options: Options, run: Run) -> Result:
        """Run from where it ended, window by window, each moving the cursor once it came whole."""
        if self._new:  # a first run that fails is repeated from where it began
            await self._move(self._at)
        result: Result | None = None
        was_ahead, begin = False, self._at - self._overlap
        while True:
            since = max(begin, self._at - self._overlap)
            until = min(since + WINDOW, max(self._now, since) + AHEAD)
            one = await run({**inputs, **self._range(inputs, since, until)}, options)
            options = replace(options, invocation_id=None)  # it was the first window's
            result = one if result is None else _together(result, one)
            ahead = await self._set_right(since, one) and not was_ahead
            was_ahead = ahead
            if one.status is not Status.PASSED:
                return result
            if ahead:
                begin = self._at - self._overlap
                continue
            await self._passed(one)
            if until >= self._now:
                return result
            begin = until - self._overlap  # an empty window is passed in this run alone

    def _range(self, inputs: Mapping[str, Any], since: datetime, until: datetime) -> dict[str, Any]:
        cursor = self._cursor
        limit = {cursor.limit: EVERYTHING} if cursor.limit and cursor.limit not in inputs else {}
        return {cursor.since: iso(since), cursor.until: iso(until), **limit}

    async def _set_right(self, since: datetime, result: Result) -> bool:
        """Take the product's time; where our clock was ahead of it when the cursor was set, set it back."""
        told = result.raw_data["product_time"] if result.raw_data else None
        if told is None:
            return False
        now = datetime.fromisoformat(told)
        if abs(now - self._ours) > BELIEVED:
            return False
        self._now = now
        ahead = since > (self._now - FIRST + self._overlap if self._new else self._now)
        if ahead:
            self._at = self._now - FIRST + self._overlap
            await self._move(self._at)
        return ahead

    async def _passed(self, result: Result) -> None:
        """Move on, to the newest record, and never ahead of the product's clock."""
        latest = result.raw_data["latest"]
        if latest is not None:
            self._at = max(self._at, min(datetime.fromisoformat(latest), self._now))
        await self._move(self._at)


def cursor_name(connection: Connection, inputs: Mapping[str, Any], cursor: Cursor) -> str:
    """Return which cursor it is: two filters are two, and so are two servers."""
    chosen = {name: value for name, value in inputs.items() if name != cursor.limit}
    return json.dumps([chosen, list(connection.origins)], sort_keys=True)


def _together(first: Result, second: Result) -> Result:
    """Return the second result, with the counts of both."""
    if not isinstance(first.raw_data, dict) or not isinstance(second.raw_data, dict):
        return second
    counts = {name: first.raw_data[name] + second.raw_data[name] for name in ("fetched", "new", "updated", "known")}
    latest = max(filter(None, (first.raw_data["latest"], second.raw_data["latest"])), default=None)
    return replace(second, raw_data={**second.raw_data, **counts, "latest": latest})
