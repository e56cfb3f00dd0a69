"""`connections list`, `show` and `diagnose`: what there is, and how it stands."""

import json
import zipfile
from pathlib import Path
from typing import Any

import click

from connector_host.builtin.surfaces.cli.connection_options import selection_of, selection_options
from connector_host.builtin.surfaces.cli.running import caller, output_option, print_rows, say, with_host
from connector_host.contract.connection import StoredConnection
from connector_host.contract.errors import WrongUse
from connector_host.contract.face import Entrance


@click.command("list")
@selection_options
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--after", default="", metavar="NAME", help="Go on after this name.")
@output_option
@click.pass_obj
def list_all(entrance: Entrance, /, limit: int, after: str, output: str, **given: Any) -> None:
    """List connections, by name."""
    selection, who = selection_of(entrance, given, limit, after), caller()
    found = with_host(entrance, lambda host: host.connections.list(selection, who))
    if not found and output == "table":
        chosen = any(value is not None for value in given.values()) or after
        advice = "No connections yet. Add one: connector-host connections add NAME --plugin ID …"
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
def show_one(entrance: Entrance, name: str, output: str) -> None:
    """Show a connection, its secrets masked."""
    who = caller()
    document = with_host(entrance, lambda host: host.connections.show(name, who))
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
def diagnose(entrance: Entrance, name: str, file: Path | None, output: str) -> None:
    """Write a bundle for support: how a connection stands, what ran, what was changed; never a secret."""
    who = caller()
    bundle = with_host(entrance, lambda host: host.diagnose(name, who))
    safe = "".join(character if character.isalnum() or character in "-_." else "_" for character in name)
    target = file or Path(f"{safe}-diagnosis.zip")
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in bundle.items():
                archive.writestr(part, json.dumps(content, indent=2, ensure_ascii=False))
    except OSError as error:
        raise WrongUse(f"The bundle can not be written to {target} ({error.strerror}).") from error
    say(output, {"file": str(target), "parts": list(bundle)}, f"Wrote {target}: {', '.join(bundle)}.")
