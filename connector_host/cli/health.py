"""`health …`: connections tested by themselves."""

from typing import Any

import click

from connector_host.app import App
from connector_host.cli.connection_options import selection_of, selection_options
from connector_host.cli.records import listed
from connector_host.cli.running import counted, output_option, print_rows, say, seconds, with_session
from connector_host.host.notices import undelivered
from connector_host.model.connection import StoredConnection
from connector_host.model.result import iso


@click.group("health", help="See how connections fare, and run health checks.")
def command() -> None:
    """Hold the subcommands."""


@command.command("list")
@selection_options
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@output_option
@click.pass_obj
def list_all(app: App, /, limit: int, output: str, **given: Any) -> None:
    """List how connections fare."""
    selection = selection_of(app, given, limit)
    found = with_session(app, lambda session: session.connections.list(selection))
    documents = [_document(one) for one in found]
    names = ("name", "state", "interval_minutes", "last_success", "last_failure", "failures", "attention")
    rows = [
        (*(seconds(document[name]) if name.startswith("last") else document[name] for name in names), _left(document))
        for document in documents
    ]
    columns = ("Name", "State", "Every (min)", "Last success", "Last failure", "Failures", "Attention", "Not done")
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
        "not_checked": list(health.unchecked),
        "undelivered": undelivered(health.deliveries),
    }


def _left(document: dict[str, Any]) -> str:
    """Return what a test did not check, and whom a mail did not reach."""
    unchecked = ", ".join(document["not_checked"])
    told = [f"no mail to {address}: {error}" for address, error in document["undelivered"].items()]
    return "; ".join([*([f"not checked: {unchecked}"] if unchecked else []), *told])


@command.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@output_option
@click.pass_obj
def history(app: App, name: str, limit: int, output: str) -> None:
    """List a connection's newest health checks; `history show` tells all of one."""
    listed(with_session(app, lambda session: session.history(limit, name, checks=True)), output)


@command.command("test-mail")
@click.argument("address")
@click.pass_obj
def test_mail(app: App, address: str) -> int:
    """Send ADDRESS a message of no concern, as health checks send theirs; exit code 1 where it cannot be sent."""
    found = with_session(app, lambda session: session.health.send_trial(address))
    for notifier, error in found.items():
        click.echo(f"{notifier}: {error or 'handed over; look whether it arrives.'}", err=bool(error))
    return 1 if any(found.values()) else 0


@command.command("run-due")
@output_option
@click.pass_obj
def run_due(app: App, output: str) -> None:
    """Run every health check that is due now, once; for cron. Any number of these may run at the same time."""
    done = with_session(app, lambda session: session.health.run_due())
    words = f"{counted(done.checked, 'connection')} checked: {done.passed} passed, {done.failed} failed."
    if done.undelivered:
        left = counted(done.undelivered, "notice")
        words += f" {left} could not be delivered: connector-host health list says to whom, and why."
    counts = {"checked": done.checked, "passed": done.passed, "failed": done.failed}
    say(output, {**counts, "undelivered": done.undelivered}, words)
