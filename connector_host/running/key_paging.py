"""Lists with a time order, newest first, read by key: what comes and goes between two pages loses no record.

The next page ends a second behind the last record's time, and what was read in that second is dropped; by offset is
paged only within one second that holds more than a page, each page overlapping the one before it by half.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connector_host.http.outgoing import OutgoingRequest
from connector_host.http.records import ListReply
from connector_host.model.authoring import Page
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.requests import Paging
from connector_host.running.pages import NextPage, Stop

_LAST = timedelta(seconds=1)
STALE_PAGES = 5  # without anything new, after which the server is taken to repeat itself


class End(Struct, frozen=True):
    """Where a page's range ends, and how many records of its last second are skipped."""

    until: str
    offset: int = 0


class KeyPager:
    """Finds the way through one list, and drops what was read already."""

    moving = repeats = True
    may_have_lost = False

    def __init__(self, paging: Paging, most: int | None) -> None:
        self._paging = paging
        self._size = paging.size if most is None else min(paging.size, max(most, 1))
        self._time = compile_path(paging.by)
        self._id = compile_path(paging.id)
        self._second: datetime | None = None  # the last that was read from
        self._read: set[Any] = set()  # ids of records of that second
        self._gap = False  # whether a page began behind what was read
        self._fresh = self._stale = 0

    def outgoing(self, outgoing: OutgoingRequest, position: End | None) -> OutgoingRequest:
        """Return the request for the page at a position; None is the first."""
        query = {**outgoing.query, self._paging.size_parameter: self._size}
        if position is not None:
            query[self._paging.parameter] = position.until
            if position.offset:
                query[self._paging.position_parameter or "offset"] = position.offset
        return replace(outgoing, query=query)

    def next(self, content: ListReply, _headers: Mapping[str, str], position: End | None) -> NextPage | Stop:
        """Say how the list goes on after a page, whose records unread() has seen."""
        records = content.records or []
        if position is not None and position.offset and self._gap:  # some left, and the others moved past us
            return NextPage(End(position.until, max(0, position.offset - self._size)), self._size)
        if compile_path(self._paging.more).first(content.rest) in (ABSENT, None, False, "", 0, [], {}):
            return Stop()
        last = _second_of(self._time.first(records[-1])) if records else None
        if last is None:
            return Stop("The server says that there is more, and the last record has no time to go on from.")
        until = (last + _LAST).isoformat().replace("+00:00", "Z")
        if position is None or position.until != until:
            return NextPage(End(until), self._size)
        return self._within_second(position, len(records))

    def _within_second(self, position: End, count: int) -> NextPage | Stop:
        """Go on by offset where a whole page stands in one second."""
        self._stale = 0 if self._fresh else self._stale + 1
        if self._stale == STALE_PAGES:
            return Stop("The server sends the same page again and again.")
        offset = position.offset + count - self._size // 2
        window = self._paging.window
        if window is not None and offset + self._size > window:
            return Stop("More records stand in one second than the server lists.", window_full=True)
        return NextPage(End(position.until, offset), self._size)

    def unread(self, page: Page) -> Page:
        """Return a page without the records that came before; only those of one second can come twice."""
        first = self._id_of(page.records[0]) if page.records else ABSENT
        self._gap = bool(page.records) and first not in self._read
        kept = page.keep(self._is_fresh)
        self._fresh = len(kept.records)
        return kept

    def _id_of(self, record: Any) -> Any:
        """Return what tells a record apart; ABSENT where that is no text and no number."""
        found = self._id.first(record)
        return found if isinstance(found, str | int) else ABSENT

    def _is_fresh(self, record: Any) -> bool:
        second, found = _second_of(self._time.first(record)), self._id_of(record)
        if second != self._second:
            self._second, self._read = second, set()
        if found is ABSENT or found in self._read:
            return found is ABSENT
        self._read.add(found)
        return True


def _second_of(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(microsecond=0)
    except (TypeError, ValueError):
        return None
