"""`connections edit-many`, `export`, `import` and `upgrade`: what is done to many at once, each by itself."""

import sys
from pathlib import Path
from typing import Any

import click

from connector_host.builtin.surfaces.cli.changes import change_of
from connector_host.builtin.surfaces.cli.connection_options import field_options, selection_of, selection_options
from connector_host.builtin.surfaces.cli.running import caller, output_option, say, tell, with_host
from connector_host.contract.errors import WrongUse
from connector_host.contract.face import Entrance, HostFace


@click.command("edit-many")
@selection_options
@field_options
@click.option("--dry-run", is_flag=True, help="Say which are meant, and change nothing.")
@output_option
@click.pass_obj
def edit_many(entrance: Entrance, /, dry_run: bool, output: str, **given: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Change every connection that the filters select."""
    if given["plugin"] is None and (given["parameters"] or given["secrets"] or given["vault"]):
        raise WrongUse("Parameters, secrets and vault references belong to a plugin: say which with --plugin.")
    selection, who = selection_of(entrance, given), caller()
    if dry_run:
        found = with_host(entrance, lambda host: host.connections.list(selection, who))
        names = [one.connection.name for one in found]
        say(output, names, "\n".join([*names, f"{len(names)} would be changed."]))
        return 0
    plugin = given["plugin"] or next(iter(entrance.catalogue.plugins))
    change = change_of(entrance, plugin, given)
    outcomes = with_host(entrance, lambda host: host.connections.edit_many(selection, change, who))
    return tell(outcomes, "changed", output)


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@selection_options
@click.option(
    "--seal-to", type=click.Path(path_type=Path), metavar="PUBLIC.pem", help="Take the secrets along, sealed."
)
@output_option
@click.pass_obj
def export(entrance: Entrance, /, file: Path, seal_to: Path | None, output: str, **given: Any) -> None:
    """Write connections as YAML; secrets go along as vault references, or sealed to a public key."""
    import yaml  # noqa: PLC0415 - only transfers write YAML

    selection, who = selection_of(entrance, given), caller()
    key = _read(seal_to) if seal_to else None
    document = with_host(entrance, lambda host: host.transfer.export(selection, public_key=key, caller=who))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise WrongUse(f"{file} can not be written ({error.strerror}).") from error
    count = len(document["connections"])
    say(output, {"file": str(file), "connections": count}, f"Wrote {count} connections to {file}.")
    missing = [one["name"] for one in document["connections"] if one.get("missing_secrets")]
    if missing:
        click.echo(f"Their secrets stayed here: {', '.join(missing[:10])}. To take them along: --seal-to", err=True)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--private-key", type=click.Path(path_type=Path), metavar="PRIVATE.pem", help="Opens sealed secrets.")
@click.option("--replace", is_flag=True, help="Change those that exist already.")
@output_option
@click.pass_obj
def take(entrance: Entrance, file: Path, private_key: Path | None, replace: bool, output: str) -> int:  # noqa: FBT001 - click passes it by name
    """Add the connections of an exported file."""
    import yaml  # noqa: PLC0415 - only transfers read YAML

    who = caller()
    try:
        document = yaml.safe_load(sys.stdin.read() if str(file) == "-" else _read(file))
    except yaml.YAMLError as error:
        raise WrongUse(f"{file} is no YAML: {error}") from error
    key = _read(private_key) if private_key else None

    async def work(host: HostFace) -> Any:
        return await host.transfer.take(document, private_key=key, replace_existing=replace, caller=who)

    return tell(with_host(entrance, work), "imported", output)


@click.command()
@output_option
@click.pass_obj
def upgrade(entrance: Entrance, output: str) -> int:
    """Save connections anew that were saved for another version of their plugin; flag what does not suit it."""
    who = caller()
    return tell(with_host(entrance, lambda host: host.connections.upgrade(who)), "upgraded", output)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WrongUse(f"{file} can not be read ({error.strerror}).") from error
