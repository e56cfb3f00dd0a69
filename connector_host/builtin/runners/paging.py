"""Reads long lists page by page; says whether the list came whole, and why not."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from connector_host.builtin.runners.ahead import Ahead, Fetch
from connector_host.builtin.runners.exchange import Exchange
from connector_host.builtin.runners.orders import Order
from connector_host.builtin.runners.records import ListReply, split_list
from connector_host.builtin.runners.replies import api_error, mended, not_json, text_of, wrong_shape
from connector_host.builtin.runners.turning import Stop, Turn, Turner
from connector_host.contract.authoring import Page
from connector_host.contract.errors import InvocationError
from connector_host.contract.model import Completeness
from connector_host.contract.ports import Reply
from connector_host.contract.requests import Paging

AHEAD_FROM = 2  # whoever asks for a second page mostly wants them all
Vouch = Callable[[bytes], bool]
Seen = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a list is read: whether a page holds no secret, who counts, about how many records are wanted, and ahead."""

    vouch: Vouch
    seen: Seen
    most: int | None = None
    ahead: Ahead | None = None


class PagedListing:
    """One list being read; iterate it once."""

    def __init__(self, exchange: Exchange, order: Order, collect: str, paging: Paging | None, reading: Reading) -> None:
        self.complete = False
        self.stopped_because: str | None = None
        self.window_full = False
        self.refused = False
        self.pages = 0
        self.returned = 0
        self._exchange = exchange
        self._order = order
        self._collect = collect
        self._turner = None if paging is None else Turner(exchange.origin, paging, reading.most)
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
            position, go_on = self._next(content, reply, position)
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
        order = self._order if self._turner is None else self._turner.order(self._order, position)
        reply = await self._exchange.send(order)
        if not 200 <= reply.status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
            raise api_error(reply, self._exchange.origin.server.errors)
        return reply

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

    def _next(self, content: ListReply, reply: Reply, position: Any) -> tuple[Any, bool]:
        """Return the next page's position, and whether there is one to ask for."""
        turn = Stop() if self._turner is None else self._turner.next(content, reply.headers, position)
        if isinstance(turn, Turn):
            return turn.position, True
        self.complete, self.stopped_because = turn.reason is None, turn.reason
        self.window_full = turn.window_full
        return None, False

    def _stop(self, reason: str) -> None:
        self.stopped_because = reason
