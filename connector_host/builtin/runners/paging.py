"""Reads long lists page by page: classic offsets, cursors and links; says whether the list came whole, and why not."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector_host.builtin.runners.ahead import Ahead, Fetch
from connector_host.builtin.runners.origins import Order, Origin
from connector_host.builtin.runners.records import ListReply, split_list
from connector_host.builtin.runners.replies import api_error, mended, not_json, text_of, wrong_shape
from connector_host.contract.authoring import Page
from connector_host.contract.errors import InvocationError
from connector_host.contract.manifest import Paging
from connector_host.contract.model import Completeness
from connector_host.contract.paths import ABSENT, compile_path
from connector_host.contract.ports import Reply, Send

AHEAD_FROM = 2  # whoever asks for a second page mostly wants them all
Vouch = Callable[[bytes], bool]
Seen = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a list is read: whether a page holds no secret, who counts, about how many records are wanted, and ahead."""

    send: Send
    vouch: Vouch
    seen: Seen
    most: int | None = None
    ahead: Ahead | None = None


class PagedListing:
    """One list being read; iterate it once."""

    def __init__(self, origin: Origin, order: Order, collect: str, paging: Paging | None, reading: Reading) -> None:
        self.complete = False
        self.stopped_because: str | None = None
        self.window_full = False
        self.refused = False
        self.pages = 0
        self.returned = 0
        self._origin = origin
        self._order = order
        self._collect = collect
        self._paging = paging
        self._reading = reading

    @property
    def facts(self) -> Completeness:
        """What is known of the list so far."""
        return Completeness(self.complete, self.returned, self.pages, self.stopped_because)

    async def __aiter__(self) -> AsyncIterator[Page]:
        position: Any = None
        before: list[str] | None = None
        fetch: Fetch | None = partial(self._fetch, position)
        while fetch is not None:
            try:
                reply = await fetch()
                content = self._content(reply)
            except InvocationError as error:
                if not self.pages:
                    self.refused = True
                    raise
                self._stop(f"After {self.returned} records: {error} {error.failure.detail}".rstrip())
                return
            records = content.records or []
            if records and content.texts == before:
                self._stop("The server sends the same page again and again.")
                return
            before = content.texts
            self._count(len(records))
            position, go_on = self._next(content, position)
            fetch = self._following(position) if go_on else None
            yield Page(records, content.texts, clean=self._reading.vouch(reply.body))

    def _count(self, records: int) -> None:
        self.pages += 1
        self.returned += records
        self._reading.seen(records)

    def _following(self, position: Any) -> Fetch:
        """Return the next page's fetch, begun already where the reader came for a second page and wants still more."""
        reading = self._reading
        fetch = partial(self._fetch, position)
        enough = reading.most is not None and self.returned >= reading.most
        return fetch if reading.ahead is None or self.pages < AHEAD_FROM or enough else reading.ahead.begin(fetch)

    async def _fetch(self, position: Any) -> Reply:
        order = self._order
        if self._paging is not None:
            order = self._paged(order, self._paging, position)
        reply = await self._reading.send(self._origin.request(order))
        if not 200 <= reply.status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
            raise api_error(reply, self._origin.server.errors)
        return reply

    def _paged(self, order: Order, paging: Paging, position: Any) -> Order:
        size = paging.size if self._reading.most is None else min(paging.size, self._reading.most)
        query = {**order.query, paging.size_parameter: size}
        path = order.path
        if paging.style == "link" and position is not None:
            parts = urlsplit(position)
            path, query = parts.path, _queried(parts.query)
        elif position is not None:
            query[paging.position_parameter] = position
        elif paging.style == "offset":
            query[paging.position_parameter] = 0
        return Order(order.method, path, query, order.headers, order.json, order.idempotent, order.deadline)

    def _content(self, reply: Reply) -> ListReply:
        try:
            content = split_list(text_of(reply), self._collect)
        except (ValueError, RecursionError) as error:
            raise not_json(reply, str(error)) from None
        if content is None or content.records is None:
            raise wrong_shape(reply, f"it has no list '{self._collect}'")
        if b"\\ud" in reply.body or b"\\uD" in reply.body:
            content.records = mended(content.records)
            content.texts = mended(content.texts)
        return content

    def _next(self, content: ListReply, position: Any) -> tuple[Any, bool]:
        """Return the next page's position, and whether there is one to ask for."""
        paging = self._paging
        if paging is None:
            return self._finished()
        if paging.style == "offset":
            return self._next_offset(content, paging, position or 0)
        following = compile_path(paging.next).first(content.rest)
        if following is ABSENT or following is None or following == "":
            return self._finished()
        if following == position:
            return self._stop("The server names the same next page again and again.")
        if paging.style == "link":
            following = self._origin.path_of(str(following))
            if following is None:
                return self._stop("The server's link to the next page leads to another server.")
        return following, True

    def _next_offset(self, content: ListReply, paging: Paging, position: int) -> tuple[Any, bool]:
        if compile_path(paging.more).first(content.rest) is not True:
            return self._finished()
        if not content.records:
            return self._stop("The server sent an empty page and says that there is more.")
        following = position + len(content.records)
        if paging.window is not None and following + paging.size > paging.window:
            if following >= paging.window:
                self.window_full = True
                return self._stop(f"The server does not page beyond {paging.window} records.")
            self._paging = replace(paging, size=paging.window - following)
        return following, True

    def _finished(self) -> tuple[Any, bool]:
        self.complete = True
        return None, False

    def _stop(self, reason: str) -> tuple[Any, bool]:
        self.stopped_because = reason
        return None, False


def _queried(text: str) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return query
