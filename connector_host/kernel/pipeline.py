"""The way of one invocation: find, authorise, validate, open, run, validate, report, redact and record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anyio

from connector_host.contract.errors import DeadlinePassed, InvalidInput, InvocationError, SealError, SecretUnavailable
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import Invocation, Options, Result, StoredConnection
from connector_host.contract.paths import compile_path
from connector_host.contract.ports import Clock, IntakeLog, Job, Observe, Runner, Send, Step
from connector_host.kernel.access import authorise
from connector_host.kernel.inputs import InputForm
from connector_host.kernel.mapping import Mapper
from connector_host.kernel.openings import Opening, Openings
from connector_host.kernel.recording import Recorder
from connector_host.kernel.result import Collector, entries, incomplete, status_of
from connector_host.kernel.schema import Checker
from connector_host.kernel.settings import Settings

GRACE = 0.5  # seconds in which what heeds the deadline by itself may tell how far it came


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
    recorder: Recorder
    intake_log: IntakeLog
    clock: Clock
    observe: Observe


@dataclass(frozen=True, slots=True)
class Assignment:
    """One invocation with all it concerns; `take_in` streams an intake's records into the store."""

    manifest: Manifest
    command: Command
    invocation: Invocation
    stored: StoredConnection
    options: Options
    take_in: bool = False


class _Prepared:
    """What is built once per command."""

    def __init__(self, command: Command, settings: Settings) -> None:
        self.form = InputForm(command.input, settings.date_time, settings.limits)
        self.checker = None if command.output is None else Checker(command.output)
        self.mapper = None if command.intake is None else Mapper(command.intake)
        self.key_fields = {name: compile_path(path) for name, path in command.key_fields.items()}


class Pipeline:
    """Runs invocations."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._prepared: dict[int, tuple[Command, _Prepared]] = {}

    async def run(self, assignment: Assignment) -> Result:
        """Run one invocation; whatever a user or an API can cause becomes part of the result.

        Inputs that are refused leave no trace: nothing was sent, and nothing of them is kept.
        """
        clock = self._parts.clock
        started, begun = clock.now(), clock.monotonic()
        collector = self._collector(assignment)
        inputs_text: str | None = None
        try:
            authorise(assignment.stored, assignment.invocation.caller)
            inputs, inputs_text = self._prepare(assignment.command).form.accept(assignment.invocation.inputs)
            await self._with_opening(assignment, inputs, collector)
        except InvocationError as error:
            collector.fail(error)
            refused = inputs_text is None and isinstance(error, InvalidInput)
        else:
            refused = False
        result = self._report(assignment, collector, started, round((clock.monotonic() - begun) * 1000))
        if assignment.options.record and not refused:
            inputs_text = collector.redactor.text(inputs_text or "{}")
            await self._parts.recorder.record(result, assignment.invocation.caller, inputs_text)
        self._parts.observe("invocation.finished", _facts(result))
        return result

    def _prepare(self, command: Command) -> _Prepared:
        known = self._prepared.get(id(command))
        if known is None or known[0] is not command:
            known = self._prepared[id(command)] = command, _Prepared(command, self._parts.settings)
        return known[1]

    def _collector(self, assignment: Assignment) -> Collector:
        command, no_secrets = assignment.command, self._parts.openings.no_secrets
        mapper = self._prepare(command).mapper
        if not assignment.take_in or mapper is None:
            return Collector(command, no_secrets, assignment.options.progress)
        from connector_host.kernel.intake import IntakeCollector  # noqa: PLC0415 - other commands need no streams

        return IntakeCollector(
            command,
            no_secrets,
            assignment.options.progress,
            mapper=mapper,
            log=self._parts.intake_log,
            connection_id=assignment.stored.connection.id,
        )

    async def _with_opening(self, assignment: Assignment, inputs: Mapping[str, Any], collector: Collector) -> None:
        try:
            opening = await self._parts.openings.acquire(assignment.stored)
        except SealError as error:
            raise SecretUnavailable(str(error)) from error
        collector.redactor = opening.redactor
        try:
            await self._carry_out(assignment, inputs, opening, collector)
        finally:
            await self._parts.openings.release(opening)

    async def _carry_out(
        self, assignment: Assignment, inputs: Mapping[str, Any], opening: Opening, collector: Collector
    ) -> None:
        """Run the command; the deadline cuts off whatever does not heed it by itself."""
        parts, command = self._parts, assignment.command
        seconds = assignment.options.deadline_seconds or command.deadline or parts.settings.limits.deadline_seconds
        job = Job(
            manifest=assignment.manifest,
            command=command,
            inputs=inputs,
            opened=opening.connection,
            send=compose(parts.steps, opening.connection.session.send),
            clock=parts.clock,
            deadline=parts.clock.monotonic() + seconds,
            concurrency=parts.settings.limits.concurrency,
            outcome=collector,
        )
        checker = self._prepare(command).checker
        with anyio.move_on_after(seconds + GRACE) as scope:
            await collector.work(lambda: parts.runners[command.runner].run(job), checker)
        if scope.cancelled_caught:
            raise DeadlinePassed(f"The command did not end within {seconds:g} seconds.")
        whole = collector.whole()
        if whole is not None and not whole.complete:
            collector.failures.append((None, incomplete(whole)))

    def _report(self, assignment: Assignment, collector: Collector, started: datetime, duration_ms: int) -> Result:
        invocation, prepared = assignment.invocation, self._prepare(assignment.command)
        raw = collector.raw_data()
        shown = raw is not None and not assignment.take_in
        return Result(
            status=status_of(collector),
            plugin=invocation.plugin,
            command=invocation.command,
            connection=invocation.connection,
            invocation_id=invocation.id,
            started_at=started,
            duration_ms=duration_ms,
            raw_data=raw,
            context_data=collector.context_data(),
            key_fields={name: path.find(raw) for name, path in prepared.key_fields.items()} if shown else {},
            completeness=collector.whole(),
            intake=prepared.mapper.map(raw) if prepared.mapper and shown else None,
            notes=tuple(collector.notes),
            errors=tuple(entries(assignment.command, collector)),
        )


def _facts(result: Result) -> dict[str, Any]:
    return {
        "id": result.invocation_id,
        "plugin": result.plugin,
        "command": result.command,
        "status": result.status.value,
        "duration_ms": result.duration_ms,
    }
