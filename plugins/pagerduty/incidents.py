"""Reads incidents newest first, beyond the number that PagerDuty pages through."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from connector_host import AsyncCall, Page


class NewestFirst:
    """Reads incidents newest first, window by window, each once."""

    def __init__(self, call: AsyncCall, query: Mapping[str, Any], wanted: int) -> None:
        self._call = call
        self._query = query
        self._wanted = wanted
        self._seen: set[Any] = set()
        self._oldest: str | None = None

    async def read(self, until: str) -> AsyncIterator[Page]:
        """Read back in time from `until`, window by window: a full one is followed by one that ends where it ended."""
        while True:
            known = len(self._seen)
            listing = self._call.pages(
                "/incidents", "incidents", query={**self._query, "until": until}, most=self._wanted - known
            )
            async for page in listing:
                fresh = self._fresh(page)
                yield fresh
                if len(self._seen) >= self._wanted:
                    more = not listing.complete or len(fresh.records) < len(page.records)
                    enough = f"The {self._wanted} most recent incidents were asked for; there are older ones."
                    self._call.stopped(enough if more else None, complete=True)
                    return
            if listing.complete or not listing.window_full:
                self._call.stopped(listing.stopped_because, complete=listing.complete)
                return
            if self._oldest is None or len(self._seen) == known:
                self._call.stopped("More incidents began in one second than PagerDuty lists.", complete=False)
                return
            until = _a_second_after(self._oldest)

    def _fresh(self, page: Page) -> Page:
        """Return the page's incidents not seen before, up to the number wanted."""
        fresh = page.keep(lambda incident: id_of(incident) not in self._seen).first(self._wanted - len(self._seen))
        self._seen.update(map(id_of, fresh.records))
        if page.records and isinstance(page.records[-1], dict):
            self._oldest = page.records[-1].get("created_at")
        return fresh


def id_of(incident: Any) -> Any:
    """Return a record's id; one without an id is like no other."""
    found = incident.get("id") if isinstance(incident, dict) else None
    return found if isinstance(found, str) else object()


def _a_second_after(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=1)).isoformat(timespec="seconds")
