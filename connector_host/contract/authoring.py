"""What a plugin author imports: @command, Call, AsyncCall, Item, Failed, Page and url()."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar, overload
from urllib.parse import quote

from connector_host.contract.errors import InvocationError, RequestRefused
from connector_host.contract.model import Kind
from connector_host.contract.requests import Paging

__all__ = ["AsyncCall", "Call", "Failed", "Item", "Page", "command", "url"]

F = TypeVar("F", bound=Callable[..., Any])


class Failed(InvocationError):
    """The item failed.

    Yield it in an Item, or raise it. `code` is the product's own code (text or number), `kind` one of
    `Kind` (it chooses the manifest's failure code where there is no product code), `assistance` a sentence
    that says what to do.
    """

    kind: ClassVar[Kind] = Kind.REJECTED

    def __init__(
        self,
        message: str,
        *,
        code: str | int | None = None,
        kind: Kind | str | None = None,
        detail: str = "",
        assistance: str = "",
        http_status: int | None = None,
    ) -> None:
        super().__init__(
            message,
            code=None if code is None else str(code),
            kind=None if kind is None else Kind(kind),
            detail=detail,
            assistance=assistance,
            http_status=http_status,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a command answers for: its key and either its value or how it failed."""

    key: str | None
    value: Any


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list as the server sent it: the records, and the text of each.

    Yield it whole: the host then knows that nothing but the server's answer stands in it, and an intake can
    store each record's own text without writing it again. `clean` says that no secret can hide in it.
    """

    records: list[Any]
    texts: list[str] = field(default_factory=list, repr=False)
    clean: bool = False

    def keep(self, wanted: Callable[[Any], bool]) -> "Page":
        """Keep the records that `wanted` says yes to."""
        chosen = [index for index, record in enumerate(self.records) if wanted(record)]
        texts = [self.texts[index] for index in chosen] if self.texts else []
        return replace(self, records=[self.records[index] for index in chosen], texts=texts)

    def first(self, count: int) -> "Page":
        """Keep the first `count` records."""
        return replace(self, records=self.records[:count], texts=self.texts[:count])


class Listing(Protocol):
    """A list being read page by page; once the loop is over it says whether the list came whole.

    `window_full` is true where it did not because the server pages no further than the manifest's `window`.
    """

    complete: bool
    stopped_because: str | None
    window_full: bool

    def __aiter__(self) -> AsyncIterator[Page]: ...


class BlockingListing(Protocol):
    """Listing for a plain `def` command."""

    complete: bool
    stopped_because: str | None
    window_full: bool

    def __iter__(self) -> Iterator[Page]: ...


class AsyncCall(Protocol):
    """What an `async def` command gets as its first argument.

    `connection` holds the connection's parameters and opened secrets; its repr shows no secret. `memory` keeps what a
    later command of the same connection can use, as a session's token: in memory only, until the connection changes
    or rests.
    """

    connection: Mapping[str, Any]
    memory: MutableMapping[str, Any]

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

    def stopped(self, reason: str | None, *, complete: bool) -> None:
        """Say why the command's list ended, in place of what its pages said; the last word counts."""

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

    def stopped(self, reason: str | None, *, complete: bool) -> None:
        """As AsyncCall.stopped."""

    def note(self, text: str) -> None:
        """As AsyncCall.note."""

    def conceal(self, secret: str) -> None:
        """As AsyncCall.conceal."""

    def now(self) -> datetime:
        """As AsyncCall.now."""

    def sleep(self, seconds: float) -> None:
        """As AsyncCall.sleep."""


@dataclass(frozen=True, slots=True)
class CommandMark:
    """What @command leaves on a function."""

    each: str | None = None


@overload
def command(function: F, /) -> F: ...


@overload
def command(*, each: str | None = None) -> Callable[[F], F]: ...


def command(function: F | None = None, /, *, each: str | None = None) -> F | Callable[[F], F]:
    """Mark a function as the command of the same name in the manifest.

    The first parameter is the call; the others carry the names of the manifest's input parameters. With
    `each="user_ids"` the function runs once per element of that list, which it gets as its second parameter
    `item`, several at a time; each element succeeds or fails by itself.
    """

    def mark(marked: F) -> F:
        marked.__connector_command__ = CommandMark(each)  # type: ignore[attr-defined]
        return marked

    return mark if function is None else mark(function)


def url(template: str, *parts: Any) -> str:
    """Fill each `{}` of `template` with one part, percent-encoded so that it stays in its place.

    >>> url("/incidents/{}/alerts", "P1/../../abilities?x=")
    '/incidents/P1%2F..%2F..%2Fabilities%3Fx%3D/alerts'

    Raises RequestRefused for a part that is empty or made of dots only: no encoding keeps those in place.
    """
    return template.format(*(path_part(part) for part in parts))


def path_part(value: Any) -> str:
    """Percent-encode one part of a path; see url()."""
    text = value if isinstance(value, str) else str(value)
    if text in {"", ".", ".."}:
        raise RequestRefused(
            f"{text!r} can not be part of a path.", assistance="Give an identifier that is not empty or dots."
        )
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise RequestRefused("A part of the path is not valid Unicode text.") from None
