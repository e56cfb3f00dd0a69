"""What a plugin author imports: @command, Item, Failed, Page, files and url()."""

import json
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, overload
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from connector_host.model.effects import Effect
from connector_host.model.failure import Kind
from connector_host.model.guarded import Guarded
from connector_host.model.invocation_errors import InvocationError, RequestRefused

F = TypeVar("F", bound=Callable[..., Any])


class Failed(InvocationError):
    """The item failed.

    Yield it in an Item, or raise it. `code` is the product's own code (text or number), `kind` one of
    `Kind` (it chooses the manifest's failure code where there is no product code), `assistance` a sentence
    that says what to do, `effect` whether something happened at the product all the same: none, done or unknown.
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
        effect: Effect | str = Effect.NONE,
    ) -> None:
        super().__init__(
            message,
            code=None if code is None else str(code),
            kind=None if kind is None else Kind(kind),
            detail=detail,
            assistance=assistance,
            http_status=http_status,
        )
        self.failure = replace(self.failure, effect=Effect(effect))


class Item(Struct, frozen=True):
    """One thing a command answers for: its key and either its value or how it failed.

    With a `failure` the value is what there is to show of it all the same: it stands in the raw data, and the item
    failed.
    """

    key: str | None
    value: Any
    failure: InvocationError | None = None


class Page(Guarded, frozen=True):
    """One page of a list as the server sent it: the records, and the text of each.

    Yield it whole: the host then knows that nothing but the server's answer stands in it, and an intake can
    store each record's own text without writing it again. `clean` says that no secret can hide in it.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"texts"})
    records: list[Any]
    texts: Sequence[str] = ()
    clean: bool = False

    def keep(self, wanted: Callable[[Any], bool]) -> "Page":
        """Keep the records that `wanted` says yes to."""
        chosen = [index for index, record in enumerate(self.records) if wanted(record)]
        texts = [self.texts[index] for index in chosen] if self.texts else []
        return replace(self, records=[self.records[index] for index in chosen], texts=texts)

    def first(self, count: int) -> "Page":
        """Keep the first `count` records."""
        return replace(self, records=self.records[:count], texts=self.texts[:count])


def item_name(element: Any) -> str:
    """Return what an element of a fan-out is called: a text itself, all else in JSON's words."""
    return element if isinstance(element, str) else json.dumps(element, ensure_ascii=False, default=str)


class Listing:
    """A list being read page by page; once the loop is over it says whether the list came whole.

    `window_full` is true where it did not because the server pages no further than the manifest's `window`.
    """

    def __init__(self) -> None:
        self.complete = False
        self.stopped_because: str | None = None
        self.window_full = False

    def __aiter__(self) -> AsyncIterator[Page]:
        raise NotImplementedError


class BlockingListing:
    """Listing for a plain `def` command; `wait` runs on the event loop what it is given, and waits for it."""

    def __init__(self, listing: Listing, wait: Callable[[Callable[[], Awaitable[Page | None]]], Page | None]) -> None:
        self._listing = listing
        self._wait = wait

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
        while (page := self._wait(lambda: anext(pages, None))) is not None:
            yield page


@overload
def command(function: F, /) -> F: ...


@overload
def command(*, each: str | None = None) -> Callable[[F], F]: ...


def command(function: F | None = None, /, *, each: str | None = None) -> F | Callable[[F], F]:
    """Mark a function as the command of the same name in the manifest.

    The first parameter is the call; the others carry the names of the manifest's input parameters (`class_` for
    `class`). Where the manifest says `each: user_ids`, the function runs once per element of that list, which it gets
    as its second parameter `item`, several at a time; each element succeeds or fails by itself. `each=` here only
    repeats the manifest, and is deprecated.
    """
    if function is not None:
        return function
    if each is not None:
        words = "@command(each=…) only repeats the manifest's each, and goes with version 2: write @command."
        warnings.warn(words, DeprecationWarning, stacklevel=2)
    return lambda marked: marked


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
            f"{text!r} cannot be part of a path.", assistance="Give an identifier that is not empty or dots."
        )
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise RequestRefused("A part of the path is not valid Unicode text.") from None


class Upload(Struct, frozen=True):
    """A file in the spool, as a command gets it: its name, its media type, its size in bytes, where it lies."""

    name: str
    media_type: str
    size: int
    path: Path

    def read(self) -> bytes:
        """Return the whole content."""
        return self.path.read_bytes()

    def __str__(self) -> str:
        return self.name
