"""Reads long lists page by page, the next one fetched ahead; says whether the list came whole, and why not."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from connector_host.http.json_bounds import mended
from connector_host.http.outgoing import OutgoingRequest
from connector_host.http.records import ListReply, split_list
from connector_host.http.replies import not_json, refuse_bad, refuse_hostile, wrong_shape
from connector_host.http.server import ServerClient
from connector_host.model.authoring import Listing, Page
from connector_host.model.invocation_errors import InvocationError
from connector_host.model.paths import compile_path
from connector_host.model.requests import Paging
from connector_host.model.result import Completeness
from connector_host.ports.parts import Reply
from connector_host.running.key_paging import KeyPager
from connector_host.running.offset_paging import MovingPager
from connector_host.running.pages import NextPage, Pager, Stop

Fetch = Callable[[], Awaitable[Reply]]


class Prefetch:
    """Begins fetches that nobody waits for yet."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group

    def begin(self, fetch: Fetch) -> Fetch:
        """Begin now; the result waits for the fetch, and raises what it raised."""
        done = anyio.Event()
        outcome: list[Reply | InvocationError] = []

        async def go() -> None:
            try:
                outcome.append(await fetch())
            except InvocationError as error:
                outcome.append(error)
            done.set()

        async def wait() -> Reply:
            await done.wait()
            if isinstance(outcome[0], InvocationError):
                raise outcome[0]
            return outcome[0]

        self._group.start_soon(go)
        return wait


async def prefetching(work: Callable[[Prefetch], Awaitable[None]]) -> None:
    """Do the work; fetches still under way when it ends are dropped."""
    failed: InvocationError | None = None
    async with anyio.create_task_group() as group:
        try:
            await work(Prefetch(group))
        except InvocationError as error:
            failed = error
        group.cancel_scope.cancel()
    if failed is not None:
        raise failed


class RareCollections:
    """While lists are read, the garbage collector comes rarely: pages make many objects and hardly any garbage.

    It still comes each time that `OBJECTS` more live than when it came last, so that memory stays bounded.
    """

    OBJECTS = 200_000

    def __init__(self) -> None:
        self._readers = 0
        self._usual = gc.get_threshold()

    def __enter__(self) -> None:
        if self._readers == 0:
            self._usual = gc.get_threshold()
            if self._usual[0]:
                gc.set_threshold(max(self.OBJECTS, self._usual[0]), *self._usual[1:])
        self._readers += 1

    def __exit__(self, *_: object) -> None:
        self._readers -= 1
        if self._readers == 0:
            gc.set_threshold(*self._usual)


rare_collections = RareCollections()
AHEAD_FROM = 2  # whoever asks for a second page mostly wants them all
Vouch = Callable[[bytes], bool]
Seen = Callable[[int], None]


NO_CONTENT = 204  # RFC 9110, 15.3.5: the list is empty


class Reading(Struct, frozen=True):
    """How a list is read: whether a page holds no secret, who counts, about how many records are wanted, and ahead."""

    vouch: Vouch
    seen: Seen
    note: Callable[[str], None]
    most: int | None = None
    prefetch: Prefetch | None = None


def _is_new(found: Any, known: set[Any]) -> bool:
    """Whether a record's id was not met before; one without an id is like no other."""
    if not isinstance(found, str | int) or isinstance(found, bool):
        return True
    if found in known:
        return False
    known.add(found)
    return True


def _pager(client: ServerClient, paging: Paging, most: int | None) -> Pager | KeyPager:
    if paging.style == "key":
        return KeyPager(paging, most)
    return (MovingPager if paging.style in {"offset", "page"} else Pager)(client, paging, most)


class PagedListing(Listing):
    """One list being read; iterate it once."""

    def __init__(
        self, client: ServerClient, outgoing: OutgoingRequest, collect: str, paging: Paging | None, reading: Reading
    ) -> None:
        super().__init__()
        self.refused = self.replaced = False
        self.pages = 0
        self.returned = 0
        self._client = client
        self._outgoing = outgoing
        self._collect = collect
        self._pager = None if paging is None else _pager(client, paging, reading.most)
        self._reading = reading
        self._id = compile_path(paging.id if paging is not None else "$.id")
        self._known: set[Any] = set()
        self._doubles = 0

    @property
    def facts(self) -> Completeness:
        """What is known of the list so far."""
        return Completeness(self.complete, self.returned, self.pages, self.stopped_because)

    async def __aiter__(self) -> AsyncIterator[Page]:
        position: Any = None
        before: Sequence[str] | None = None
        fetch: Fetch | None = partial(self._fetch, position)
        while fetch is not None:
            try:
                reply = await fetch()
                content = self._content(reply)
            except InvocationError as error:
                if not self.pages:
                    self.refused = True
                    raise
                self.stopped_because = f"After {self.returned} records: {error} {error.failure.detail}".rstrip()
                return
            page = Page(content.records or [], content.texts, clean=self._reading.vouch(reply.body))
            moving = self._pager is not None and self._pager.moving
            if content.records and content.texts == before and not moving:
                self.stopped_because = "The server sends the same page again and again."
                return
            page = self._unread(page)
            before = content.texts
            self._count(len(page.records))
            position, go_on = self._next(content, reply, position)
            fetch = self._following(position) if go_on else None
            if page.records or not content.records:
                yield page

    def _count(self, records: int) -> None:
        self.pages += 1
        self.returned += records
        self._reading.seen(records)

    def _following(self, position: Any) -> Fetch:
        """Return the next page's fetch, begun already where the reader came for a second page and wants still more."""
        reading = self._reading
        fetch = partial(self._fetch, position)
        enough = reading.most is not None and self.returned >= reading.most
        return fetch if reading.prefetch is None or self.pages < AHEAD_FROM or enough else reading.prefetch.begin(fetch)

    async def _fetch(self, position: Any) -> Reply:
        outgoing = self._outgoing if self._pager is None else self._pager.outgoing(self._outgoing, position)
        reply = await self._client.send(outgoing)
        refuse_bad(reply, self._client.refusals)
        return reply

    def _content(self, reply: Reply) -> ListReply:
        if reply.status == NO_CONTENT:
            return ListReply({}, [], [])
        refuse_hostile(reply)
        try:
            content = split_list(reply.body, self._collect)
        except UnicodeDecodeError:
            raise not_json(reply, "it is not UTF-8 text") from None
        except (ValueError, RecursionError) as error:
            raise not_json(reply, str(error)) from None
        if content is None or content.records is None:
            raise wrong_shape(reply, f"it has no list '{self._collect}'")
        if isinstance(content.texts, list) and (b"\\ud" in reply.body or b"\\uD" in reply.body):
            content.records = mended(content.records)
            content.texts = mended(content.texts)
        return content

    def _next(self, content: ListReply, reply: Reply, position: Any) -> tuple[Any, bool]:
        """Return the next page's position, and whether there is one to ask for."""
        following = Stop() if self._pager is None else self._pager.next(content, reply.headers, position)
        if isinstance(following, NextPage):
            return following.position, True
        self.complete, self.stopped_because = following.reason is None, following.reason
        if self._doubles:
            self._tell_of_doubles()
        self.window_full = following.window_full
        return None, False

    def _unread(self, page: Page) -> Page:
        """Return a page without the records that came before, in it or in another, by their ids."""
        before, pager = len(page.records), self._pager
        if pager is not None:
            page = pager.unread(page)
            if pager.repeats:
                return page
        kept = [_is_new(self._id.first(record), self._known) for record in page.records]
        if not all(kept):
            new = iter(kept)
            page = page.keep(lambda _record: next(new))
        self._doubles += before - len(page.records)
        return page

    def _tell_of_doubles(self) -> None:
        many = "1 record" if self._doubles == 1 else f"{self._doubles} records"
        self._reading.note(f"The list '{self._collect}' changed while it was read: {many} came twice, and stands once.")
        if self._pager is not None and self.pages > 1 and self.complete and self._pager.may_have_lost:
            self.complete, self.stopped_because = False, "The list changed while it was read: some may be missing."
