"""The call an author's function gets: the declared servers, bound to one connection and one deadline."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import anyio.from_thread

from connector_host.builtin.runners.ahead import Ahead, looking_ahead
from connector_host.builtin.runners.exchange import Exchange
from connector_host.builtin.runners.orders import Order
from connector_host.builtin.runners.origins import Origins
from connector_host.builtin.runners.paging import PagedListing, Reading
from connector_host.builtin.runners.replies import json_of
from connector_host.contract.authoring import Page
from connector_host.contract.errors import DeadlinePassed
from connector_host.contract.model import Completeness
from connector_host.contract.ports import Job
from connector_host.contract.requests import Paging

T = TypeVar("T")


class RunningCall:
    """AsyncCall, as an author sees it."""

    def __init__(self, job: Job, origins: Origins, ahead: Ahead | None = None) -> None:
        self.connection = job.opened.values
        self.memory = job.opened.memory
        self._job = job
        self._origins = origins
        self._ahead = ahead
        self._exchanges: dict[str, Exchange] = {}
        self._listings: list[PagedListing] = []
        self._said: Completeness | None = None
        self._seen = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        server: str = "api",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        idempotent: bool | None = None,
    ) -> Any:
        """Send one request and return its JSON."""
        order = Order(method, path, query or {}, headers or {}, json, idempotent, self._job.deadline)
        return await self.send(order, server)

    async def send(self, order: Order, server: str) -> Any:
        """Send one order to a declared server and return its JSON."""
        exchange = self._exchange(server)
        return json_of(await exchange.send(order), exchange.origin.server.errors)

    def _exchange(self, server: str) -> Exchange:
        known = self._exchanges.get(server)
        if known is None:
            known = self._exchanges[server] = Exchange(self._job, self._origins, server)
        return known

    def pages(
        self,
        path: str,
        collect: str,
        *,
        server: str = "api",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        paging: Paging | None = None,
        most: int | None = None,
    ) -> PagedListing:
        """Read a list page by page, as the manifest's paging says."""
        return self.listing(
            Order("GET", path, query or {}, headers or {}, None, None, self._job.deadline),
            server,
            collect,
            paging or self._job.manifest.paging,
            most,
        )

    def listing(
        self, order: Order, server: str, collect: str, paging: Paging | None, most: int | None = None
    ) -> PagedListing:
        """Return a list to be read; without paging it is the one page."""
        reading = Reading(self._job.opened.vouches, self._count, most, self._ahead)
        listing = PagedListing(self._exchange(server), order, collect, paging, reading)
        self._listings.append(listing)
        return listing

    def stopped(self, reason: str | None, *, complete: bool) -> None:
        """Say why the command's list ended; raises TypeError for a reason that is no text."""
        if not isinstance(reason, str | None):
            raise TypeError(f"the reason why a list ended is text, not {type(reason).__name__}")
        self._said = Completeness(complete, 0, 0, reason)

    def note(self, text: str) -> None:
        """Add a sentence to the result."""
        self._job.outcome.note(text)

    def conceal(self, secret: str) -> None:
        """Have one more text kept out of what leaves the host."""
        self._job.opened.conceal(secret)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._job.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait, within the deadline."""
        if self._job.clock.monotonic() + seconds >= self._job.deadline:
            raise DeadlinePassed
        await self._job.clock.sleep(seconds)

    def report_lists(self) -> None:
        """Tell the outcome of each list that was read; the author's own word stands for all of them."""
        if self._said is not None:
            pages = sum(listing.pages for listing in self._listings)
            self._job.outcome.completeness(Completeness(self._said.complete, 0, pages, self._said.stopped_because))
        else:
            for listing in [one for one in self._listings if not one.refused]:
                self._job.outcome.completeness(listing.facts)

    def _count(self, records: int) -> None:
        self._seen += records
        if self._job.command.each is None:
            self._job.outcome.progress(self._seen, None)


async def with_call(job: Job, origins: Origins, work: Callable[[RunningCall], Awaitable[None]]) -> None:
    """Run `work` with a call; a command that is one list looks ahead, and what became of lists is always told."""

    async def run(ahead: Ahead | None = None) -> None:
        call = RunningCall(job, origins, ahead)
        try:
            await work(call)
        finally:
            call.report_lists()

    if job.command.collect is not None and job.command.each is None:
        await looking_ahead(run)
    else:
        await run()


class BlockingCall:
    """Call: the same for a plain `def`, which runs in a worker thread."""

    def __init__(self, call: RunningCall) -> None:
        self.connection = call.connection
        self.memory = call.memory
        self._call = call

    def request(self, method: str, path: str, **options: Any) -> Any:
        """As RunningCall.request."""
        return _waited(lambda: self._call.request(method, path, **options))

    def pages(self, path: str, collect: str, **options: Any) -> "BlockingListing":
        """As RunningCall.pages."""
        return BlockingListing(self._call.pages(path, collect, **options))

    def stopped(self, reason: str | None, *, complete: bool) -> None:
        """As RunningCall.stopped."""
        self._call.stopped(reason, complete=complete)

    def note(self, text: str) -> None:
        """As RunningCall.note."""
        self._call.note(text)

    def conceal(self, secret: str) -> None:
        """As RunningCall.conceal."""
        self._call.conceal(secret)

    def now(self) -> datetime:
        """As RunningCall.now."""
        return self._call.now()

    def sleep(self, seconds: float) -> None:
        """As RunningCall.sleep."""
        _waited(lambda: self._call.sleep(seconds))


class BlockingListing:
    """A list being read from a worker thread."""

    def __init__(self, listing: PagedListing) -> None:
        self._listing = listing

    @property
    def complete(self) -> bool:
        """Whether the list came whole."""
        return self._listing.complete

    @property
    def stopped_because(self) -> str | None:
        """Why it did not."""
        return self._listing.stopped_because

    @property
    def window_full(self) -> bool:
        """Whether that is for the server's paging window."""
        return self._listing.window_full

    def __iter__(self) -> Iterator[Page]:
        pages = aiter(self._listing)
        while (page := _waited(lambda: anext(pages, None))) is not None:
            yield page


def _waited(begin: Callable[[], Awaitable[T]]) -> T:
    """Run on the event loop from a worker thread."""

    async def go() -> T:
        return await begin()

    return anyio.from_thread.run(go)
