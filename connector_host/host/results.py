"""Gathers what comes out of a command and makes one honest result of it."""

import logging
from collections.abc import Iterator
from copy import copy
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from connector_host.host.redaction import Redactor
from connector_host.manifests.schema import Checker
from connector_host.model.authoring import Item, Page, item_name
from connector_host.model.boundary import outcome
from connector_host.model.effects import EFFECTS, Effect
from connector_host.model.failure import HTTP_EQUIVALENT, Failure, Kind
from connector_host.model.invocation import Invocation, Progress
from connector_host.model.invocation_errors import CommandBug, DeadlinePassed, InvocationError, UnexpectedReply
from connector_host.model.manifest import Command
from connector_host.model.result import Completeness, ErrorEntry, Status
from connector_host.ports.parts import Body

log = logging.getLogger("connector_host")

SHOWN_FAULTS = 20
LONGEST = 500  # characters of a sentence in the error tab
MAYBE = "The product may have acted on it: look there before you repeat it."


class Collector:
    """The outcome of one invocation while it grows; redacts what comes in."""

    def __init__(self, command: Command, redactor: Redactor, progress: Progress | None) -> None:
        self._command = command
        self.redactor = redactor
        self._progress = progress
        self.records: list[Any] = []
        self.by_item: list[dict[str, Any]] = []
        self.failures: list[tuple[str | None, Failure]] = []
        self.notes: list[str] = []
        self.succeeded = 0
        self._told: set[str | None] = set()
        self._lists: list[Completeness] = []

    async def work(self, body: Body, invocation: Invocation, checker: Checker | None) -> None:
        """Run the command that this collector gathers from, and check what came of it.

        Where the command answers for each of a list, what it did not tell of is told of here.
        """
        try:
            await body(invocation, self)
        except InvocationError as error:
            if not self._told and error.failure.effect is Effect.NONE:
                raise
            if not self._tell_the_rest(invocation, error):
                raise
        except BaseException:
            self._tell_the_rest(invocation, DeadlinePassed())
            raise
        else:
            self._tell_the_rest(invocation, CommandBug("The command did not say what became of it."))
        if checker is not None:
            self._check(checker)

    def _tell_the_rest(self, invocation: Invocation, why: InvocationError) -> bool:
        """Tell of each element that was not told of that it failed so; return whether there is such a list."""
        name = self._command.answers_for
        if name is None:
            return False
        effects = EFFECTS.get()
        maybe = effects is not None and effects.verdict is Effect.UNKNOWN
        for element in dict.fromkeys(map(item_name, invocation.inputs.get(name, ()))):
            if element not in self._told:
                error = copy(why)
                error.failure = replace(why.failure, effect=Effect.UNKNOWN) if maybe else why.failure
                self.add(Item(element, error))
        return True

    def _check(self, checker: Checker) -> None:
        """Tell of records that are not what the manifest promises; they stay in the raw data."""
        raw = self.raw_data()
        if (raw is None and not self.records) or checker.accepts(raw):
            return
        effects = EFFECTS.get()
        for fault in islice(checker.faults(raw), SHOWN_FAULTS):
            place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.path)
            words = UnexpectedReply("The answer is not what the API promises.", detail=f"At {place}: {fault.reason}")
            self.fail(words if effects is None else words.amended(effect=effects.verdict), place)

    def add(self, item: Item | Page) -> None:
        """Take one item, or one page."""
        key, value, failure = (None, item, None) if isinstance(item, Page) else (item.key, item.value, item.failure)
        self._told.add(key)
        if isinstance(value, InvocationError):
            self.fail(value, key)
            return
        try:
            self._take(key, value)
        except RecursionError:
            self.fail(UnexpectedReply("What came is nested beyond all use."), key)
        if failure is None:
            self.succeeded += 1
        else:
            self.fail(failure, key)

    def _take(self, key: str | None, value: Any) -> None:
        if isinstance(value, Page):
            kept: Any = value.records if value.clean else self.redactor.value(value.records)
            self.records.extend(kept)
        else:
            kept = self.redactor.value(value)
            self.records.append(kept)
        if self._command.each is not None:
            self.by_item.append({"item": self.redactor.text(key or ""), "value": kept})

    def ended(self, product_time: datetime) -> None:
        """Take the time of the end by the product's clock; intakes keep it."""

    @property
    def refuses_credentials(self) -> bool:
        """Whether the product refuses the credentials, for all that was asked."""
        return not self.succeeded and any(failure.kind is Kind.UNAUTHORIZED for _, failure in self.failures)

    def begin_again(self) -> None:
        """Forget what came: the command is run anew."""
        self.records, self.by_item, self.failures, self.notes, self._lists = [], [], [], [], []
        self.succeeded, self._told = 0, set()

    def fail(self, error: InvocationError, item: str | None = None) -> None:
        """Take one failure; without an item it is the whole command's."""
        self.failures.append((item, error.failure))

    def completeness(self, facts: Completeness) -> None:
        """Take one list's completeness."""
        self._lists.append(facts)

    def note(self, text: str) -> None:
        """Take a sentence for people, once."""
        shown = self.redactor.text(text)
        if shown not in self.notes:
            self.notes.append(shown)

    def progress(self, done: int, total: int | None) -> None:
        """Pass on how far the command has come."""
        if self._progress is None:
            return
        error = outcome(partial(self._progress, done, total))[1]
        if error is not None:  # whoever looks on does not decide over the command
            log.warning("The function that is told of progress failed, and is told no more.", exc_info=error)
            self._progress = None

    def shown(self, text: str) -> str:
        """Return a text as it may leave the host: masked whole first, and only then put on one line and cut."""
        line = " ".join(self.redactor.text(text).split())
        return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"

    def whole(self) -> Completeness | None:
        """All lists' completeness in one."""
        if not self._lists:
            return None
        reasons = dict.fromkeys(facts.stopped_because for facts in self._lists if facts.stopped_because)
        return Completeness(
            complete=all(facts.complete for facts in self._lists),
            returned=len(self.records),
            pages=sum(facts.pages for facts in self._lists),
            stopped_because=self.shown(" ".join(reasons)) or None,
            limited=all(facts.complete or facts.limited for facts in self._lists)
            and any(facts.limited for facts in self._lists),
        )

    def raw_data(self) -> Any:
        """Return the records under their name, or the only item itself."""
        if self._command.collect is not None:
            return {self._command.collect: self.records} if self.records or self.succeeded else None
        if self._command.each is not None:
            return self.records or None
        return self.records[0] if self.records else None

    def context_data(self) -> Any:
        """Return the records alone, by item where the command runs once per element."""
        if self._command.each is not None:
            return self.by_item or None
        return self.records if self.records or self.succeeded else None


def entries(command: Command, collector: Collector) -> Iterator[ErrorEntry]:
    """Return the rows of the error tab, redacted."""
    clean = collector.shown
    for item, failure in collector.failures:
        message, detail = sentence(failure.message), failure.detail
        if failure.effect is Effect.UNKNOWN:
            detail = f"{detail} {MAYBE}".strip()
        if failure.http_status is not None and failure.kind in command.messages and not failure.worded:
            message, detail = command.messages[failure.kind], f"The server says: {message} {detail}".rstrip()
        yield ErrorEntry(
            item=None if item is None else clean(item),
            failure_indicator=clean(failure.indicator or command.failure_indicator),
            status_code=clean(status_code(failure, command)),
            message=clean(message),
            detail=clean(detail),
            assistance=clean(failure.assistance or command.assistance.get(failure.kind, "")),
            kind=failure.kind,
            http_status=failure.http_status,
            reference=failure.reference,
            effect=failure.effect.value,
            pointer=failure.pointer,
        )


def status_code(failure: Failure, command: Command) -> str:
    """Return the product's own code, else a refusal's HTTP status, else the manifest's, else the kind's equivalent."""
    if failure.code is not None:
        return failure.code
    if failure.http_status is not None and failure.http_status >= 400:  # noqa: PLR2004 - RFC 9110, 15.5
        return str(failure.http_status)
    return command.failure_codes.get(failure.kind) or str(HTTP_EQUIVALENT[failure.kind])


def status_of(collector: Collector) -> Status:
    """Return Passed where all went well, Partially Successful where some did, else Failed."""
    if not collector.failures:
        return Status.PASSED
    return Status.PARTIAL if collector.succeeded else Status.FAILED


def incomplete(facts: Completeness) -> Failure:
    """Return the failure that a truncated list is."""
    return Failure(
        Kind.INCOMPLETE,
        f"The list is incomplete: {facts.returned} records were returned.",
        detail=facts.stopped_because or "",
        assistance="Narrow the request, or run it again later.",
    )


def sentence(text: str) -> str:
    """Return the text as a sentence: trimmed, and ended by a full stop unless it ends otherwise."""
    trimmed = " ".join(text.split())
    return trimmed if trimmed.endswith((".", "!", "?")) or not trimmed else f"{trimmed}."
