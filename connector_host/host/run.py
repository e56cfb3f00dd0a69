"""A run: an invocation under way, from what the store is told before it begins to what is kept of it."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connector_host.host.core import Core
from connector_host.host.history import begun_of, note_health
from connector_host.host.intake.mapping import Mapper
from connector_host.host.plan import CommandRules
from connector_host.host.redaction import Redactor, hidden_texts
from connector_host.host.results import Collector, entries, status_of
from connector_host.model.effects import Effect, Effects
from connector_host.model.errors import StoreError
from connector_host.model.history import HistoryRecord
from connector_host.model.intake import tables_in
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import InvocationError, NotRecordable
from connector_host.model.result import Result
from connector_host.model.rights import command_rights


class Run(Struct, eq=False):
    """An invocation under way: what it did so far, when it began, whether its inputs were taken, what the store knows.

    `mapper` maps what an intake fetches.
    """

    core: Core
    invocation: Invocation
    effects: Effects
    begun: float
    mapper: Mapper | None = None
    accepted: bool = False
    intent: HistoryRecord | None = None

    @property
    def acts(self) -> bool:
        """Whether it may change something at the product."""
        command = self.invocation.command
        return command.kind == "action" and not command.read_only

    @property
    def effect(self) -> Effect:
        """What it did, as far as is known."""
        return self.effects.verdict if self.acts else Effect.NONE

    def fail(self, output: Collector, error: InvocationError) -> None:
        """Take what failed the whole run, with what it did all the same."""
        for one in (error, *getattr(error, "others", ())):
            one.failure = replace(one.failure, effect=self.effect)
            output.fail(one)

    async def current_mapper(self) -> Mapper:
        """Return what maps an intake's records: the connection's own tables, or the manifest's. Raises StoreError."""
        command, connection = self.invocation.command, self.invocation.stored.connection
        assert command.intake is not None  # noqa: S101 - only intakes are mapped
        kept = None if self.invocation.draft else await self.core.store.mappings.get(connection.id, command.id)
        tables = kept if kept is not None and kept.own else tables_in(command.intake)
        return Mapper(tables.laid_over(command.intake))

    async def intend(self, inputs: str) -> None:
        """Tell the store what is about to run; raises NotRecordable, and then nothing may be sent."""
        if not self.acts:
            return
        begun = begun_of(self.invocation, inputs)
        try:
            await self.core.history.begin(begun)
        except StoreError as error:
            raise NotRecordable(f"Nothing was sent, because it could not be recorded. {error}") from error
        self.intent = begun

    def report(self, rules: CommandRules, output: Collector) -> Result:
        """Return the result as it stands."""
        invocation = self.invocation
        assert invocation.started_at is not None  # noqa: S101 - it is under way
        raw = output.raw_data()
        shown = raw is not None and not invocation.ingest
        return Result(
            status_of(output),
            invocation.manifest.id,
            invocation.command.id,
            invocation.stored.connection.name,
            invocation.id,
            invocation.started_at,
            round((self.core.clock.monotonic() - self.begun) * 1000),
            raw,
            output.context_data(),
            rules.key_fields.of(raw) if shown else {},
            output.whole(),
            self.mapper.map(raw) if self.mapper and shown else None,
            (*output.notes, *self._rights_note(raw)),
            tuple(entries(invocation.command, output)) if output.failures else (),
            self.effect,
        )

    def _rights_note(self, raw: Any) -> Sequence[str]:
        """Return the note on which commands may be run, after a Test Connection that proved something of it."""
        found = None
        if self.invocation.command.kind == "test_connection":
            found = command_rights(self.invocation.manifest, raw)
        return () if found is None else (found.in_words(),)

    def _kept(self, result: Result) -> Result:
        """Return a result as the history keeps it: what the output marks as secret is for who asked alone."""
        command = self.invocation.command
        if not self.core.planner.rules(command).hides:
            return result
        redactor = Redactor(hidden_texts(command.output, result.raw_data))
        names = ("raw_data", "context_data", "key_fields")
        return replace(result, **{name: redactor.value(getattr(result, name)) for name in names})

    async def record(self, output: Collector, result: Result) -> Result:
        """Keep the invocation in history and audit, and what it says about its connection's health.

        A result that cannot be recorded is returned all the same, with a note.
        """
        core, invocation = self.core, self.invocation
        connection = invocation.stored.connection
        try:
            if invocation.options.record or self.intent is not None:
                inputs = output.redactor.text(invocation.inputs_text or "{}")  # by all the secrets that it met
                begun = begun_of(invocation, inputs) if self.intent is None else replace(self.intent, inputs=inputs)
                await core.history.record(self._kept(result), begun, kept=invocation.options.record)
            if invocation.draft is None:
                failures = [failure for _, failure in output.failures]
                health = await note_health(core.store.health, invocation.command, connection, result, failures)
                if health is not None:
                    core.observe("health.changed", {"status": health.status, "attention": health.attention})
        except StoreError as error:
            return replace(result, notes=(*result.notes, f"The result could not be recorded. {error}"))
        return result
