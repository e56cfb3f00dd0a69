"""`intake …`: what was taken in, read on; schedules by which it is fetched; and how it is mapped."""

import json
from pathlib import Path
from shlex import quote
from typing import Any

import click
import msgspec
from msgspec import to_builtins

from connector_host.app import App
from connector_host.cli.running import counted, moment, output_option, print_rows, say, seconds, with_session
from connector_host.host.text_values import read_text
from connector_host.model.errors import WrongUse
from connector_host.model.intake import IntakeSchedule, KeptSchedule, MappingTables
from connector_host.model.result import iso
from connector_host.ports.intake import ANYWHERE


@click.group("intake", help="Read what was taken in, have it fetched on a schedule, and say how it is mapped.")
def command() -> None:
    """Hold the subcommands."""


@command.command("read")
@click.option("--after", metavar="CURSOR", default="", help="Those after the cursor of the page before.")
@click.option("--reader", metavar="NAME", default="", help="Those after what this reader acknowledged.")
@click.option("--connection", metavar="NAME", help="Those through this connection.")
@click.option("--site", metavar="NAME", help="Those of this site.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@output_option
@click.pass_obj
def read(app: App, /, site: str | None, reader: str, output: str, **given: Any) -> None:
    """Read records in order of arrival; each that is new, or changed, arrives once."""
    page = with_session(app, lambda session: session.intake.read(site=site or ANYWHERE, reader=reader, **given))
    if output == "json":
        click.echo(json.dumps({"items": [one.document() for one in page.arrivals], "next": page.next}))
        return
    rows = [(seconds(one.at), one.connection, one.record.unique_key, one.record.site) for one in page.arrivals]
    print_rows(output, ("Arrived", "Connection", "Unique key", "Site"), rows, [])
    if not reader:
        click.echo(f"Go on with: connector-host intake read --after {page.next}", err=True)
    else:
        click.echo(f"When all of it is done: connector-host intake acknowledge {quote(reader)} {page.next}", err=True)


@command.command("acknowledge")
@click.argument("reader")
@click.argument("cursor")
@click.pass_obj
def acknowledge(app: App, reader: str, cursor: str) -> None:
    """Note that READER has read everything up to CURSOR; `intake read --reader READER` goes on from there."""
    with_session(app, lambda session: session.intake.acknowledge(reader, cursor))
    click.echo(f"{reader} goes on after this cursor.", err=True)


@command.command("schedule")
@click.argument("connection")
@click.argument("intake")
@click.option("--every", type=int, default=5, show_default=True, metavar="MINUTES", help="How often it runs.")
@click.option("--from", "begin", metavar="TIME", help="From when its first run reads (ISO 8601); a day back without.")
@click.option("--overlap", type=int, metavar="MINUTES", help="How much each run reads again.")
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of the command; may be repeated."
)
@output_option
@click.pass_obj
def schedule(
    app: App, connection: str, intake: str, every: int, begin: str | None, overlap: int | None, inputs: Any, output: str
) -> None:
    """Have the command INTAKE run by itself through CONNECTION, by `serve` or `intake run-due`."""
    given = _inputs(app, connection, intake, inputs)
    wanted = IntakeSchedule(connection, intake, every, given, moment(begin), overlap)
    kept = with_session(app, lambda session: session.intake.schedule(wanted))
    words = f"{kept.schedule.command} runs each {counted(every, 'minute')} now, by connector-host serve."
    say(output, kept.document(), words)


def _inputs(app: App, connection: str, intake: str, written: tuple[str, ...]) -> dict[str, Any]:
    """Return inputs as their parameters take them."""
    plugin = with_session(app, lambda session: session.connections.show(connection))["plugin"]
    properties = app.plugins.command(plugin, intake)[1].input.get("properties", {})
    found: dict[str, Any] = {}
    for one in written:
        name, equals, text = one.partition("=")
        if not equals:
            raise WrongUse(f"--input takes NAME=VALUE, not '{one}'.")
        found[name] = read_text(text, properties.get(name, {}), name)
    return found


@command.command("unschedule")
@click.argument("connection")
@click.argument("intake")
@click.pass_obj
def unschedule(app: App, connection: str, intake: str) -> None:
    """Have the command INTAKE run by itself no more."""
    with_session(app, lambda session: session.intake.unschedule(connection, intake))


@command.command("schedules")
@click.option("--connection", metavar="NAME", help="Those through this connection.")
@output_option
@click.pass_obj
def schedules(app: App, connection: str | None, output: str) -> None:
    """List what runs by itself, and how that went."""
    found = with_session(app, lambda session: session.intake.schedules(connection))
    columns = ("Connection", "Command", "Every (min)", "Last run", "Status", "New", "Why")
    print_rows(output, columns, [_row(one) for one in found], [one.document() for one in found])


def _row(kept: KeptSchedule) -> tuple[Any, ...]:
    schedule, state = kept.schedule, kept.state
    ran = seconds(iso(state.last_run)) if state.last_run else "never"
    fares = (ran, state.status, state.counts.get("new"), state.words)
    return (schedule.connection, schedule.command, schedule.interval_minutes, *fares)


@command.command("run-due")
@output_option
@click.pass_obj
def run_due(app: App, output: str) -> None:
    """Run every schedule that is due now, once; for cron. Any number of these may run at the same time."""
    done = with_session(app, lambda session: session.intake.run_due())
    say(output, {"ran": done}, f"{counted(done, 'schedule')} run: connector-host intake schedules says how they went.")


@command.group("mapping", help="See and change how fetched records become incidents and events.")
def mapping() -> None:
    """Hold the subcommands."""


@mapping.command("show")
@click.argument("connection")
@click.argument("intake")
@click.pass_obj
def show(app: App, connection: str, intake: str) -> None:
    """Show the tables as JSON, as `mapping set` takes them; version 0 is the manifest's."""
    tables = with_session(app, lambda session: session.mappings.get(connection, intake))
    click.echo(json.dumps(to_builtins(tables), indent=2, ensure_ascii=False))


@mapping.command("set")
@click.argument("connection")
@click.argument("intake")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def put(app: App, connection: str, intake: str, file: Path) -> None:
    """Give CONNECTION the tables in FILE, made of what `mapping show` prints; its `version` is the one changed."""
    kept = with_session(app, lambda session: session.mappings.put(connection, intake, _tables(file)))
    click.echo(f"Version {kept.version} is used from the next page on.", err=True)


@mapping.command("preview")
@click.argument("connection")
@click.argument("intake")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@output_option
@click.pass_obj
def preview(app: App, connection: str, intake: str, file: Path | None, output: str) -> None:
    """Show what the tables in FILE, or those in use, make of the records that were taken in last; nothing changes."""
    tables = None if file is None else _tables(file)
    found = with_session(app, lambda session: session.mappings.preview(connection, intake, tables))
    named = {"Incident": found.incident, **{f"Event: {name}": rows for name, rows in found.events.items()}}
    pairs = [(table, row) for table, of in named.items() for row in of]
    rows = [(table, row.field, f"{row.found} of {found.samples}", row.value) for table, row in pairs]
    if output == "json":
        click.echo(json.dumps(to_builtins(found)))
    else:
        print_rows(output, ("Table", "Field", "Has a value", "In the newest"), rows, [])


@mapping.command("reset")
@click.argument("connection")
@click.argument("intake")
@click.pass_obj
def reset(app: App, connection: str, intake: str) -> None:
    """Put the manifest's tables back."""
    with_session(app, lambda session: session.mappings.reset(connection, intake))
    click.echo(f"{connection}: {intake} is mapped by the manifest's tables again.", err=True)


def _tables(file: Path) -> MappingTables:
    try:
        return msgspec.json.decode(file.read_bytes(), type=MappingTables)
    except msgspec.DecodeError as error:
        raise WrongUse(f"{file} holds no field mapping: {error}.") from None
