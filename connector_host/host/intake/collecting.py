"""Taking in: streams an intake command's pages into the store, each record checked, mapped, redacted, kept once."""

import math
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import Struct
from msgspec.structs import asdict, replace

from connector_host.host.intake.mapping import Mapper
from connector_host.host.redaction import Redactor
from connector_host.host.results import Collector
from connector_host.manifests.schema import Checker
from connector_host.model.authoring import Item, Page
from connector_host.model.connection import Connection
from connector_host.model.errors import StoreError
from connector_host.model.intake import IntakeRecord
from connector_host.model.invocation import Invocation, Progress
from connector_host.model.invocation_errors import InvocationError, UnexpectedReply
from connector_host.model.manifest import Command
from connector_host.model.result import Completeness, iso, json_text
from connector_host.ports.intake import IntakeStore
from connector_host.ports.parts import Body, Clock, Observe


class IntakeCounts(Struct, frozen=True):
    """What an intake run did: records fetched, new in the store, changed since they were stored, and known as they are.

    `latest` is the newest record's time (ISO 8601), where the intake says where it stands; `product_time` the time of
    the run's end by the product's own clock, or by ours where it tells none.
    """

    fetched: int = 0
    new: int = 0
    updated: int = 0
    known: int = 0
    latest: str | None = None
    product_time: str | None = None


class IntakeCollector(Collector):
    """A collector that keeps counts in memory and records in the store; a page is gone once it is written."""

    def __init__(
        self,
        command: Command,
        redactor: Redactor,
        progress: Progress | None,
        *,
        mapper: Callable[[], Awaitable[Mapper]],
        log: IntakeStore,
        connection: Connection,
        clock: Clock,
        observe: Observe,
    ) -> None:
        super().__init__(command, redactor, progress)
        self._current = mapper
        self._log = log
        self._connection = connection
        self._clock = clock
        self._observe = observe
        self._checker: Checker | None = None
        self._counts = IntakeCounts()
        self._pages: MemoryObjectSendStream[list[IntakeRecord]] | None = None
        self._broken: StoreError | None = None

    async def work(self, body: Body, invocation: Invocation, checker: Checker | None) -> None:
        """Run the command, and write its pages while it fetches the next; each is checked by itself."""
        self._checker = checker
        self._mapper = await self._current()
        self._pages, written = anyio.create_memory_object_stream[list[IntakeRecord]](math.inf)
        async with anyio.create_task_group() as group, self._pages:
            group.start_soon(self._write, written)
            try:
                await body(invocation, self)
            except InvocationError as error:
                self.fail(error)
        if self._broken is not None:
            raise self._broken

    def add(self, item: Item | Page) -> None:
        """Take a page, or a single item."""
        if isinstance(item, Item):
            if isinstance(item.value, InvocationError):
                self.fail(item.value, item.key)
                return
            if item.failure is not None:
                self.fail(item.failure, item.key)
            item = Page([item.value])
        if self._broken is not None:  # what cannot be kept need not be fetched
            raise self._broken
        self.succeeded += 1
        self._counts = replace(
            self._counts,
            fetched=self._counts.fetched + len(item.records),
            latest=self._mapper.latest(item.records, self._counts.latest),
        )
        assert self._pages is not None  # noqa: S101 - work() runs what adds
        self._pages.send_nowait(list(self._records(item)))

    def ended(self, product_time: datetime) -> None:
        """Take the time by the product's clock."""
        self._counts = replace(self._counts, product_time=iso(product_time))

    def raw_data(self) -> Any:
        """Return the counts; the records are in the store."""
        return asdict(self._counts)

    def context_data(self) -> Any:
        """Return nothing: the records are in the store."""
        return None

    def whole(self) -> Completeness | None:
        """Return all lists' completeness in one, with what was fetched."""
        whole = super().whole()
        if whole is None:
            return None
        return Completeness(whole.complete, self._counts.fetched, whole.pages, whole.stopped_because)

    def _records(self, page: Page) -> Iterator[IntakeRecord]:
        name = self._command.collect or ""
        sound = self._checker is None or self._checker.accepts({name: page.records})
        for index, record in enumerate(page.records):
            if not sound and self._checker is not None and not self._checker.accepts({name: [record]}):
                fault = next(self._checker.faults({name: [record]}), None)
                self.fail(
                    UnexpectedReply("A record is not what the API promises.", detail=fault.reason if fault else "")
                )
                continue
            safe = record if page.clean else self.redactor.value(record)
            text = page.texts[index] if page.texts and safe is record else json_text(safe)
            yield from self._events(safe, text)

    def _events(self, incident: Any, text: str) -> Iterator[IntakeRecord]:
        mapped_incident = self._mapper.incident(incident)
        for event in self._mapper.events(incident):
            key = self._mapper.unique_key(event)
            if key is None:
                self.fail(UnexpectedReply("A record has no unique key, so it cannot be told from others."))
                continue
            mapped = json_text({"incident": mapped_incident, "event": self._mapper.event(event)})
            raw = text if event is incident else json_text(event)
            yield IntakeRecord(key, raw, mapped, self._connection.home_site)

    async def _write(self, pages: MemoryObjectReceiveStream[list[IntakeRecord]]) -> None:
        async with pages:
            async for records in pages:
                if self._broken is None:
                    await self._store(records)

    async def _store(self, records: list[IntakeRecord]) -> None:
        try:
            at = iso(self._clock.now())
            new, updated = await self._log.add(self._connection.id, self._command.id, records, at)
            self._mapper = await self._current()  # tables that were changed hold from the next page on
        except StoreError as error:
            self._broken = error
            return
        self._observe("intake.stored", {"new": new, "updated": updated})
        counts = self._counts
        known = counts.known + len(records) - new - updated
        self._counts = replace(counts, new=counts.new + new, updated=counts.updated + updated, known=known)
