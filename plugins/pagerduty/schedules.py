"""Schedules of both kinds: those of layers, and the newer ones of shifts, which stand at another address."""

from collections.abc import AsyncIterator
from typing import Any

from connector_host import ApiError, AsyncCall, Page

from .incidents import id_of
from .shapes import is_named

SERVER_ERROR, NOT_THERE = 500, (400, 404)


async def both_kinds(call: AsyncCall, query: str | None) -> AsyncIterator[Page]:
    """Read both lists; what cannot be read of the newer is said, and the list is then not whole."""
    listing = call.pages("/schedules", "schedules", query={"query": query})
    known: set[Any] = set()
    async for page in listing:
        known.update(map(id_of, page.records))
        yield page
    complete, reason = listing.complete, listing.stopped_because
    newer = call.pages("/v3/schedules", "schedules")
    try:
        async for page in newer:
            yield page.keep(lambda schedule: id_of(schedule) not in known and is_named(schedule, query))
        complete, reason = complete and newer.complete, reason or newer.stopped_because
    except ApiError as error:
        status = error.failure.http_status or 0
        words = f"Shift-based schedules are not listed: the server answered {status} to GET /v3/schedules."
        if status in NOT_THERE:  # an account without them
            call.note(words)
        else:
            complete, reason = False, words
        if status >= SERVER_ERROR:
            call.stopped(reason, complete=False)
            raise
    call.stopped(reason, complete=complete)
