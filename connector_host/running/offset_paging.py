"""Lists without a time order, read by offset or by number: what leaves between two pages would take others along.

By offset each page begins with the last record read; where it does not, some left, and it is gone back, twice as far
each time. Where records have no id to tell them by, and where pages have numbers, the first page is read once more at
the end: a list that changed meanwhile is not called complete.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from connector_host.http.records import ListReply
from connector_host.http.server import ServerClient
from connector_host.model.authoring import Page
from connector_host.model.paths import compile_path
from connector_host.model.requests import Paging
from connector_host.running.pages import NextPage, Pager, Stop

OVERLAP_FROM = 20  # records on a page; shorter ones are a sample's, or a list that hardly moves
MOST_GAPS = 100  # found in one list
_CHANGED = "The list changed while it was read, and nothing tells its records apart: some may be missing."
_UNSURE = "Some of its records have no id, so that nothing tells whether the list changed while it was read."


class MovingPager(Pager):
    """Finds the way through a list that may move under the reader, and drops what was read already."""

    def __init__(self, client: ServerClient, paging: Paging, most: int | None) -> None:
        super().__init__(client, paging, most)
        self._id = compile_path(paging.id)
        self._read: set[Any] = set()  # ids of all records so far
        self._first: Sequence[Any] | None = None  # the first page's ids, or texts; None where nothing may be missing
        self._have_ids = True
        self._checking = self._unsure = False
        self._back, self._gaps = 1, 0
        self._usual = self._size

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """Whether what comes is, or begins with, what was read before."""
        return self._checking or (self._first is not None and self._paging.style == "offset")

    @property
    def may_have_lost(self) -> bool:  # type: ignore[override]
        """Whether pages stand one behind the other, without an overlap that would show what left."""
        return not self.repeats

    def unread(self, page: Page) -> Page:
        """Return a page without the records that came before."""
        if self._checking:
            return page.keep(lambda _record: False)
        ids = self._ids(page.records)
        if ids is None:
            self._unsure = bool(self._read)  # until here they were told apart, and the last one was asked for again
            return page.keep(self._is_new) if self._unsure else page
        overlaps = self._paging.style == "offset" and self._first is not None
        self.moving = overlaps and (not ids or ids[0] not in self._read)
        if self.moving:  # read again once it is known what stands before it
            return page.keep(lambda _record: False)
        known = [one in self._read for one in ids]
        self._read.update(ids)
        come = iter(known)
        return page.keep(lambda _record: not next(come)) if any(known) else page

    def _ids(self, records: Sequence[Any]) -> list[Any] | None:
        """Return the ids of records; None from where one has none."""
        ids = [self._id.first(record) for record in records] if self._have_ids else []
        self._have_ids = self._have_ids and all(isinstance(one, str | int) for one in ids)
        return ids if self._have_ids else None

    def _is_new(self, record: Any) -> bool:
        found = self._id.first(record)
        return not isinstance(found, str | int) or found not in self._read

    def _shown(self, content: ListReply) -> list[Any]:
        return self._ids(content.records or []) or list(content.texts)

    def next(self, content: ListReply, headers: Mapping[str, str], position: Any) -> NextPage | Stop:
        """Say how the list goes on after a page, whose records unread() has seen."""
        if self._checking:
            return Stop() if self._shown(content) == self._first else Stop(_CHANGED)
        following = super().next(content, headers, position)
        records = content.records or []
        if self._unsure:
            return Stop(_UNSURE) if following == Stop() else following
        if position is None and len(records) >= OVERLAP_FROM and isinstance(following, NextPage):
            self._first = self._shown(content)
        if self._first is None:
            return following
        if self._have_ids and self._paging.style == "offset":
            return self._overlapping(following, records, position or 0)
        if isinstance(following, Stop) and following.reason is None:
            self._checking = True
            return NextPage(None, self._size)
        return following

    def _overlapping(self, following: NextPage | Stop, records: Sequence[Any], position: int) -> NextPage | Stop:
        """Ask for the last record again; go back where a page did not begin at, or before, the last record read."""
        if self.moving and position and (records or following == Stop()):
            self._gaps += 1
            if self._gaps > MOST_GAPS:
                return Stop("The list changes faster than it can be read.")
            self._back *= 2
            return NextPage(max(0, position - self._back), self._size)
        self._back = 1
        if isinstance(following, Stop) or len(records) == 1:
            return following
        return NextPage(position + len(records) - 1, self._fitting(position + len(records) - 1))

    def _fitting(self, position: int) -> int:
        """Return how many records to ask for, so that the server's window is not left."""
        window = self._paging.window
        self._size = self._usual if window is None else min(self._usual, window - position)
        return self._size
