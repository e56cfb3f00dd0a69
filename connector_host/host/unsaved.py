"""Runs through connections that are not stored: drafts that are tried out, and values that come with each call."""

import logging
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from connector_host.host.connections.drafting import draft_new
from connector_host.host.connections.editing import check_egress, refuse_file_to_trust
from connector_host.host.connections.entering import entered_change
from connector_host.host.core import Core
from connector_host.host.invocation import invoke, test_command
from connector_host.model.caller import Operator, Principal, actor_of
from connector_host.model.connection import Change, Connection, StoredConnection
from connector_host.model.errors import NotAllowed, WrongUse
from connector_host.model.invocation import Invocation, Options
from connector_host.model.manifest import Command, Manifest
from connector_host.model.result import Result

log = logging.getLogger("connector_host.connections")
NAME = "given with the call"  # of the connection, in results and history


async def test_unsaved(
    core: Core,
    caller: Principal,
    connection: Connection,
    secrets: Mapping[str, Any],
    inputs: Mapping[str, Any] | None,
    options: Options,
) -> Result:
    """Run the plugin's Test Connection through a connection that is not stored; leaves no history."""
    manifest, command = test_command(core.registry, connection.plugin)
    return await _run(core, caller, manifest, command, connection, secrets, inputs, replace(options, record=False))


async def run_with(
    core: Core,
    caller: Principal,
    plugin: str,
    command: str,
    values: Mapping[str, Any],
    inputs: Mapping[str, Any] | None,
    options: Options,
) -> Result:
    """Run a command with values that are given with the call; the manifest says which of them are secrets."""
    if not isinstance(caller, Operator) and not caller:
        raise NotAllowed("A caller with nothing in it may do nothing.")
    if options.idempotency_key is not None:
        raise WrongUse("An idempotency key needs a stored connection: without one nothing tells a repeated call.")
    manifest, found = core.registry.command(plugin, command)
    secrets = {name: value for name, value in values.items() if name in manifest.secret_names}
    parameters = {name: value for name, value in values.items() if name not in secrets}
    change = entered_change(manifest, Change(parameters=parameters, secrets=secrets), log.warning)
    refuse_file_to_trust(caller, change.parameters)
    sites = await core.sites.load()
    draft = draft_new(manifest, NAME, change, {}, core.settings, sites)
    by = {} if isinstance(caller, Operator) else dict.fromkeys(sorted(parameters), actor_of(caller))
    connection = replace(draft.connection, set_by=by)
    check_egress(core, manifest, connection)
    return await _run(core, caller, manifest, found, connection, change.secrets, inputs, options)


async def _run(
    core: Core,
    caller: Principal,
    manifest: Manifest,
    command: Command,
    connection: Connection,
    secrets: Mapping[str, Any],
    inputs: Mapping[str, Any] | None,
    options: Options,
) -> Result:
    stored, name = StoredConnection(connection), options.id_for_run()
    invocation = Invocation(name, manifest, command, stored, inputs or {}, caller, actor_of(caller), options)
    invocation.draft = secrets
    return await invoke(core, invocation)
