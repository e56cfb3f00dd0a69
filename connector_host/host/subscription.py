"""Intake as a subscription: a run without times goes on where the last whole one ended, and loses nothing on the way.

The cursor is the time of the newest record taken in, by the product's own clock, which it never runs ahead of; each run
reads an overlap before it again, for what the product shows late. It moves only when a run came whole, so a run that
was cut is repeated.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from connector_host.host.core import Core
from connector_host.model.connection import Connection
from connector_host.model.manifest import Command, Cursor
from connector_host.model.result import Result, Status, iso

FIRST = timedelta(days=1)  # how far back the first run reads
WINDOW = timedelta(days=150)  # longer pauses are caught up in several; products refuse ranges of over six months
AHEAD = timedelta(days=1)  # of what is known of the product's clock
EVERYTHING = 1_000_000
Run = Callable[[Mapping[str, Any]], Awaitable[Result]]


async def take_in(core: Core, connection: Connection, command: Command, inputs: Mapping[str, Any], run: Run) -> Result:
    """Run an intake; from where it ended, where its times are not given and it knows how to go on."""
    cursor = command.intake.cursor if command.intake is not None else None
    if cursor is None or {cursor.since, cursor.until} & inputs.keys():
        return await run(inputs)
    return await _go_on(core, connection, command, inputs, cursor, run)


async def _go_on(
    core: Core, connection: Connection, command: Command, inputs: Mapping[str, Any], cursor: Cursor, run: Run
) -> Result:
    """Run an intake from where it ended, window by window, each moving the cursor once it came whole."""
    name, store = _name(connection, inputs, cursor), core.store.intake
    known = await store.position(connection.id, command.id, name)
    overlap, now = timedelta(minutes=cursor.overlap_minutes), core.clock.now()
    at = datetime.fromisoformat(known) if known else now - FIRST + overlap
    if known is None:  # a first run that fails is repeated from where it began
        await store.move(connection.id, command.id, name, iso(at))
    result: Result | None = None
    while True:
        since = at - overlap
        until = min(since + WINDOW, now + AHEAD)
        times = {cursor.since: iso(since), cursor.until: iso(until)}
        limit = {cursor.limit: EVERYTHING} if cursor.limit and cursor.limit not in inputs else {}
        one = await run({**inputs, **times, **limit})
        result = one if result is None else _together(result, one)
        if one.status is not Status.PASSED:
            return result
        ends = datetime.fromisoformat(one.raw_data["product_time"])
        if since > ends:  # our clock was ahead when the cursor was set
            now, at = ends, ends - FIRST + overlap
            continue
        now = ends
        latest = datetime.fromisoformat(one.raw_data["latest"]) if one.raw_data["latest"] else at
        behind = until < ends
        at = min(max(at, latest, until if behind else at), ends)
        await store.move(connection.id, command.id, name, iso(at))
        if not behind:
            return result


def _name(connection: Connection, inputs: Mapping[str, Any], cursor: Cursor) -> str:
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
