"""The way of one invocation: found and authorised, it is validated, opened, run, validated, reported, recorded."""

from collections.abc import Mapping
from typing import Any

import anyio

from connector_host.host.accepting import accept_inputs
from connector_host.host.connections.fields import check_path
from connector_host.host.connections.pool import PooledConnection
from connector_host.host.connections.values import refuse_unusable
from connector_host.host.core import Core
from connector_host.host.idempotency import first_result
from connector_host.host.plan import CommandRules
from connector_host.host.redaction import leaves
from connector_host.host.results import Collector, incomplete
from connector_host.host.run import Run
from connector_host.host.vaults import Credential, CredentialCollector, Reveal
from connector_host.manifests.registry import PluginRegistry
from connector_host.model.caller import OPERATOR, actor_of
from connector_host.model.connection import StoredConnection
from connector_host.model.effects import EFFECTS, Effect, Effects
from connector_host.model.errors import BadSetting, StoreError, WrongUse
from connector_host.model.failure import Kind
from connector_host.model.invocation import UNDER_WAY, UNRECORDED, Invocation, new_id
from connector_host.model.invocation_errors import (
    Cancelled,
    ConnectionUnavailable,
    DeadlinePassed,
    InvocationError,
    NotRecordable,
)
from connector_host.model.manifest import Command, Manifest
from connector_host.model.result import Result

GRACE = 0.5  # seconds, or a tenth of the deadline, in which what heeds it by itself may tell how far it came


async def invoke(core: Core, invocation: Invocation, reveal: Reveal | None = None) -> Result:
    """Run one invocation; whatever a user or an API can cause becomes part of the result.

    Inputs that are refused leave no trace: nothing was sent, and nothing of them is kept. What may change something is
    told to the store before it begins, and is not begun where that fails. `reveal` is told what a vault hands out.
    Raises WrongUse for an idempotency key that was given with other inputs, and for an id that was used.
    """
    effects = Effects()
    token, told = EFFECTS.set(effects), UNDER_WAY.set(_who(invocation))
    try:
        return await _invoke(core, Run(core, invocation, effects, core.clock.monotonic()), reveal)
    finally:
        EFFECTS.reset(token)
        UNDER_WAY.reset(told)


def _who(invocation: Invocation) -> Mapping[str, Any]:
    """Return what every event of an invocation says of it."""
    connection = invocation.stored.connection
    return {
        "invocation": invocation.id,
        "plugin": invocation.manifest.id,
        "command": invocation.command.id,
        "connection": connection.name,
        "connection_id": connection.id,
        "caller": str(invocation.actor),
        "actor": invocation.actor,
        "site": connection.home_site,
        "request_id": invocation.options.request_id,
        "traceparent": invocation.options.traceparent,
    }


async def _invoke(core: Core, run: Run, reveal: Reveal | None) -> Result:
    invocation = run.invocation
    invocation.started_at = core.clock.now()
    rules = core.planner.rules(invocation.command)
    output = _output_for(run, rules, reveal)
    try:
        known = await _known_or_run(run, rules, output)
    except InvocationError as error:
        known = None
        run.fail(output, error)
    except WrongUse:  # nothing was begun
        raise
    except StoreError as error:
        known = None
        run.fail(output, NotRecordable(str(error)))
    except BaseException:
        await _record_cancelled(run, rules, output)
        raise
    finally:
        for reference in invocation.uploads:
            core.uploads.remove(reference)
    if known is not None:
        return known
    result = run.report(rules, output)
    if run.accepted or output.failures[0][1].kind is not Kind.INVALID_INPUT:
        result = await run.record(output, result)
    core.observe("invocation.finished", {**_facts(result), "unsaved": invocation.draft is not None})
    return result


async def _known_or_run(run: Run, rules: CommandRules, output: Collector) -> Result | None:
    """Return the result that an idempotency key stands for; else run the command."""
    core, invocation = run.core, run.invocation
    refuse_unusable(invocation, core.agents)
    accept_inputs(core, invocation, rules, output)
    run.accepted = True
    _check_path(invocation)
    known = await first_result(core, invocation, rules.deadline_seconds)
    if known is None:
        core.observe("invocation.started", {})
        if rules.mapper is not None:
            run.mapper = await run.current_mapper()
        await _carry_out(run, rules, output)
    return known


async def _record_cancelled(run: Run, rules: CommandRules, output: Collector) -> None:
    run.fail(output, Cancelled())
    with anyio.CancelScope(shield=True):
        await run.record(output, run.report(rules, output))


def _output_for(run: Run, rules: CommandRules, reveal: Reveal | None) -> Collector:
    core, invocation = run.core, run.invocation
    command, progress, no_secrets = invocation.command, invocation.options.progress, core.pool.no_secrets
    if command.kind == "credential":
        return CredentialCollector(command, no_secrets, progress, reveal)
    if not invocation.ingest or rules.mapper is None:
        return Collector(command, no_secrets, progress)
    from connector_host.host.intake.collecting import IntakeCollector  # noqa: PLC0415 - other commands need no streams

    connection = invocation.stored.connection
    return IntakeCollector(
        command,
        no_secrets,
        progress,
        mapper=run.current_mapper,
        log=core.store.intake,
        connection=connection,
        clock=core.clock,
        observe=core.observe,
    )


def _check_path(invocation: Invocation) -> None:
    """Refuse what a vault connection may not hand out, whoever asks."""
    if invocation.command.kind == "credential":
        try:
            check_path(invocation.stored.connection, str(invocation.inputs.get("path", "")))
        except BadSetting as error:
            raise ConnectionUnavailable(str(error), assistance="Ask who keeps the vault connection.") from None


async def _carry_out(run: Run, rules: CommandRules, output: Collector) -> None:
    """Run the command through its connection; once more where the product refuses a value that a vault gave before.

    The deadline cuts off whatever does not heed it by itself.
    """
    core, invocation = run.core, run.invocation
    pooled = await core.pool.acquire(invocation.stored, invocation.draft)
    seconds = invocation.options.deadline_seconds or rules.deadline_seconds
    invocation.deadline = core.clock.monotonic() + seconds
    invocation.concurrency = core.settings.limits.concurrency
    try:
        refusal = await _carried(run, rules, output, pooled)
        fresh = await core.pool.looked_up_anew(pooled, invocation.stored) if refusal is not None else None
        if fresh is not None:
            await core.pool.release(pooled)
            pooled = fresh
            output.begin_again()
            refusal = await _carried(run, rules, output, pooled)
        if isinstance(refusal, InvocationError):
            raise refusal
    finally:
        run.effects.end()
        if invocation.ingest:
            output.ended(core.pool.product_time(pooled))
        await core.pool.release(pooled)
    whole = output.whole()
    if whole is not None and not whole.complete and (invocation.ingest or not whole.limited):
        output.failures.append((None, incomplete(whole)))


async def _carried(
    run: Run, rules: CommandRules, output: Collector, pooled: PooledConnection
) -> InvocationError | bool | None:
    """Run the command; return whether nothing was done because the product refuses the credentials, or the refusal."""
    core, invocation = run.core, run.invocation
    output.redactor = pooled.redactor
    for name in rules.form.secrets & invocation.inputs.keys():
        for text in leaves(invocation.inputs[name]):
            pooled.redactor.learn(text)
    plan = core.pool.plan(pooled, invocation.command, invocation.stored.connection.agent)
    if plan.lacking is not None:
        raise plan.lacking
    if run.intent is None:
        await run.intend(output.redactor.text(invocation.inputs_text or "{}"))
    left = invocation.deadline - core.clock.monotonic()
    try:
        with anyio.move_on_after(left + min(GRACE, left / 10)) as scope:
            await output.work(plan.body, invocation, rules.output)
    except InvocationError as error:
        if error.failure.kind is Kind.UNAUTHORIZED and run.effect is Effect.NONE:
            return error
        raise
    if scope.cancelled_caught:
        seconds = invocation.options.deadline_seconds or rules.deadline_seconds
        raise DeadlinePassed(f"The command did not end within {seconds:g} seconds.")
    return True if run.effect is Effect.NONE and output.refuses_credentials else None


def _facts(result: Result) -> Mapping[str, Any]:
    return {
        "id": result.invocation_id,
        "status": result.status.value,
        "effect": result.effect.value,
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
