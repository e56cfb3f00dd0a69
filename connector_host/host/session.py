"""A session: the host as one caller sees it, which every surface and every embedding program works with."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from connector_host.host.audit import AuditTrail
from connector_host.host.choices import choices_in, parameter_of, plain_choices
from connector_host.host.connections.editing import drafted, drafted_edit
from connector_host.host.connections.reading import find
from connector_host.host.connections.service import Connections
from connector_host.host.connections.transfer import Transfers
from connector_host.host.core import Core
from connector_host.host.diagnosis import diagnosis_of
from connector_host.host.events import EventStream, stream_of
from connector_host.host.health import Health
from connector_host.host.history_access import EVERYTHING, intake_records_of, may_read, runs_of, search
from connector_host.host.intake.feed import Intakes
from connector_host.host.intake.mappings import Mappings
from connector_host.host.intake.subscription import take_in
from connector_host.host.invocation import command_of_kind, invoke, test_command
from connector_host.host.keys import Keys
from connector_host.host.preferences import Preferences
from connector_host.host.requested import command_of, invocation_of, requested
from connector_host.host.sites import Sites
from connector_host.host.store_care import StoreCare
from connector_host.host.tokens import Tokens
from connector_host.host.unsaved import run_with, test_unsaved
from connector_host.host.uploads import Uploads
from connector_host.host.usage import Usage
from connector_host.model.caller import Operator, Principal, actor_of
from connector_host.model.connection import Change, VaultReference
from connector_host.model.errors import NotAllowed, WrongUse
from connector_host.model.history import HistoryFilter, HistoryPage, HistoryRecord
from connector_host.model.intake import IntakeRecord
from connector_host.model.invocation import DEFAULTS, UNRECORDED, Options
from connector_host.model.result import Choice, Result

Inputs = Mapping[str, Any] | None
Values = Mapping[str, Any]


class Session:
    """A host as one caller sees it."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    @cached_property
    def connections(self) -> Connections:
        """Connections: added, changed, listed and shown; secrets go in and never come out."""
        return Connections(self._core, self._caller)

    @cached_property
    def sites(self) -> Sites:
        """Tenants and sites; the operator's."""
        return Sites(self._core.sites, self._core.audit, self._caller)

    @cached_property
    def keys(self) -> Keys:
        """The master keys; the operator's."""
        return Keys(self._core.secrets, self._caller)

    @cached_property
    def audit(self) -> AuditTrail:
        """Who did what to which connection; the operator's."""
        return AuditTrail(self._core.audit, self._caller)

    @cached_property
    def store(self) -> StoreCare:
        """The database: checked, and backed up; the operator's."""
        return StoreCare(self._core.store, self._core.audit, self._core.secrets, self._caller)

    @cached_property
    def health(self) -> Health:
        """Health checks; the operator's."""
        return Health(self._core, self._caller)

    @cached_property
    def intake(self) -> Intakes:
        """What was taken in, read on in order of arrival; and the schedules by which it is fetched."""
        return Intakes(self._core, self._caller)

    @cached_property
    def mappings(self) -> Mappings:
        """Field mappings of connections' own, in place of their manifests'."""
        return Mappings(self._core, self._caller)

    @cached_property
    def usage(self) -> Usage:
        """How much connections are used."""
        return Usage(self._core, self._caller)

    @cached_property
    def preferences(self) -> Preferences:
        """How the caller wants times written."""
        return Preferences(self._core, self._caller)

    @cached_property
    def tokens(self) -> Tokens:
        """Tokens for the HTTP API; the operator's."""
        return Tokens(self._core, self._caller)

    @cached_property
    def transfer(self) -> Transfers:
        """Export and import of connections; the operator's."""
        return Transfers(self._core, self._caller)

    def events(self, *names: str) -> EventStream:
        """Return a stream of what happens from now on, of these kinds or of all, as far as the caller may see it.

        The operator sees everything; others what happens to connections that they may use, and invocations of their
        own or of connections that they administer. A slow reader loses the oldest events, and is told how many. Close
        it with aclose(). Raises WrongUse for a kind that is none.
        """
        return stream_of(self._core, self._caller, names)

    @property
    def uploads(self) -> Uploads:
        """Files on their way into commands, the caller's own; raises NotAllowed for one with nothing in it."""
        if not self._caller_is_known():
            raise NotAllowed("A caller with nothing in it may do nothing.")
        return self._core.uploads.of(actor_of(self._caller))

    async def run(
        self, plugin: str, command: str, connection: str, inputs: Inputs = None, *, options: Options = DEFAULTS
    ) -> Result:
        """Run one command and return its result, whatever the inputs or the product's API may do.

        `command` may be written with hyphens. Raises WrongUse (UnknownPlugin, BrokenPlugin, UnknownCommand,
        UnknownConnection, KeyReused) where there is nothing to run.
        """
        found = await requested(self._core, self._caller, plugin, command, connection)
        return await invoke(self._core, invocation_of(self._caller, found, inputs, options))

    async def ingest(
        self, plugin: str, command: str, connection: str, inputs: Inputs = None, *, options: Options = DEFAULTS
    ) -> Result:
        """Run an intake command and keep its records, mapped, in the store; each unique key once per connection.

        Without times it goes on where the last whole run with the same inputs ended. The raw data holds the counts
        `fetched`, `new`, `updated` and `known`; memory stays at a few pages, however long the list. The records belong
        to the connection's site, or to the recipient site of a shared one. Raises as run() does, and WrongUse for a
        command that is no intake.
        """
        found = manifest, wanted, stored = await requested(self._core, self._caller, plugin, command, connection)
        if wanted.intake is None:
            raise WrongUse(f"The command '{command}' of {manifest.name} is no intake.")

        async def run(given: Mapping[str, Any], options: Options) -> Result:
            return await invoke(self._core, invocation_of(self._caller, found, given, options, ingest=True))

        return await take_in(self._core, stored.connection, wanted, inputs or {}, options, run)

    async def ingested(self, command: str, connection: str, limit: int = 100) -> Sequence[IntakeRecord]:
        """Return the records that were taken in last, last first; raises UnknownConnection, UnknownCommand.

        A record belongs to a site: who is elsewhere, and does not administer the connection, does not see it.
        """
        stored = await find(self._core, connection, self._caller)
        found = command_of(self._core, self._caller, stored.connection.plugin, command)[1]
        return await intake_records_of(self._core, stored, self._caller, found.id, limit)

    async def choices(self, plugin: str, command: str, parameter: str, connection: str) -> list[Choice]:
        """Return a parameter's options, fetched from the service where the plugin says so; raises WrongUse."""
        schema = parameter_of(self._core.registry.command(plugin, command)[1], parameter)
        if "options_from" not in schema:
            return plain_choices(schema)
        fetch = schema["options_from"]
        result = await self.run(plugin, fetch["command"], connection, fetch.get("input"), options=UNRECORDED)
        return choices_in(result, fetch)

    async def test(self, connection: str, inputs: Inputs = None, *, options: Options = DEFAULTS) -> Result:
        """Run the plugin's Test Connection through a stored connection; raises as run() does."""
        stored = await find(self._core, connection, self._caller)
        manifest, command = test_command(self._core.registry, stored.connection.plugin)
        found = (*command_of(self._core, self._caller, manifest.id, command.id), stored)
        return await invoke(self._core, invocation_of(self._caller, found, inputs, options))

    async def run_with(
        self, plugin: str, command: str, values: Values, inputs: Inputs = None, *, options: Options = UNRECORDED
    ) -> Result:
        """Run one command with a connection's values, parameters and secrets together: nothing of them is stored.

        Without `options` nothing is kept in the history either. Raises as run() does, and BadSetting for wrong values.
        """
        manifest, found = command_of(self._core, self._caller, plugin, command)
        if not isinstance(self._caller, Operator) and self._caller.bounds.connections:
            raise NotAllowed("You may run commands through the connections that you were given alone.")
        return await run_with(self._core, self._caller, manifest.id, found.id, values, inputs, options)

    async def test_draft(
        self, name: str, plugin: str, change: Change, *, inputs: Inputs = None, options: Options = DEFAULTS
    ) -> Result:
        """Run Test Connection on a new connection's values; stores nothing, raises BadSetting for wrong ones."""
        draft = await drafted(self._core, self._caller, name, plugin, change)
        return await test_unsaved(self._core, self._caller, draft.connection, draft.secrets or {}, inputs, options)

    async def test_edit(
        self, name: str, change: Change, *, inputs: Inputs = None, options: Options = DEFAULTS
    ) -> Result:
        """Run Test Connection on a connection as it would be after a change; stores nothing, raises BadSetting."""
        _, draft = await drafted_edit(self._core, self._caller, name, change, opened=True)
        return await test_unsaved(self._core, self._caller, draft.connection, draft.secrets or {}, inputs, options)

    async def test_look_up(self, reference: VaultReference) -> Result:
        """Look a value up through a vault connection, as a connection in use would; the result shows it masked."""
        stored = await find(self._core, reference.vault, self._caller)
        kind = command_of_kind(self._core.registry, stored.connection.plugin, "credential", "credential command")
        inputs = {"path": reference.path, "field": reference.field}
        return await invoke(self._core, invocation_of(self._caller, (*kind, stored), inputs, DEFAULTS))

    async def history(
        self, limit: int = 50, connection: str | None = None, *, checks: bool = False
    ) -> Sequence[HistoryRecord]:
        """Return the newest invocations, newest first: the operator those of all connections, others their own.

        Of a connection that they administer others see all; with `checks` health checks alone. Raises
        UnknownConnection.
        """
        if connection is None:
            return (await search(self._core, self._caller, EVERYTHING, "", limit)).records
        stored = await find(self._core, connection, self._caller)
        return await runs_of(self._core, stored, self._caller, limit, checks=checks)

    async def search_history(self, wanted: HistoryFilter, *, after: str = "", limit: int = 50) -> HistoryPage:
        """Return invocations of those that history() tells of, newest first, page by page.

        `after` is the page before's `next`. Raises UnknownConnection, and BadSetting where the history no longer has
        what `after` names.
        """
        return await search(self._core, self._caller, wanted, after, limit)

    def _caller_is_known(self) -> bool:
        return isinstance(self._caller, Operator) or bool(self._caller)

    async def past(self, invocation_id: str) -> HistoryRecord | None:
        """One invocation of the history; None too where it is none of the caller's."""
        record = await self._core.store.history.get(invocation_id)
        return record if record is not None and await may_read(self._core, record, self._caller) else None

    async def diagnose(self, name: str) -> Mapping[str, Any]:
        """Return what support needs to know of a connection, redacted: {file name: JSON value or text}.

        It holds what the caller may see: the audit is the operator's.
        """
        return await diagnosis_of(self._core, await find(self._core, name, self._caller), self._caller)
