"""What a caller asks to be run: the command and the connection, found as far as they are the caller's, made a call."""

from collections.abc import Mapping
from typing import Any

from connector_host.host.connections.reading import find
from connector_host.host.core import Core
from connector_host.model.caller import UNBOUNDED, Operator, Principal, actor_of
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import UnknownCommand, WrongUse
from connector_host.model.invocation import Invocation, Options
from connector_host.model.manifest import Command, Manifest


async def requested(
    core: Core, caller: Principal, plugin: str, command: str, connection: str
) -> tuple[Manifest, Command, StoredConnection]:
    """Return a command and the connection it is to run through.

    Raises UnknownPlugin, BrokenPlugin, UnknownCommand, UnknownConnection, WrongUse.
    """
    manifest, found = command_of(core, caller, plugin, command)
    stored = await find(core, connection, caller)
    owner = stored.connection.plugin
    if owner != manifest.id:
        raise WrongUse(f"The connection '{connection}' belongs to {owner}, not to {manifest.id}.")
    return manifest, found, stored


def command_of(core: Core, caller: Principal, plugin: str, command: str) -> tuple[Manifest, Command]:
    """Return a command that lies within the caller's bounds; raises UnknownPlugin, BrokenPlugin, UnknownCommand."""
    manifest, found = core.registry.command(plugin, command)
    bounds = UNBOUNDED if isinstance(caller, Operator) else caller.bounds
    if not bounds.cover(plugin=manifest.id, command=found.id):
        raise UnknownCommand(f"There is no command '{command}' that you may run.")
    return manifest, found


def invocation_of(
    caller: Principal,
    found: tuple[Manifest, Command, StoredConnection],
    inputs: Mapping[str, Any] | None,
    options: Options,
    *,
    ingest: bool = False,
) -> Invocation:
    """Return one call of a command; raises WrongUse for options that make no sense."""
    manifest, command, stored = found
    return Invocation(
        options.id_for_run(), manifest, command, stored, inputs or {}, caller, actor_of(caller), options, ingest=ingest
    )
