"""`connections list`, `show`, `diagnose`, `edit-many` and `upgrade`."""

import json
import zipfile
from pathlib import Path
from typing import Any

import click

from connector_host.app import App
from connector_host.cli.connection_options import (
    change_of,
    field_options,
    selection_of,
    selection_options,
)
from connector_host.cli.running import (
    acting_caller,
    output_option,
    print_rows,
    say,
    tell,
    with_session,
)
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import WrongUse


@click.command("list")
@selection_options
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@click.option("--after", default="", metavar="NAME", help="Go on after this name.")
@output_option
@click.pass_obj
def list_all(app: App, /, limit: int, after: str, output: str, **given: Any) -> None:
    """List connections, by name."""
    selection = selection_of(app, given, limit, after)
    found = with_session(app, lambda session: session.connections.list(selection))
    if not found and output == "table":
        chosen = any(value is not None for value in given.values()) or after
        advice = "No connections yet. Add one: connector-host connections add NAME --plugin ID …"
        if acting_caller() is not None:
            advice = "There are no connections that you may use."
        click.echo("No such connections." if chosen else advice, err=True)
        return
    rows = [tuple(_row(one).values()) for one in found]
    print_rows(
        output, ("Name", "Plugin", "Site", "Active", "State", "Description"), rows, [_document(one) for one in found]
    )
    if len(found) == limit:
        click.echo(f"There may be more: --after '{found[-1].connection.name}'", err=True)


def _row(one: StoredConnection) -> dict[str, Any]:
    connection = one.connection
    return {
        "name": connection.name,
        "plugin": connection.plugin,
        "site": "internal sites" if connection.shared_to_internal_sites else connection.site or "",
        "active": "yes" if connection.active else "no",
        "state": one.state.value,
        "description": connection.description,
    }


def _document(one: StoredConnection) -> dict[str, Any]:
    connection = one.connection
    return {
        "name": connection.name,
        "plugin": connection.plugin,
        "site": connection.site,
        "shared_to_internal_sites": connection.shared_to_internal_sites,
        "active": connection.active,
        "state": one.state.value,
        "attention": one.health.attention or None,
        "description": connection.description,
    }


@click.command("show")
@click.argument("name")
@output_option
@click.pass_obj
def show_one(app: App, name: str, output: str) -> None:
    """Show a connection, its secrets masked."""
    document = with_session(app, lambda session: session.connections.show(name))
    apart = {"parameters", "secrets", "vault", "health"}
    rows = [(key, value) for key, value in document.items() if key not in apart]
    for part in ("parameters", "secrets"):
        rows += [(f"{part[:-1]} {key}", value) for key, value in document[part].items()]
    rows += [(f"vault {key}", f"{one['vault']}:{one['path']}#{one['field']}") for key, one in document["vault"].items()]
    health = document["health"]
    rows += [(f"health {key}", value) for key, value in health.items()]
    print_rows(output, ("Field", "Value"), rows, document)


@click.command()
@click.argument("name")
@click.option("--file", type=click.Path(path_type=Path), help="Where to write it; by default NAME-diagnosis.zip here.")
@output_option
@click.pass_obj
def diagnose(app: App, name: str, file: Path | None, output: str) -> None:
    """Write a bundle for support: how a connection stands, what ran, what was changed; never a secret."""
    bundle = with_session(app, lambda session: session.diagnose(name))
    safe = "".join(character if character.isalnum() or character in "-_." else "_" for character in name)
    target = file or Path(f"{safe}-diagnosis.zip")
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in bundle.items():
                archive.writestr(part, json.dumps(content, indent=2, ensure_ascii=False))
    except OSError as error:
        raise WrongUse(f"The bundle cannot be written to {target} ({error.strerror}).") from error
    say(output, {"file": str(target), "parts": list(bundle)}, f"Wrote {target}: {', '.join(bundle)}.")


@click.command("edit-many")
@selection_options
@field_options
@click.option("--dry-run", is_flag=True, help="Say which are meant, and change nothing.")
@output_option
@click.pass_obj
def edit_many(app: App, /, dry_run: bool, output: str, **given: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Change every connection that the filters select."""
    if given["plugin"] is None and (given["parameters"] or given["secrets"] or given["vault"]):
        raise WrongUse("Parameters, secrets and vault references belong to a plugin: say which with --plugin.")
    selection = selection_of(app, given)
    if dry_run:
        found = with_session(app, lambda session: session.connections.list(selection))
        names = [one.connection.name for one in found]
        say(output, names, "\n".join([*names, f"{len(names)} would be changed."]))
        return 0
    plugin = given["plugin"] or next(iter(app.plugins.plugins))
    change = change_of(app, plugin, given)
    outcomes = with_session(app, lambda session: session.connections.edit_many(selection, change))
    return tell(outcomes, "changed", output)


@click.command()
@output_option
@click.pass_obj
def upgrade(app: App, output: str) -> int:
    """Save connections anew that were saved for another version of their plugin; flag what does not suit it."""
    return tell(with_session(app, lambda session: session.connections.upgrade()), "upgraded", output)
