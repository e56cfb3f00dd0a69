"""How each style of paging asks for a page, and finds out whether there is another."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from connector_host.http.outgoing import OutgoingRequest
from connector_host.http.records import ListReply
from connector_host.http.server import ServerClient
from connector_host.model.authoring import Page
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.requests import Paging

_LINKS = ("link", "link_header")
_NEXT = re.compile(r'<([^>]*)>\s*((?:;\s*[\w*-]+\s*(?:=\s*(?:"[^"]*"|[^;,"\s]*))?\s*)*)')
_NOTHING: tuple[Any, ...] = (ABSENT, None, False, "", 0, [], {})


class Stop(Struct, frozen=True):
    """The list ends here: whole where no `reason` is given."""

    reason: str | None = None
    window_full: bool = False


class NextPage(Struct, frozen=True):
    """Another page is there: its position, and the size to ask for."""

    position: Any
    size: int


class Pager:
    """Finds the way through the pages of one list; while it is `moving` the same page may come again."""

    moving = False
    repeats = False  # whether it asks for records again, to see that none is missing
    may_have_lost = False  # whether a record that came twice says that another may not have come

    def __init__(self, client: ServerClient, paging: Paging, most: int | None) -> None:
        self._client = client
        self._paging = paging
        self._size = paging.size if most is None else min(paging.size, most)
        self._found = False  # whether the path by which the list goes on was in any reply

    def outgoing(self, outgoing: OutgoingRequest, position: Any) -> OutgoingRequest:
        """Return the request for the page at a position; None is the first."""
        paging = self._paging
        if position is not None and paging.style in _LINKS:
            parts = urlsplit(position)
            return replace(outgoing, path=parts.path, query=_queried(parts.query))
        query = {**outgoing.query, **({paging.size_parameter: self._size} if paging.size_parameter else {})}
        start = position if position is not None else {"offset": 0, "page": paging.first}.get(paging.style)
        if start is not None:
            query[paging.position_key] = start
        return replace(outgoing, query=query)

    def unread(self, page: Page) -> Page:
        """Return a page without what was read already: the server sees to it that there is nothing."""
        return page

    def next(self, content: ListReply, headers: Mapping[str, str], position: Any) -> NextPage | Stop:
        """Say how the list goes on after a page."""
        style = self._paging.style
        if style == "first_page":
            more = compile_path(self._paging.more).first(content.rest) not in _NOTHING
            unsaid = "The server says that there is more, and the manifest does not say how to ask for it."
            return Stop(unsaid if more else None)
        if style == "offset":
            return self._after_offset(content, position or 0)
        if style == "page":
            return self._after_page(content, self._paging.first if position is None else position)
        if style == "link_header":
            return self._after_mark(_next_link(headers.get("link", "")), position)
        following = compile_path(self._paging.next).first(content.rest)
        return self._unknown(following, self._paging.next, content) or self._after_mark(following, position)

    def _unknown(self, value: Any, path: str, content: ListReply) -> Stop | None:
        """Return the end of a list that may go on: its page is full, and what would say so was in no reply."""
        self._found = self._found or value is not ABSENT
        full = self._paging.size_parameter and len(content.records or ()) >= self._size
        if self._found or not full:
            return None
        return Stop(f"The page is full, and the server's answers have no '{path}' to tell whether there is more.")

    def _after_mark(self, following: Any, position: Any) -> NextPage | Stop:
        if following is ABSENT or following is None or following == "":
            return Stop()
        if self._paging.style in _LINKS:
            following = self._client.path_of(str(following))
            if following is None:
                return Stop("The server's link to the next page leads to another server.")
        if following == position:
            return Stop("The server names the same next page again and again.")
        return NextPage(following, self._size)

    def _after_offset(self, content: ListReply, position: int) -> NextPage | Stop:
        paging, records = self._paging, content.records or []
        following = position + len(records)
        path = self._paging.total or self._paging.more
        unknown = self._unknown(compile_path(path).first(content.rest), path, content)
        if unknown is not None or not self._more(content, following):
            return unknown or Stop()
        if not records:
            return Stop("The server sent an empty page and says that there is more.")
        if paging.window is not None and following + self._size > paging.window:
            if following >= paging.window:
                return Stop(f"The server does not page beyond {paging.window} records.", window_full=True)
            self._size = paging.window - following
        return NextPage(following, self._size)

    def _after_page(self, content: ListReply, position: int) -> NextPage | Stop:
        """Without a word of the server on how many pages there are, an empty one is the end."""
        pages = self._paging.pages
        if pages is not None:
            count, following = compile_path(pages).first(content.rest), position + 1
            more = isinstance(count, int) and following - self._paging.first < count
        else:
            told = compile_path(self._paging.more).first(content.rest)
            more = bool(content.records) if told is ABSENT else told not in _NOTHING
        if more and not content.records:
            return Stop("The server sent an empty page and says that there is more.")
        return NextPage(position + 1, self._size) if more else Stop()

    def _more(self, content: ListReply, returned: int) -> bool:
        if self._paging.total is None:
            return compile_path(self._paging.more).first(content.rest) not in _NOTHING
        total = compile_path(self._paging.total).first(content.rest)
        return isinstance(total, int) and returned < total


def _next_link(header: str) -> str | None:
    """Return the target of rel=next in a Link header (RFC 8288)."""
    for target, parameters in _NEXT.findall(header):
        for name, value in re.findall(r';\s*([\w-]+)\s*=\s*"?([^";]*)"?', parameters):
            if name.lower() == "rel" and "next" in value.lower().split():
                return str(target)
    return None


def _queried(text: str) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return query
