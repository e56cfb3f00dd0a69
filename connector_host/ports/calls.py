"""What a command's function gets as its first argument, asynchronous or blocking."""

from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any, Protocol

from connector_host.model.authoring import BlockingListing, Listing
from connector_host.model.requests import Paging


class AsyncCall(Protocol):
    """What an `async def` command gets as its first argument.

    `connection` holds the connection's parameters and opened secrets; its repr shows no secret. `memory` keeps what a
    later command of the same connection can use, as a session's token: in memory only, until the connection changes
    or rests. `zones` names the host's time zone by the inputs whose time was written without an offset; all times come
    in UTC.
    """

    connection: Mapping[str, Any]
    memory: MutableMapping[str, Any]
    zones: Mapping[str, str]

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
        """Send one request to a declared server and return its JSON (None for an empty answer).

        `path` is relative to the server's URL; build it with url(). Query values may be lists (repeated
        keys); None is left out. Authentication, retries, rate limits and the deadline are the host's.
        `idempotent` says that a repeat does no harm; by default True for GET, PUT and DELETE.

        Raises an InvocationError; leave it alone, the host reports it.
        """

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
    ) -> Listing:
        """Read a list page by page; `collect` names the reply's field that holds the records.

        Without `paging` the manifest's applies. `most` says about how many records are wanted: pages are no larger,
        and none is fetched ahead of its use beyond that. Whether the list came whole is told to the host too.
        """

    def stopped(self, reason: str | None, *, complete: bool, limited: bool = False) -> None:
        """Say why the command's list ended, in place of what its pages said; the last word counts."""

    def settled(self, *, happened: bool) -> None:
        """Say what was found at the product of requests whose answers were lost: all of them happened, or none.

        Until then the result says that nobody knows (`effect: unknown`).
        """

    def note(self, text: str) -> None:
        """Add a sentence to the result that people should read; it does not make the result a failure."""

    def conceal(self, secret: str) -> None:
        """Have one more text kept out of results, errors, history and logs, as a session's token."""

    def now(self) -> datetime:
        """Return the time in UTC, by the host's clock."""

    async def sleep(self, seconds: float) -> None:
        """Wait, by the host's clock and within the deadline."""


class Call(Protocol):
    """What a plain `def` command gets: AsyncCall made blocking; the command runs in a worker thread."""

    connection: Mapping[str, Any]
    memory: MutableMapping[str, Any]
    zones: Mapping[str, str]

    def request(
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
        """As AsyncCall.request."""

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
    ) -> BlockingListing:
        """As AsyncCall.pages."""

    def stopped(self, reason: str | None, *, complete: bool, limited: bool = False) -> None:
        """As AsyncCall.stopped."""

    def settled(self, *, happened: bool) -> None:
        """As AsyncCall.settled."""

    def note(self, text: str) -> None:
        """As AsyncCall.note."""

    def conceal(self, secret: str) -> None:
        """As AsyncCall.conceal."""

    def now(self) -> datetime:
        """As AsyncCall.now."""

    def sleep(self, seconds: float) -> None:
        """As AsyncCall.sleep."""
