"""`history …`: what ran, and how it ended."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from connector_host.builtin.surfaces.cli.running import caller, output_option, print_rows, seconds, with_host
from connector_host.contract.errors import WrongUse
from connector_host.contract.face import Entrance
from connector_host.contract.model import HistoryRecord


@click.group("history", help="Look at past invocations.")
def command() -> None:
    """Hold the subcommands."""


@command.command("list")
@click.option("--connection", metavar="NAME")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@output_option
@click.pass_obj
def list_all(entrance: Entrance, connection: str | None, limit: int, output: str) -> None:
    """List the newest invocations."""
    who = caller()
    listed(with_host(entrance, lambda host: host.history(limit, connection, who)), output)


def listed(records: Sequence[HistoryRecord], output: str) -> None:
    """Print invocations."""
    rows = [
        (
            seconds(one.started_at),
            one.plugin,
            one.command,
            one.connection,
            one.caller,
            one.status,
            one.duration_ms,
            one.invocation_id,
        )
        for one in records
    ]
    columns = ("Started", "Plugin", "Command", "Connection", "Caller", "Status", "ms", "Invocation")
    print_rows(output, columns, rows, [_document(one) for one in records])


@command.command("show")
@click.argument("invocation")
@click.pass_obj
def show_one(entrance: Entrance, invocation: str) -> None:
    """Show one invocation as JSON: its inputs, error and, unless it was too large to keep, its result."""
    who = caller()
    record = with_host(entrance, lambda host: host.past(invocation, who))
    if record is None:
        raise WrongUse(f"There is no invocation '{invocation}' in the history.")
    click.echo(json.dumps(_document(record), indent=2))


def _document(record: HistoryRecord) -> dict[str, Any]:
    document = asdict(record)
    for name in ("inputs", "error", "result"):
        document[name] = None if document[name] is None else json.loads(document[name])
    return document
