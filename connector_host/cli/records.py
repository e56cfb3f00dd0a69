"""`audit …` and `history …`: who did what, what ran, and whether the record of it is whole."""

import json
from collections.abc import Sequence
from typing import Any

import click

from connector_host.app import App
from connector_host.cli.running import moment, output_option, print_rows, seconds, with_session
from connector_host.model.audit import AuditHead, AuditRecord
from connector_host.model.errors import WrongUse
from connector_host.model.history import HistoryFilter, HistoryRecord
from connector_host.model.result import Status


@click.group("audit", help="See who did what, and verify the record of it.")
def audit() -> None:
    """Hold the subcommands."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many.")
@output_option
@click.pass_obj
def list_audit(app: App, limit: int, output: str) -> None:
    """List the newest records."""
    records = with_session(app, lambda session: session.audit.newest(limit))
    rows = [
        (one.number, seconds(one.entry.at), one.entry.actor, one.entry.action, one.entry.subject, _words(one))
        for one in records
    ]
    columns = ("Number", "At", "Who", "Did", "To", "Details")
    print_rows(output, columns, rows, [_audit_document(one) for one in records])


def _words(record: AuditRecord) -> str:
    """Return the details that say something."""
    details = json.loads(record.entry.details)
    return " ".join(f"{key}={json.dumps(value)}" for key, value in details.items() if value not in ([], {}, "", None))


def _audit_document(record: AuditRecord) -> dict[str, Any]:
    return {**record.document(), "previous": record.previous, "digest": record.digest}


@audit.command("verify")
@click.option("--noted", metavar="NUMBER:DIGEST", help="An end of the audit noted earlier; it must still be there.")
@output_option
@click.pass_obj
def verify(app: App, noted: str | None, output: str) -> int:
    """Find any record that was altered, removed or moved, and say where; exit code 1 where there is one."""
    head = _head(noted) if noted else None
    verdict = with_session(app, lambda session: session.audit.verify(head))
    if output == "json":
        facts = {"intact": not verdict.problems, "records": verdict.records, "head": str(verdict.head)}
        click.echo(json.dumps({**facts, "problems": list(verdict.problems)}))
    elif verdict.problems:
        click.echo("\n".join(verdict.problems), err=True)
    else:
        click.echo(f"{verdict.records} records, whole and in order. Note the end elsewhere: {verdict.head}", err=True)
    return 1 if verdict.problems else 0


def _head(text: str) -> AuditHead:
    number, _, digest = text.partition(":")
    if not number.isdigit() or not digest:
        raise WrongUse("--noted takes NUMBER:DIGEST, as `audit verify` prints it.")
    return AuditHead(int(number), digest)


@click.group("history", help="Look at past invocations.")
def history() -> None:
    """Hold the subcommands."""


@history.command("list")
@click.option("--connection", metavar="NAME", help="Those through this connection.")
@click.option("--plugin", metavar="ID", help="Those of this plugin.")
@click.option("--command", metavar="NAME", help="Those of this command.")
@click.option("--caller", metavar="TEXT", help="Those of callers with this in their name.")
@click.option("--status", type=click.Choice([one.value for one in Status]), help="Those that ended so.")
@click.option("--text", help="Those with this in their error.")
@click.option("--since", metavar="TIME", help="Those that began at this time or later (ISO 8601).")
@click.option("--until", metavar="TIME", help="Those that began before this time.")
@click.option("--after", metavar="INVOCATION", default="", help="Those that come after this one in the list.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@output_option
@click.pass_obj
def list_history(app: App, /, after: str, limit: int, output: str, **given: Any) -> None:
    """List the newest invocations, those looked for where something is asked."""
    given |= {name: moment(given[name]) for name in ("since", "until")}
    given["command"] = given["command"] and given["command"].replace("-", "_")
    wanted = HistoryFilter(**given)
    page = with_session(app, lambda session: session.search_history(wanted, after=after, limit=limit))
    listed(page.records, output)
    if page.next and output == "table":
        click.echo(f"There are more: --after {page.next}", err=True)


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
            one.effect,
            one.duration_ms,
            one.invocation_id,
        )
        for one in records
    ]
    columns = ("Started", "Plugin", "Command", "Connection", "Caller", "Status", "Effect", "ms", "Invocation")
    print_rows(output, columns, rows, [one.document() for one in records])


@history.command("show")
@click.argument("invocation")
@click.pass_obj
def show_one(app: App, invocation: str) -> None:
    """Show one invocation as JSON: its inputs, error and, unless it was too large to keep, its result."""
    record = with_session(app, lambda session: session.past(invocation))
    if record is None:
        raise WrongUse(f"There is no invocation '{invocation}' in the history.")
    click.echo(json.dumps(record.document(), indent=2))
