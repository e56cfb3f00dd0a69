"""The host: what an embedding program, and every surface, talks to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector_host.contract.errors import WrongUse
from connector_host.contract.ids import new_id
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import (
    OPERATOR,
    Caller,
    Change,
    HistoryRecord,
    IntakeRecord,
    Invocation,
    Options,
    Result,
    StoredConnection,
)
from connector_host.contract.ports import Store
from connector_host.kernel.connections import ConnectionManager
from connector_host.kernel.pipeline import Assignment, Parts, Pipeline
from connector_host.kernel.plugins import Registry
from connector_host.kernel.secrets import SecretKeeper

_DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class _How:
    """With what, for whom and how one invocation runs."""

    inputs: Mapping[str, Any]
    caller: Caller
    options: Options
    take_in: bool = False


class Host:
    """Runs commands of plugins through stored connections.

    Make one with `connector_host.open_host()`, and close it by leaving its `async with`.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        keeper: SecretKeeper,
        connections: ConnectionManager,
        parts: Parts,
    ) -> None:
        self.registry = registry
        self.connections = connections
        self.keys = keeper
        self._store = store
        self._parts = parts
        self._pipeline = Pipeline(parts)

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
        manifest, found, stored = await self._find(plugin, command, connection)
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
        long the list. Raises as run() does, and WrongUse for a command that is no intake.
        """
        manifest, found, stored = await self._find(plugin, command, connection)
        if found.intake is None:
            raise WrongUse(f"The command '{command}' of {manifest.name} is no intake.")
        return await self._run(manifest, found, stored, _How(inputs or {}, caller, options, take_in=True))

    async def taken_in(self, command: str, connection: str, limit: int = 100) -> Sequence[IntakeRecord]:
        """Return the newest records taken in through a connection, newest first."""
        stored = await self.connections.get(connection)
        return await self._store.intake.recent(stored.connection.id, command, limit)

    async def test(
        self, connection: str, inputs: Mapping[str, Any] | None = None, *, options: Options = _DEFAULTS
    ) -> Result:
        """Run the plugin's Test Connection through a stored connection."""
        stored = await self.connections.get(connection)
        manifest, command = self._test_command(stored.connection.plugin)
        return await self._run(manifest, command, stored, _How(inputs or {}, OPERATOR, options))

    async def test_draft(self, name: str, plugin: str, change: Change, *, options: Options = _DEFAULTS) -> Result:
        """Run Test Connection on values that are not saved; stores nothing, raises BadSetting for wrong ones."""
        manifest, command = self._test_command(plugin)
        draft = await self.connections.draft(name, plugin, change)
        result = await self._run(manifest, command, draft, _How({}, OPERATOR, replace(options, record=False)))
        await self._parts.openings.forget(draft.connection.id)
        return result

    async def history(self, limit: int = 50, connection: str | None = None) -> Sequence[HistoryRecord]:
        """Return the newest invocations, newest first."""
        return await self._store.history.recent(limit, connection)

    async def past(self, invocation_id: str) -> HistoryRecord | None:
        """One invocation of the history."""
        return await self._store.history.get(invocation_id)

    async def close(self) -> None:
        """Close every wire and the store."""
        await self._parts.openings.close()
        await self._store.close()

    async def _run(self, manifest: Manifest, command: Command, stored: StoredConnection, how: _How) -> Result:
        invocation = Invocation(new_id(), manifest.id, command.id, stored.connection.name, how.inputs, how.caller)
        return await self._pipeline.run(Assignment(manifest, command, invocation, stored, how.options, how.take_in))

    async def _find(self, plugin: str, command: str, connection: str) -> tuple[Manifest, Command, StoredConnection]:
        manifest, found = self.registry.command(plugin, command)
        stored = await self.connections.get(connection)
        if stored.connection.plugin != manifest.id:
            owner = stored.connection.plugin
            raise WrongUse(f"The connection '{connection}' belongs to {owner}, not to {manifest.id}.")
        return manifest, found, stored

    def _test_command(self, plugin: str) -> tuple[Manifest, Command]:
        commands = self.registry.commands_of_kind(plugin, "test_connection")
        if not commands:
            raise WrongUse(f"The plugin '{plugin}' has no Test Connection.")
        return self.registry.plugin(plugin), next(iter(commands.values()))
