"""`audit …`: who did what, and whether the record of it is whole."""

import json
from typing import Any

import click

from connector_host.builtin.surfaces.cli.running import caller, output_option, print_rows, seconds, with_host
from connector_host.contract.audit import AuditHead, AuditRecord
from connector_host.contract.errors import WrongUse
from connector_host.contract.face import Entrance


@click.group("audit", help="See who did what, and verify the record of it.")
def command() -> None:
    """Hold the subcommands."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@output_option
@click.pass_obj
def list_all(entrance: Entrance, limit: int, output: str) -> None:
    """List the newest records."""
    who = caller()
    records = with_host(entrance, lambda host: host.audit.newest(limit, who))
    rows = [
        (one.number, seconds(one.entry.at), one.entry.actor, one.entry.action, one.entry.subject, _words(one))
        for one in records
    ]
    columns = ("Number", "At", "Who", "Did", "To", "Details")
    print_rows(output, columns, rows, [_document(one) for one in records])


def _words(record: AuditRecord) -> str:
    """Return the details that say something."""
    details = json.loads(record.entry.details)
    return " ".join(f"{key}={json.dumps(value)}" for key, value in details.items() if value not in ([], {}, "", None))


def _document(record: AuditRecord) -> dict[str, Any]:
    return {**record.document(), "previous": record.previous, "digest": record.digest}


@command.command("verify")
@click.option("--noted", metavar="NUMBER:DIGEST", help="An end of the audit noted earlier; it must still be there.")
@output_option
@click.pass_obj
def verify(entrance: Entrance, noted: str | None, output: str) -> int:
    """Find any record that was altered, removed or moved, and say where; exit code 1 where there is one."""
    who, head = caller(), _head(noted) if noted else None
    verdict = with_host(entrance, lambda host: host.audit.verify(head, who))
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
