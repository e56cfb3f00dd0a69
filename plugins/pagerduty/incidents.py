"""Reads incidents newest first, beyond the number that PagerDuty pages through, and as many as are wanted."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from connector_host import AsyncCall, Page, Paging

# By time, not by offset: an incident that leaves the list between two pages moves no other past the reader.
NEWEST_FIRST = Paging(style="key", by="$.created_at", parameter="until", window=10_000)


async def newest_first(call: AsyncCall, query: Mapping[str, Any], wanted: int) -> AsyncIterator[Page]:
    """Read the newest incidents of a range, each once, up to the number wanted; says so where there are more."""
    left = wanted
    query = {**query, "sort_by": "created_at:desc"}
    listing = call.pages("/incidents", "incidents", query=query, paging=NEWEST_FIRST, most=wanted)
    async for page in listing:
        kept = page.first(left)
        left -= len(kept.records)
        yield kept
        if not left:
            more = not listing.complete or len(kept.records) < len(page.records)
            reason = f"The {wanted} most recent incidents were asked for; there are older ones."
            call.stopped(reason if more else None, complete=not more, limited=more)
            return
    call.stopped(listing.stopped_because, complete=listing.complete)


def id_of(incident: Any) -> Any:
    """Return a record's id; one without an id is like no other."""
    found = incident.get("id") if isinstance(incident, dict) else None
    return found if isinstance(found, str) else object()
