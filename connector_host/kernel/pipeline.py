"""The way of one invocation: find, authorise, validate, open, run, validate, report, redact and record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio

from connector_host.contract.connection import StoredConnection
from connector_host.contract.errors import DeadlinePassed, InvalidInput, InvocationError
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import Invocation, Options, Result
from connector_host.contract.paths import compile_path
from connector_host.contract.ports import Clock, Job, Observe, Reply, Request, Runner, Send, Step
from connector_host.contract.stores import Store
from connector_host.kernel.connections.openings import Opening, Openings
from connector_host.kernel.connections.usable import not_active, refuse_incomplete, refuse_unusable
from connector_host.kernel.credentials import CredentialCollector, Reveal
from connector_host.kernel.health.attention import Attention
from connector_host.kernel.inputs import InputForm
from connector_host.kernel.intake.mapping import Mapper
from connector_host.kernel.recording import Recorder
from connector_host.kernel.redaction import leaves
from connector_host.kernel.result import Collector, entries, incomplete, status_of
from connector_host.kernel.schema import Checker
from connector_host.kernel.settings import Settings
from connector_host.kernel.spool import FileInputs, FileSpool

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
    agents: Mapping[str, Runner]
    steps: Sequence[Step]
    recorder: Recorder
    attention: Attention
    store: Store
    clock: Clock
    observe: Observe
    spool: FileSpool


@dataclass(frozen=True, slots=True)
class Assignment:
    """One invocation with all it concerns.

    `take_in` streams an intake's records into the store; `draft` holds the secrets of a connection that is not stored;
    `actor` stands in history and audit; `reveal` is told what a vault hands out.
    """

    manifest: Manifest
    command: Command
    invocation: Invocation
    stored: StoredConnection
    options: Options
    take_in: bool = False
    draft: Mapping[str, Any] | None = field(default=None, repr=False)
    actor: str = ""
    reveal: Reveal | None = None


class _Prepared:
    """What is built once per command."""

    def __init__(self, command: Command, settings: Settings) -> None:
        self.form = InputForm(command.input, settings.date_time, settings.limits)
        self.files = FileInputs(command.input)
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
        used: list[str] = []
        try:
            draft = assignment.draft is not None
            refuse_unusable(assignment.stored, self._parts.agents, draft=draft, take_in=assignment.take_in)
            prepared = self._prepare(assignment.command)
            inputs, inputs_text = prepared.form.accept(assignment.invocation.inputs)
            inputs, used = prepared.files.opened(inputs, self._parts.spool)
            self._warn(assignment, prepared, collector)
            await self._with_opening(assignment, inputs, collector)
        except InvocationError as error:
            collector.fail(error)
            refused = inputs_text is None and isinstance(error, InvalidInput)
        else:
            refused = False
        finally:
            for reference in used:
                self._parts.spool.remove(reference)
        result = self._report(assignment, collector, started, round((clock.monotonic() - begun) * 1000))
        if assignment.options.record and not refused:
            inputs_text = collector.redactor.text(inputs_text or "{}")
            await self._parts.recorder.record(result, assignment.stored.connection, assignment.actor, inputs_text)
        if assignment.draft is None and not refused:
            failures = [failure for _, failure in collector.failures]
            await self._parts.attention.after(assignment.command, assignment.stored, result, failures)
        self._parts.observe("invocation.finished", _facts(result))
        return result

    def _warn(self, assignment: Assignment, prepared: _Prepared, collector: Collector) -> None:
        """Tell the caller of what is deprecated: the command, and parameters that are given."""
        command = assignment.command
        if command.deprecated is not None:
            collector.note(command.deprecated.told(f"The command {command.title}"))
        for warning in prepared.form.deprecated(assignment.invocation.inputs):
            collector.note(warning)

    def _prepare(self, command: Command) -> _Prepared:
        known = self._prepared.get(id(command))
        if known is None or known[0] is not command:
            known = self._prepared[id(command)] = command, _Prepared(command, self._parts.settings)
        return known[1]

    def _collector(self, assignment: Assignment) -> Collector:
        command, no_secrets = assignment.command, self._parts.openings.no_secrets
        if command.kind == "credential":
            asked = CredentialCollector(command, no_secrets, assignment.options.progress)
            asked.reveal = assignment.reveal
            return asked
        mapper = self._prepare(command).mapper
        if not assignment.take_in or mapper is None:
            return Collector(command, no_secrets, assignment.options.progress)
        from connector_host.kernel.intake.collector import IntakeCollector  # noqa: PLC0415 - other commands need no streams

        return IntakeCollector(
            command,
            no_secrets,
            assignment.options.progress,
            mapper=mapper,
            log=self._parts.store.intake,
            connection=assignment.stored.connection,
        )

    async def _with_opening(self, assignment: Assignment, inputs: Mapping[str, Any], collector: Collector) -> None:
        opening = await self._parts.openings.acquire(assignment.stored, assignment.draft)
        collector.redactor = opening.redactor
        try:
            for name in self._prepare(assignment.command).form.secrets & inputs.keys():
                for text in leaves(inputs[name]):
                    opening.connection.conceal(text)
            refuse_incomplete(assignment.manifest, assignment.command, opening.connection.values)
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
            send=compose(parts.steps, self._send(assignment, opening)),
            clock=parts.clock,
            deadline=parts.clock.monotonic() + seconds,
            concurrency=parts.settings.limits.concurrency,
            outcome=collector,
        )
        checker = self._prepare(command).checker
        with anyio.move_on_after(seconds + GRACE) as scope:
            agent = assignment.stored.connection.agent
            runner = parts.runners[assignment.manifest.runner_of(command)] if agent is None else parts.agents[agent]
            await collector.work(lambda: runner.run(job), checker)
        if scope.cancelled_caught:
            raise DeadlinePassed(f"The command did not end within {seconds:g} seconds.")
        whole = collector.whole()
        if whole is not None and not whole.complete:
            collector.failures.append((None, incomplete(whole)))

    def _send(self, assignment: Assignment, opening: Opening) -> Send:
        """Return what sends a request, unless the connection was made inactive or removed while it waited its turn."""
        session, stored = opening.connection.session, assignment.stored
        if assignment.draft is not None:
            return session.send

        async def send(request: Request) -> Reply:
            now = await self._parts.store.connections.get(connection_id=stored.connection.id)
            if now is None or not now.connection.active:
                raise not_active(stored.connection.name)
            return await session.send(request)

        return send

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
