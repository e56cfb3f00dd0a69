"""`connections list`, `show`, `diagnose`, `edit-many`, `export`, `import` and `upgrade`."""

import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from connector_host.app import App
from connector_host.cli.connection_options import change_of, field_options, selection_of, selection_options
from connector_host.cli.running import acting_caller, confirm, output_option, print_rows, say, tell, with_session
from connector_host.host.host import Session
from connector_host.model.connection import ImportPreview, StoredConnection
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


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@selection_options
@click.option(
    "--seal-to", type=click.Path(path_type=Path), metavar="PUBLIC.pem", help="Take the secrets along, sealed."
)
@output_option
@click.pass_obj
def export(app: App, /, file: Path, seal_to: Path | None, output: str, **given: Any) -> None:
    """Write connections as YAML; secrets go along as vault references, or sealed to a public key."""
    import yaml  # noqa: PLC0415 - only transfers write YAML

    selection = selection_of(app, given)
    key = _read(seal_to) if seal_to else None
    document = with_session(app, lambda session: session.transfer.export(selection, public_key=key))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise WrongUse(f"{file} cannot be written ({error.strerror}).") from error
    count = len(document["connections"])
    say(output, {"file": str(file), "connections": count}, f"Wrote {count} connections to {file}.")
    missing = [one["name"] for one in document["connections"] if one.get("missing_secrets")]
    if missing:
        click.echo(f"Their secrets stayed here: {', '.join(missing[:10])}. To take them along: --seal-to", err=True)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--private-key", type=click.Path(path_type=Path), metavar="PRIVATE.pem", help="Opens sealed secrets.")
@click.option("--replace", is_flag=True, help="Make those that exist what the file says; it is shown first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def take(app: App, file: Path, private_key: Path | None, replace: bool, yes: bool, output: str) -> int:  # noqa: FBT001 - click passes them by name
    """Add the connections of an exported file."""
    import yaml  # noqa: PLC0415 - only transfers read YAML

    try:
        document = yaml.safe_load(sys.stdin.read() if str(file) == "-" else _read(file))
    except yaml.YAMLError as error:
        raise WrongUse(f"{file} is no YAML: {error}") from error
    key = _read(private_key) if private_key else None
    if replace:
        _show(with_session(app, lambda session: session.transfer.preview(document, private_key=key)))
        confirm("Make them so?", yes=yes)

    async def work(session: Session) -> Any:
        return await session.transfer.take(document, private_key=key, replace_existing=replace)

    return tell(with_session(app, work), "imported", output)


@click.command()
@output_option
@click.pass_obj
def upgrade(app: App, output: str) -> int:
    """Save connections anew that were saved for another version of their plugin; flag what does not suit it."""
    return tell(with_session(app, lambda session: session.connections.upgrade()), "upgraded", output)


def _show(previews: Sequence[ImportPreview]) -> None:
    """Say what an import would change."""
    for preview in previews:
        words = "; ".join(preview.changes) or ("stays as it is" if preview.exists else "is new")
        click.echo(f"{preview.name}: {words}", err=True)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WrongUse(f"{file} cannot be read ({error.strerror}).") from error
