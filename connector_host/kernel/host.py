"""The host: what an embedding program, and every surface, talks to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_host.contract.connection import (
    HEALTH_CHECK,
    OPERATOR,
    Caller,
    Change,
    StoredConnection,
    VaultReference,
)
from connector_host.contract.errors import WrongUse
from connector_host.contract.files import Spool
from connector_host.contract.ids import new_id
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import Choice, HistoryRecord, IntakeRecord, Invocation, Options, Result
from connector_host.kernel.choices import choices_in, parameter_of, plain_choices
from connector_host.kernel.connections.drafting import Draft
from connector_host.kernel.connections.manager import ConnectionManager
from connector_host.kernel.credentials import Reveal
from connector_host.kernel.desks import Desks
from connector_host.kernel.pipeline import Assignment, Parts, Pipeline
from connector_host.kernel.plugins import Registry
from connector_host.kernel.vault import Credential

_DEFAULTS = Options()
_UNRECORDED = Options(record=False)


@dataclass(frozen=True, slots=True)
class _How:
    """With what, for whom and how one invocation runs."""

    inputs: Mapping[str, Any]
    caller: Caller
    options: Options
    take_in: bool = False
    draft: Mapping[str, Any] | None = field(default=None, repr=False)
    actor: str | None = None
    reveal: Reveal | None = None


class Host:
    """Runs commands of plugins through stored connections.

    Make one with `connector_host.open_host()`, and close it by leaving its `async with`. Every method that has a
    `caller` does only what he may; without one it acts for the operator.
    """

    def __init__(self, registry: Registry, connections: ConnectionManager, parts: Parts, desks: Desks) -> None:
        self.registry = registry
        self.connections = connections
        self.places = desks.places
        self.keys = desks.keys
        self.audit = desks.audit
        self.health = desks.health(self._check)
        self.transfer = desks.transfer
        self._diagnosis = desks.diagnosis
        self._parts = parts
        self._pipeline = Pipeline(parts)
        desks.vaults.attach(self._fetch)

    async def run(
        self,
        plugin: str,
        command: str,
        connection: str,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = OPERATOR,
        *,
        options: Options = _DEFAULTS,
    ) -> Result:
        """Run one command and return its result, whatever the inputs or the product's API may do.

        `command` may be written with hyphens. Raises WrongUse (UnknownPlugin, BrokenPlugin, UnknownCommand,
        UnknownConnection) where there is nothing to run, and StoreError where the store fails.
        """
        manifest, found, stored = await self._find(plugin, command, connection, caller)
        return await self._run(manifest, found, stored, _How(inputs or {}, caller, options))

    async def take_in(
        self,
        plugin: str,
        command: str,
        connection: str,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = OPERATOR,
        *,
        options: Options = _DEFAULTS,
    ) -> Result:
        """Run an intake command and keep its records, mapped, in the store; each unique key once per connection.

        The result's raw data holds the counts: `fetched`, `new` and `known`. Memory stays at a few pages, however
        long the list. The records belong to the connection's site, or to the recipient site of a shared one. Raises
        as run() does, and WrongUse for a command that is no intake.
        """
        manifest, found, stored = await self._find(plugin, command, connection, caller)
        if found.intake is None:
            raise WrongUse(f"The command '{command}' of {manifest.name} is no intake.")
        return await self._run(manifest, found, stored, _How(inputs or {}, caller, options, take_in=True))

    async def taken_in(
        self, command: str, connection: str, limit: int = 100, caller: Caller = OPERATOR
    ) -> Sequence[IntakeRecord]:
        """Return the newest records taken in through a connection, newest first."""
        stored = await self.connections.get(connection, caller)
        return await self._parts.store.intake.recent(stored.connection.id, command, limit)

    @property
    def files(self) -> Spool:
        """Files on their way into commands."""
        return self._parts.spool

    async def choices(
        self, plugin: str, command: str, parameter: str, connection: str, caller: Caller = OPERATOR
    ) -> list[Choice]:
        """Return a parameter's options, fetched from the service where the plugin says so; raises WrongUse."""
        found = self.registry.command(plugin, command)[1]
        schema = parameter_of(found, parameter)
        if "options_from" not in schema:
            return plain_choices(schema)
        fetch = schema["options_from"]
        result = await self.run(plugin, fetch["command"], connection, fetch.get("input"), caller, options=_UNRECORDED)
        return choices_in(result, fetch)

    async def test(
        self,
        connection: str,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = OPERATOR,
        *,
        options: Options = _DEFAULTS,
    ) -> Result:
        """Run the plugin's Test Connection through a stored connection."""
        stored = await self.connections.get(connection, caller)
        manifest, command = self._test_command(stored.connection.plugin)
        return await self._run(manifest, command, stored, _How(inputs or {}, caller, options))

    async def test_draft(
        self, name: str, plugin: str, change: Change, caller: Caller = OPERATOR, *, options: Options = _DEFAULTS
    ) -> Result:
        """Run Test Connection on a new connection's values; stores nothing, raises BadSetting for wrong ones."""
        manifest, command = self._test_command(plugin)
        draft = await self.connections.draft(name, plugin, change, caller)
        return await self._run_unsaved(manifest, command, draft, caller, options)

    async def test_edit(
        self, name: str, change: Change, caller: Caller = OPERATOR, *, options: Options = _DEFAULTS
    ) -> Result:
        """Run Test Connection on a connection as it would be after a change; stores nothing."""
        _, draft = await self.connections.draft_edit(name, change, caller, opened=True)
        manifest, command = self._test_command(draft.connection.plugin)
        return await self._run_unsaved(manifest, command, draft, caller, options)

    async def _run_unsaved(
        self, manifest: Manifest, command: Command, draft: Draft, caller: Caller, options: Options
    ) -> Result:
        how = _How({}, caller, replace(options, record=False), draft=draft.secrets or {})
        return await self._run(manifest, command, StoredConnection(draft.connection), how)

    async def test_look_up(self, reference: VaultReference, caller: Caller = OPERATOR) -> Result:
        """Look a value up through a vault connection, as a connection in use would; the result shows it masked."""
        stored = await self.connections.get(reference.vault, caller)
        manifest, command = self._command_of_kind(stored.connection.plugin, "credential", "credential command")
        inputs = {"path": reference.path, "field": reference.field}
        return await self._run(manifest, command, stored, _How(inputs, caller, _DEFAULTS))

    async def _check(self, stored: StoredConnection) -> Result:
        """Run a health check's Test Connection."""
        manifest, command = self._test_command(stored.connection.plugin)
        return await self._run(manifest, command, stored, _How({}, OPERATOR, _DEFAULTS, actor=HEALTH_CHECK))

    async def _fetch(self, vault: StoredConnection, inputs: Mapping[str, Any]) -> tuple[Result, Credential | None]:
        """Run a vault connection's credential command for a connection that needs a value; leaves no history."""
        manifest, command = self._command_of_kind(vault.connection.plugin, "credential", "credential command")
        revealed: list[Credential] = []
        how = _How(inputs, OPERATOR, _UNRECORDED, reveal=revealed.append)
        result = await self._run(manifest, command, vault, how)
        return result, revealed[-1] if revealed else None

    async def history(
        self, limit: int = 50, connection: str | None = None, caller: Caller = OPERATOR, *, checks: bool = False
    ) -> Sequence[HistoryRecord]:
        """Return the newest invocations, newest first; only the operator sees those of all connections together.

        With `checks` only health checks.
        """
        if connection is None:
            if caller != OPERATOR:
                raise WrongUse("Name the connection whose history you want to see.")
            return await self._parts.store.history.recent(limit)
        stored = await self.connections.get(connection, caller)
        only = HEALTH_CHECK if checks else None
        return await self._parts.store.history.recent(limit, stored.connection.id, only)

    async def past(self, invocation_id: str, caller: Caller = OPERATOR) -> HistoryRecord | None:
        """One invocation of the history; None too where the caller may not use its connection."""
        record = await self._parts.store.history.get(invocation_id)
        if record is None or caller == OPERATOR:
            return record
        visible = await self.connections.visible(record.connection_id, caller)
        return record if visible else None

    async def diagnose(self, name: str, caller: Caller = OPERATOR) -> Mapping[str, Any]:
        """Return what support needs to know of a connection, redacted: {file name: JSON value or text}."""
        return await self._diagnosis.of(await self.connections.get(name, caller), caller)

    async def close(self) -> None:
        """Close every wire and the store."""
        await self._parts.openings.close()
        await self._parts.store.close()

    async def _run(self, manifest: Manifest, command: Command, stored: StoredConnection, how: _How) -> Result:
        invocation = Invocation(new_id(), manifest.id, command.id, stored.connection.name, how.inputs, how.caller)
        return await self._pipeline.run(
            Assignment(
                manifest,
                command,
                invocation,
                stored,
                how.options,
                take_in=how.take_in,
                draft=how.draft,
                actor=how.actor or str(how.caller),
                reveal=how.reveal,
            )
        )

    async def _find(
        self, plugin: str, command: str, connection: str, caller: Caller
    ) -> tuple[Manifest, Command, StoredConnection]:
        manifest, found = self.registry.command(plugin, command)
        stored = await self.connections.get(connection, caller)
        if stored.connection.plugin != manifest.id:
            owner = stored.connection.plugin
            raise WrongUse(f"The connection '{connection}' belongs to {owner}, not to {manifest.id}.")
        return manifest, found, stored

    def _test_command(self, plugin: str) -> tuple[Manifest, Command]:
        return self._command_of_kind(plugin, "test_connection", "Test Connection")

    def _command_of_kind(self, plugin: str, kind: str, words: str) -> tuple[Manifest, Command]:
        commands = self.registry.commands_of_kind(plugin, kind)
        if not commands:
            raise WrongUse(f"The plugin '{plugin}' has no {words}.")
        return self.registry.plugin(plugin), next(iter(commands.values()))
