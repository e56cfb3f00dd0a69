"""The way of one invocation: found and authorised, it is validated, opened, run, validated, reported, recorded."""

from collections.abc import Mapping
from typing import Any

import anyio

from connector_host.host.connections.fields import check_path
from connector_host.host.connections.values import refuse_unusable
from connector_host.host.core import Core
from connector_host.host.history import note_health
from connector_host.host.plan import CommandRules
from connector_host.host.redaction import leaves
from connector_host.host.results import Collector, entries, incomplete, status_of
from connector_host.host.vaults import Credential, CredentialCollector, Reveal
from connector_host.manifests.registry import PluginRegistry
from connector_host.model.caller import OPERATOR, actor_of
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import (
    BadSetting,
    ConnectionUnavailable,
    DeadlinePassed,
    InvalidInput,
    InvocationError,
    WrongUse,
)
from connector_host.model.invocation import UNRECORDED, Invocation, new_id
from connector_host.model.manifest import Command, Manifest
from connector_host.model.result import Result

GRACE = 0.5  # seconds in which what heeds the deadline by itself may tell how far it came


async def invoke(core: Core, invocation: Invocation, reveal: Reveal | None = None) -> Result:
    """Run one invocation; whatever a user or an API can cause becomes part of the result.

    Inputs that are refused leave no trace: nothing was sent, and nothing of them is kept. `reveal` is told what a
    vault hands out. Raises StoreError where the store fails.
    """
    core.history.under_way += 1
    try:
        return await _invoke(core, invocation, reveal)
    finally:
        core.history.under_way -= 1


async def _invoke(core: Core, invocation: Invocation, reveal: Reveal | None) -> Result:
    begun = core.clock.monotonic()
    invocation.started_at = core.clock.now()
    rules = core.planner.rules(invocation.command)
    output = _output_for(core, invocation, rules, reveal)
    refused = False
    try:
        refuse_unusable(invocation.stored, core.agents, draft=invocation.draft is not None, ingest=invocation.ingest)
        _accept_inputs(core, invocation, rules, output)
        _check_path(invocation)
        await _carry_out(core, invocation, rules, output)
    except InvocationError as error:
        output.fail(error)
        refused = invocation.inputs_text is None and isinstance(error, InvalidInput)
    finally:
        for reference in invocation.uploads:
            core.uploads.remove(reference)
    result = _report(invocation, rules, output, round((core.clock.monotonic() - begun) * 1000))
    if not refused:
        await _record(core, invocation, output, result)
    core.observe("invocation.finished", _facts(result))
    return result


def _output_for(core: Core, invocation: Invocation, rules: CommandRules, reveal: Reveal | None) -> Collector:
    command, progress, no_secrets = invocation.command, invocation.options.progress, core.pool.no_secrets
    if command.kind == "credential":
        return CredentialCollector(command, no_secrets, progress, reveal)
    if not invocation.ingest or rules.mapper is None:
        return Collector(command, no_secrets, progress)
    from connector_host.host.intake import IntakeCollector  # noqa: PLC0415 - other commands need no streams

    connection = invocation.stored.connection
    return IntakeCollector(
        command, no_secrets, progress, mapper=rules.mapper, log=core.store.intake, connection=connection
    )


def _accept_inputs(core: Core, invocation: Invocation, rules: CommandRules, output: Collector) -> None:
    """Bring the inputs into their one form, files in place of references; warn of what is deprecated."""
    command, given = invocation.command, invocation.inputs
    inputs, invocation.inputs_text = rules.form.accept(given)
    invocation.inputs, invocation.uploads = rules.files.opened(inputs, core.uploads.of(invocation.actor))
    if command.deprecated is not None:
        output.note(command.deprecated.told(f"The command {command.title}"))
    for warning in rules.form.warnings(given):
        output.note(warning)


def _check_path(invocation: Invocation) -> None:
    """Refuse what a vault connection may not hand out, whoever asks."""
    if invocation.command.kind == "credential":
        try:
            check_path(invocation.stored.connection, str(invocation.inputs.get("path", "")))
        except BadSetting as error:
            raise ConnectionUnavailable(str(error), assistance="Ask who keeps the vault connection.") from None


async def _carry_out(core: Core, invocation: Invocation, rules: CommandRules, output: Collector) -> None:
    """Run the command through its connection; the deadline cuts off whatever does not heed it by itself."""
    pooled = await core.pool.acquire(invocation.stored, invocation.draft)
    output.redactor = pooled.redactor
    try:
        for name in rules.form.secrets & invocation.inputs.keys():
            for text in leaves(invocation.inputs[name]):
                pooled.redactor.learn(text)
        plan = core.pool.plan(pooled, invocation.command, invocation.stored.connection.agent)
        if plan.lacking is not None:
            raise plan.lacking
        seconds = invocation.options.deadline_seconds or rules.deadline_seconds
        invocation.deadline = core.clock.monotonic() + seconds
        invocation.concurrency = core.settings.limits.concurrency
        with anyio.move_on_after(seconds + GRACE) as scope:
            await output.work(plan.body, invocation, rules.output)
        if scope.cancelled_caught:
            raise DeadlinePassed(f"The command did not end within {seconds:g} seconds.")
    finally:
        await core.pool.release(pooled)
    whole = output.whole()
    if whole is not None and not whole.complete:
        output.failures.append((None, incomplete(whole)))


def _report(invocation: Invocation, rules: CommandRules, output: Collector, duration_ms: int) -> Result:
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
        duration_ms,
        raw,
        output.context_data(),
        {name: path.find(raw) for name, path in rules.key_fields.items()} if shown else {},
        output.whole(),
        rules.mapper.map(raw) if rules.mapper and shown else None,
        tuple(output.notes),
        tuple(entries(invocation.command, output)) if output.failures else (),
    )


async def _record(core: Core, invocation: Invocation, output: Collector, result: Result) -> None:
    """Keep the invocation in history and audit, and what it says about its connection's health."""
    connection = invocation.stored.connection
    if invocation.options.record:
        inputs = output.redactor.text(invocation.inputs_text or "{}")
        await core.history.record(result, connection, invocation.actor, inputs)
    if invocation.draft is None:
        failures = [failure for _, failure in output.failures]
        await note_health(core.store.health, invocation.command, connection, result, failures)


def _facts(result: Result) -> Mapping[str, Any]:
    return {
        "id": result.invocation_id,
        "plugin": result.plugin,
        "command": result.command,
        "status": result.status.value,
        "duration_ms": result.duration_ms,
    }


def test_command(registry: PluginRegistry, plugin: str) -> tuple[Manifest, Command]:
    """Return a plugin's Test Connection; raises WrongUse where it has none."""
    return command_of_kind(registry, plugin, "test_connection", "Test Connection")


def command_of_kind(registry: PluginRegistry, plugin: str, kind: str, words: str) -> tuple[Manifest, Command]:
    """Return a plugin's first command of a kind; raises WrongUse where it has none."""
    manifest = registry.plugin(plugin)
    found = next((command for command in manifest.commands.values() if command.kind == kind), None)
    if found is None:
        raise WrongUse(f"The plugin '{plugin}' has no {words}.")
    return manifest, found


async def fetch_credential(
    core: Core, vault: StoredConnection, inputs: Mapping[str, Any]
) -> tuple[Result, Credential | None]:
    """Run a vault connection's credential command for a connection that needs a value; leaves no history."""
    manifest, command = command_of_kind(core.registry, vault.connection.plugin, "credential", "credential command")
    revealed: list[Credential] = []
    invocation = Invocation(new_id(), manifest, command, vault, inputs, OPERATOR, actor_of(OPERATOR), UNRECORDED)
    result = await invoke(core, invocation, revealed.append)
    return result, revealed[-1] if revealed else None
