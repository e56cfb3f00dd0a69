"""The call an author's function gets: the declared servers, bound to one connection and one deadline."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import anyio.from_thread
from msgspec.structs import replace

from connector_host.http.outgoing import OutgoingRequest
from connector_host.http.server import ServerClient
from connector_host.http.tokens import client_of
from connector_host.model.authoring import BlockingListing
from connector_host.model.effects import EFFECTS, Effect
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import DeadlinePassed
from connector_host.model.manifest import Command
from connector_host.model.requests import Paging
from connector_host.model.result import Completeness
from connector_host.ports.parts import CommandOutput, OpenConnection
from connector_host.running.paging import PagedListing, Prefetch, Reading, prefetching, rare_collections

T = TypeVar("T")


class Servers:
    """The declared servers as one command talks to them through one connection; each client is made once."""

    def __init__(self, command: Command, opened: OpenConnection) -> None:
        self.command = command
        self.opened = opened
        self._clients: dict[str, ServerClient] = {}

    def client(self, name: str) -> ServerClient:
        """Return the client of a declared server; raises RequestRefused for any other."""
        known = self._clients.get(name)
        if known is None:
            known = self._clients[name] = client_of(self.opened, name, self.command.responses)
        return known


class RunningCall:
    """AsyncCall, as an author sees it."""

    def __init__(
        self, servers: Servers, invocation: Invocation, output: CommandOutput, prefetch: Prefetch | None = None
    ) -> None:
        self.connection = servers.opened.values
        self.memory = servers.opened.memory
        self.zones = invocation.zones
        self._servers = servers
        self._deadline = invocation.deadline
        self._output = output
        self._prefetch = prefetch
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
        outgoing = OutgoingRequest(method, path, query or {}, headers or {}, json, idempotent, self._deadline)
        return await self._servers.client(server).value(outgoing)

    async def value(self, outgoing: OutgoingRequest, server: str) -> Any:
        """Send one request to a declared server and return its JSON."""
        return await self._servers.client(server).value(outgoing)

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
        outgoing = OutgoingRequest("GET", path, query or {}, headers or {}, deadline=self._deadline)
        return self.listing(outgoing, server, collect, paging or self._servers.opened.manifest.paging, most)

    def listing(
        self, outgoing: OutgoingRequest, server: str, collect: str, paging: Paging | None, most: int | None = None
    ) -> PagedListing:
        """Return a list to be read; without paging it is the one page."""
        reading = Reading(self._servers.opened.cannot_hold, self._count, self._output.note, most, self._prefetch)
        listing = PagedListing(self._servers.client(server), outgoing, collect, paging, reading)
        self._listings.append(listing)
        return listing

    def ask_elsewhere(self) -> None:
        """Note that the last list, which was refused, is asked for at another place."""
        self._listings[-1].replaced = True

    def stopped(self, reason: str | None, *, complete: bool, limited: bool = False) -> None:
        """Say why the command's list ended; raises TypeError for a reason that is no text."""
        if not isinstance(reason, str | None):
            raise TypeError(f"the reason why a list ended is text, not {type(reason).__name__}")
        self._said = Completeness(complete, 0, 0, reason, limited)

    def settled(self, *, happened: bool) -> None:
        """Say what became of requests whose answers were lost."""
        effects = EFFECTS.get()
        if effects is not None:
            effects.settle(Effect.DONE if happened else Effect.NONE)

    def note(self, text: str) -> None:
        """Add a sentence to the result."""
        self._output.note(text)

    def conceal(self, secret: str) -> None:
        """Have one more text kept out of what leaves the host."""
        self._servers.opened.conceal(secret)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._servers.opened.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait, within the deadline."""
        clock = self._servers.opened.clock
        if clock.monotonic() + seconds >= self._deadline:
            raise DeadlinePassed
        await clock.sleep(seconds)

    def report_lists(self) -> None:
        """Tell the output of each list that was read; the author's own word stands for all of them."""
        if self._said is not None:
            pages = sum(listing.pages for listing in self._listings)
            self._output.completeness(replace(self._said, pages=pages))
        else:
            read = any(listing.pages for listing in self._listings)
            for listing in self._listings:
                half = read and not listing.replaced and self._servers.command.each is None
                if not listing.refused or half:
                    self._output.completeness(listing.facts)

    def _count(self, records: int) -> None:
        self._seen += records
        if self._servers.command.each is None:
            self._output.progress(self._seen, None)


async def with_call(
    servers: Servers, invocation: Invocation, output: CommandOutput, work: Callable[[RunningCall], Awaitable[None]]
) -> None:
    """Run `work` with a call; a command that is one list looks ahead, and what became of lists is always told."""

    async def run(prefetch: Prefetch | None = None) -> None:
        call = RunningCall(servers, invocation, output, prefetch)
        try:
            await work(call)
        finally:
            call.report_lists()

    if servers.command.collect is not None and servers.command.each is None:
        with rare_collections:
            await prefetching(run)
    else:
        await run()


class BlockingCall:
    """Call: the same for a plain `def`, which runs in a worker thread."""

    def __init__(self, call: RunningCall) -> None:
        self.connection = call.connection
        self.memory = call.memory
        self.zones = call.zones
        self._call = call

    def request(self, method: str, path: str, **options: Any) -> Any:
        """As RunningCall.request."""
        return _waited(lambda: self._call.request(method, path, **options))

    def pages(self, path: str, collect: str, **options: Any) -> BlockingListing:
        """As RunningCall.pages."""
        return BlockingListing(self._call.pages(path, collect, **options), _waited)

    def stopped(self, reason: str | None, *, complete: bool, limited: bool = False) -> None:
        """As RunningCall.stopped."""
        self._call.stopped(reason, complete=complete, limited=limited)

    def settled(self, *, happened: bool) -> None:
        """As RunningCall.settled."""
        self._call.settled(happened=happened)

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


def _waited(begin: Callable[[], Awaitable[T]]) -> T:
    """Run on the event loop from a worker thread."""

    async def go() -> T:
        return await begin()

    return anyio.from_thread.run(go)
