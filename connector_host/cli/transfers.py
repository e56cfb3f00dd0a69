"""`connections export` and `import`: connections carried from one host to another, as YAML."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from connector_host.app import App
from connector_host.cli.connection_options import secrets_by_connection, selection_of, selection_options
from connector_host.cli.running import confirm, counted, output_option, say, tell, with_session
from connector_host.host.session import Session
from connector_host.model.connection import ImportPreview
from connector_host.model.errors import WrongUse


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@selection_options
@click.option(
    "--seal-to", type=click.Path(path_type=Path), metavar="PUBLIC.pem", help="Take the secrets along, sealed."
)
@click.option("--yes", is_flag=True, help="Do not ask before a file is written over.")
@output_option
@click.pass_obj
def export(app: App, /, file: Path, seal_to: Path | None, yes: bool, output: str, **given: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Write connections as YAML; secrets go along as vault references, or sealed to a public key."""
    import yaml  # noqa: PLC0415 - only transfers write YAML

    selection = selection_of(app, given)
    key = _read(seal_to) if seal_to else None
    document = with_session(app, lambda session: session.transfer.export(selection, public_key=key))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if str(file) == "-":
        click.echo(text, nl=False)
        return _told_of_left_out(document)
    confirm(f"{file} is there already. Write over it?", yes=yes or not file.exists())
    try:
        _write_privately(file, text)
    except OSError as error:
        raise WrongUse(f"{file} cannot be written ({error.strerror}).") from error
    count, left_out = len(document["connections"]), document.get("left_out", [])
    told = {"file": str(file), "connections": count, "left_out": left_out}
    say(output, told, f"Wrote {counted(count, 'connection')} to {file}.")
    missing = [one["name"] for one in document["connections"] if one.get("missing_secrets")]
    if missing:
        click.echo(f"Their secrets stayed here: {', '.join(missing[:10])}. To take them along: --seal-to", err=True)
    return _told_of_left_out(document)


def _told_of_left_out(document: Mapping[str, Any]) -> int:
    """Say what was left out of an export, and why; the exit code."""
    for one in document.get("left_out", ()):
        click.echo(f"Left out: '{one['name']}'. {one['reason']}", err=True)
    return 3 if document.get("left_out") else 0


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--private-key", type=click.Path(path_type=Path), metavar="PRIVATE.pem", help="Opens sealed secrets.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME.PARAMETER=env:VAR|file:PATH|-",
    help="A secret that stayed behind; the last dot divides connection and parameter.",
)
@click.option("--replace", is_flag=True, help="Make those that exist what the file says; it is shown first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def take(
    app: App,
    file: Path,
    private_key: Path | None,
    secrets: tuple[str, ...],
    replace: bool,  # noqa: FBT001 - click passes them by name
    yes: bool,  # noqa: FBT001 - the same
    output: str,
) -> int:
    """Add the connections of an exported file."""
    from connector_host.cli.exported import parse_exported  # noqa: PLC0415 - only transfers read YAML

    document = parse_exported(sys.stdin.read() if str(file) == "-" else _read(file), str(file))
    key = _read(private_key) if private_key else None
    given = secrets_by_connection(app, document, secrets)
    if replace:
        _show(with_session(app, lambda session: session.transfer.preview(document, private_key=key, secrets=given)))
        confirm("Make them so?", yes=yes)

    async def work(session: Session) -> Any:
        return await session.transfer.take(document, private_key=key, replace_existing=replace, secrets=given)

    return tell(with_session(app, work), "imported", output)


def _write_privately(file: Path, text: str) -> None:
    """Write a file that its owner alone can read."""
    file.touch(0o600)
    file.chmod(0o600)
    file.write_text(text, "utf-8")


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
