"""The way of one invocation: find, authorise, validate, open, run, validate, report, redact and record."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from connector_host.contract.documents import as_document, as_json, iso
from connector_host.contract.errors import (
    DeadlinePassed,
    InvalidInput,
    InvocationError,
    SealError,
    SecretUnavailable,
    UnexpectedReply,
)
from connector_host.contract.ids import new_id
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import OPERATOR, Caller, HistoryRecord, Invocation, Options, Result, StoredConnection
from connector_host.contract.paths import compile_path
from connector_host.contract.ports import Clock, History, Job, Observe, Runner, Send, Step
from connector_host.kernel.access import authorise
from connector_host.kernel.inputs import InputForm
from connector_host.kernel.mapping import map_records
from connector_host.kernel.openings import Opening, Openings
from connector_host.kernel.result import Collector, entries, incomplete, status_of
from connector_host.kernel.schema import Checker
from connector_host.kernel.settings import Settings

log = logging.getLogger("connector_host")
SHOWN_FAULTS = 20


def compose(steps: Sequence[Step], send: Send) -> Send:
    """Wrap `send` in the steps, the first outermost."""
    for step in reversed(steps):
        send = _around(step, send)
    return send


def _around(step: Step, send: Send) -> Send:
    return lambda request: step(request, send)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline works with."""

    settings: Settings
    openings: Openings
    runners: Mapping[str, Runner]
    steps: Sequence[Step]
    history: History
    clock: Clock
    observe: Observe


class InputRefused(Exception):
    """Inputs that never reached the command: nothing was sent, and nothing of them is kept."""

    def __init__(self, error: InvalidInput) -> None:
        super().__init__(str(error))
        self.error = error


class Pipeline:
    """Runs invocations; what can be built once per command is."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._forms: dict[int, InputForm] = {}
        self._outputs: dict[int, Checker] = {}

    async def run(
        self,
        manifest: Manifest,
        command: Command,
        invocation: Invocation,
        stored: StoredConnection,
        options: Options,
    ) -> Result:
        """Run one invocation; whatever a user or an API can cause becomes part of the result."""
        clock = self._parts.clock
        started, begun = clock.now(), clock.monotonic()
        opening, inputs_text, record = None, "{}", options.record
        collector = Collector(command, self._parts.openings.no_secrets, options.progress)
        try:
            authorise(stored, invocation.caller)
            inputs, inputs_text = self._accept(command, invocation)
            opening = await self._acquire(stored)
            collector.redactor = opening.redactor
            await self._carry_out(manifest, command, inputs, opening, collector, options)
        except InputRefused as refused:
            collector.fail(refused.error)
            record = False
        except InvocationError as error:
            collector.fail(error)
        finally:
            if opening is not None:
                await self._parts.openings.release(opening)
        result = self._report(command, collector, invocation, started, round((clock.monotonic() - begun) * 1000))
        if record:
            await self._record(result, invocation.caller, collector.redactor.text(inputs_text))
        self._parts.observe(
            "invocation.finished",
            {
                "id": result.invocation_id,
                "status": result.status.value,
                "plugin": result.plugin,
                "command": result.command,
                "duration_ms": result.duration_ms,
            },
        )
        return result

    def _accept(self, command: Command, invocation: Invocation) -> tuple[dict[str, Any], str]:
        try:
            return self._form(command).accept(invocation.inputs)
        except InvalidInput as error:
            raise InputRefused(error) from error

    def _form(self, command: Command) -> InputForm:
        form = self._forms.get(id(command))
        if form is None:
            form = self._forms[id(command)] = InputForm(
                command.input, self._parts.settings.date_time, self._parts.settings.limits
            )
        return form

    async def _acquire(self, stored: StoredConnection) -> Opening:
        try:
            return await self._parts.openings.acquire(stored)
        except SealError as error:
            raise SecretUnavailable(str(error)) from error

    async def _carry_out(
        self,
        manifest: Manifest,
        command: Command,
        inputs: Mapping[str, Any],
        opening: Opening,
        collector: Collector,
        options: Options,
    ) -> None:
        """Run the command; the deadline cuts off whatever does not heed it by itself."""
        parts = self._parts
        seconds = options.deadline_seconds or command.deadline or parts.settings.limits.deadline_seconds
        job = Job(
            manifest=manifest,
            command=command,
            inputs=inputs,
            opened=opening.connection,
            send=compose(parts.steps, opening.connection.session.send),
            clock=parts.clock,
            deadline=parts.clock.monotonic() + seconds,
            concurrency=parts.settings.limits.concurrency,
            outcome=collector,
        )
        with anyio.move_on_after(seconds + 0.5) as scope:
            await parts.runners[command.runner].run(job)
        if scope.cancelled_caught:
            raise DeadlinePassed(f"The command did not end within {seconds:g} seconds.")
        self._check_output(command, collector)
        whole = collector.whole()
        if whole is not None and not whole.complete:
            collector.failures.append((None, incomplete(whole)))

    def _check_output(self, command: Command, collector: Collector) -> None:
        """Tell of records that are not what the manifest promises; they stay in the raw data."""
        raw = collector.raw_data()
        if command.output is None or raw is None:
            return
        checker = self._outputs.get(id(command))
        if checker is None:
            checker = self._outputs[id(command)] = Checker(command.output)
        if checker.accepts(raw):
            return
        for count, fault in enumerate(checker.faults(raw)):
            if count == SHOWN_FAULTS:
                break
            place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.path)
            collector.fail(
                UnexpectedReply("The answer is not what the API promises.", detail=f"At {place}: {fault.reason}"),
                place,
            )

    def _report(
        self, command: Command, collector: Collector, invocation: Invocation, started: Any, duration_ms: int
    ) -> Result:
        raw = collector.raw_data()
        return Result(
            status=status_of(collector),
            plugin=invocation.plugin,
            command=command.id,
            connection=invocation.connection,
            invocation_id=invocation.id,
            started_at=started,
            duration_ms=duration_ms,
            raw_data=raw,
            context_data=collector.context_data(),
            key_fields={name: compile_path(path).find(raw) for name, path in command.key_fields.items()}
            if raw is not None
            else {},
            completeness=collector.whole(),
            intake=map_records(command.intake, raw) if command.intake else None,
            notes=tuple(collector.notes),
            errors=tuple(entries(command, collector)),
        )

    async def _record(self, result: Result, caller: Caller, inputs: str) -> None:
        document = as_document(result)
        error = document["error"]
        await self._parts.history.append(
            HistoryRecord(
                invocation_id=result.invocation_id,
                plugin=result.plugin,
                command=result.command,
                connection=result.connection,
                caller=caller.user or ("operator" if caller == OPERATOR else ""),
                status=result.status.value,
                started_at=iso(result.started_at),
                duration_ms=result.duration_ms,
                inputs=inputs,
                error=as_json(error) if error else None,
                result=_kept(document, self._parts.settings.limits.kept_result_bytes),
            )
        )


def _kept(document: Mapping[str, Any], limit: int) -> str | None:
    """Return the result as JSON for the history, or None where it is too large to keep."""
    whole = document["completeness"]
    if whole is not None and whole["returned"] * 100 > limit:
        return None
    text = as_json(document)
    return text if len(text) <= limit else None


def new_invocation(plugin: str, command: str, connection: str, inputs: Mapping[str, Any], caller: Caller) -> Invocation:
    """Return an invocation with an id of its own."""
    return Invocation(new_id(), plugin, command, connection, inputs, caller)
