"""`health …` and `serve`: connections tested by themselves."""

import signal
from typing import Any

import anyio
import click

from connector_host.builtin.surfaces.cli.connection_options import selection_of, selection_options
from connector_host.builtin.surfaces.cli.history import listed
from connector_host.builtin.surfaces.cli.running import caller, output_option, print_rows, say, seconds, with_host
from connector_host.contract.connection import StoredConnection
from connector_host.contract.documents import iso
from connector_host.contract.face import Entrance, HostFace


@click.group("health", help="See how connections fare, and run health checks.")
def command() -> None:
    """Hold the subcommands."""


@command.command("list")
@selection_options
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True)
@output_option
@click.pass_obj
def list_all(entrance: Entrance, /, limit: int, output: str, **given: Any) -> None:
    """List how connections fare."""
    selection, who = selection_of(entrance, given, limit), caller()
    found = with_host(entrance, lambda host: host.connections.list(selection, who))
    documents = [_document(one) for one in found]
    names = ("name", "state", "interval_minutes", "last_success", "last_failure", "failures", "attention")
    rows = [
        tuple(seconds(document[name]) if name.startswith("last") else document[name] for name in names)
        for document in documents
    ]
    columns = ("Name", "State", "Every (min)", "Last success", "Last failure", "Failures", "Attention")
    print_rows(output, columns, rows, documents)


def _document(one: StoredConnection) -> dict[str, Any]:
    health, check = one.health, one.connection.health_check
    return {
        "name": one.connection.name,
        "state": one.state.value,
        "interval_minutes": check.interval_minutes if check else None,
        "last_run": iso(health.last_run) if health.last_run else None,
        "last_success": iso(health.last_success) if health.last_success else None,
        "last_failure": iso(health.last_failure) if health.last_failure else None,
        "failures": health.failures,
        "mailed": health.mailed,
        "attention": health.attention or None,
    }


@command.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@output_option
@click.pass_obj
def history(entrance: Entrance, name: str, limit: int, output: str) -> None:
    """List a connection's newest health checks; `history show` tells all of one."""
    who = caller()
    listed(with_host(entrance, lambda host: host.history(limit, name, who, checks=True)), output)


@command.command("run-due")
@output_option
@click.pass_obj
def run_due(entrance: Entrance, output: str) -> None:
    """Run every health check that is due now, once; for cron. Any number of these may run at the same time."""
    who = caller()
    done = with_host(entrance, lambda host: host.health.run_due(who))
    words = f"{done.checked} connections checked: {done.passed} passed, {done.failed} failed."
    say(output, {"checked": done.checked, "passed": done.passed, "failed": done.failed}, words)


@click.command("serve")
@click.pass_obj
def serve(entrance: Entrance) -> None:
    """Run the health checks as they fall due, until Ctrl-C or SIGTERM; first upgrade what needs it."""
    who = caller()

    async def work(host: HostFace) -> None:
        for outcome in await host.connections.upgrade(who):
            words = outcome.error or "saved for the new version of its plugin"
            click.echo(f"{outcome.name}: {words}", err=True)
        async with anyio.create_task_group() as group:
            group.start_soon(host.health.serve, who)
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                click.echo("Running health checks as they fall due (Ctrl-C ends it).", err=True)
                async for _ in signals:
                    click.echo("Stopped.", err=True)
                    group.cancel_scope.cancel()
                    return

    with_host(entrance, work)
