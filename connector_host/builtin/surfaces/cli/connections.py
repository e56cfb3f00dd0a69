"""`connections …`: add, list, show, edit, remove and test."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from connector_host.builtin.surfaces.cli.changes import change_of
from connector_host.builtin.surfaces.cli.running import exit_code, output_option, with_host
from connector_host.builtin.surfaces.cli.test_command import show
from connector_host.contract.face import Entrance, HostFace
from connector_host.contract.model import Connection, Result


@click.group("connections", help="Add, edit, test and remove connections.")
def command() -> None:
    """Hold the subcommands."""


def _field_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the options that add and edit share."""
    options = [
        click.option(
            "--set",
            "parameters",
            multiple=True,
            metavar="NAME=VALUE",
            help="A parameter; edit: an empty value takes it away.",
        ),
        click.option(
            "--secret",
            "secrets",
            multiple=True,
            metavar="NAME=env:VAR|file:PATH|-",
            help="A secret, never on the command line itself.",
        ),
        click.option("--site", help="The one site that may use it."),
        click.option(
            "--share-to-internal-sites/--no-share-to-internal-sites", "shared_to_internal_sites", default=None
        ),
        click.option("--recipient-site", help="Where events of a shared connection go."),
        click.option("--tenant", "tenants", multiple=True, help="A tenant it is shared to; may be repeated."),
        click.option("--agent", help="The agent it runs through."),
        click.option("--description"),
        click.option("--allow-user", "allowed_users", multiple=True, help="Only these users; may be repeated."),
        click.option("--allow-group", "allowed_groups", multiple=True, help="Only these groups; may be repeated."),
        click.option("--active/--inactive", default=None, help="Whether it may be used."),
        click.option("--health-check-minutes", type=int, help="Test it every so many minutes; 0 for never."),
        click.option("--health-check-failures", type=int, help="Failures in a row before an e-mail."),
        click.option("--health-check-mail", multiple=True, help="A recipient; may be repeated."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@command.command()
@click.argument("name")
@click.option("--plugin", required=True)
@click.option("--test", is_flag=True, help="Test first, and add only what passes.")
@_field_options
@click.pass_obj
def add(entrance: Entrance, /, name: str, plugin: str, test: bool, **given: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Add a connection."""
    change = change_of(entrance, plugin, given)

    async def work(host: HostFace) -> Result | None:
        result = await host.test_draft(name, plugin, change) if test else None
        if result is None or not result.errors:
            await host.connections.add(name, plugin, change)
        return result

    result = with_host(entrance, work)
    if result is not None and result.errors:
        show(result, "Test Connection", "table")
        click.echo(f"The connection '{name}' was not added.", err=True)
        return exit_code(result)
    click.echo(f"Added connection '{name}'. Test it: connector-host connections test {name}", err=True)
    return 0


@command.command()
@click.argument("name")
@click.option("--rename", metavar="NEW", help="Give it another name.")
@click.option("--remove-secret", "remove_secrets", multiple=True, metavar="NAME")
@_field_options
@click.pass_obj
def edit(entrance: Entrance, /, name: str, rename: str | None, remove_secrets: tuple[str, ...], **given: Any) -> None:
    """Change a connection; what is not named stays."""

    async def work(host: HostFace) -> None:
        document = await host.connections.show(name)
        change = change_of(entrance, document["plugin"], given, document, rename, remove_secrets)
        await host.connections.edit(name, change)

    with_host(entrance, work)
    click.echo(f"Changed connection '{rename or name}'.", err=True)


@command.command("list")
@click.option("--plugin")
@output_option
@click.pass_obj
def list_all(entrance: Entrance, plugin: str | None, output: str) -> None:
    """List connections."""
    if plugin is not None:
        entrance.catalogue.plugin(plugin)
    found = with_host(entrance, lambda host: host.connections.list(plugin))
    if output == "json":
        click.echo(json.dumps([_listed(one) for one in found]))
        return
    from connector_host.builtin.surfaces.cli.tables import console, list_table  # noqa: PLC0415 - rich is for people only

    if not found:
        click.echo("No connections yet. Add one: connector-host connections add NAME --plugin ID …", err=True)
        return
    rows = [(one.name, one.plugin, one.site or "", "yes" if one.active else "no", one.description) for one in found]
    console().print(list_table(("Name", "Plugin", "Site", "Active", "Description"), rows))


def _listed(one: Connection) -> dict[str, Any]:
    return {
        "name": one.name,
        "plugin": one.plugin,
        "site": one.site,
        "active": one.active,
        "description": one.description,
    }


@command.command("show")
@click.argument("name")
@output_option
@click.pass_obj
def show_one(entrance: Entrance, name: str, output: str) -> None:
    """Show a connection, its secrets masked."""
    document = with_host(entrance, lambda host: host.connections.show(name))
    if output == "json":
        click.echo(json.dumps(document))
        return
    from connector_host.builtin.surfaces.cli.tables import console, list_table  # noqa: PLC0415 - rich is for people only

    rows = [(key, value) for key, value in document.items() if key not in {"parameters", "secrets"}]
    rows += [(f"parameter {key}", value) for key, value in document["parameters"].items()]
    rows += [(f"secret {key}", value) for key, value in document["secrets"].items()]
    console().print(list_table(("Field", "Value"), rows))


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(entrance: Entrance, name: str, yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Remove a connection and its secrets."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove connection '{name}' and its secrets?", abort=True)
    with_host(entrance, lambda host: host.connections.remove(name))
    click.echo(f"Removed connection '{name}'.", err=True)


@command.command()
@click.argument("name")
@click.option(
    "--probe", is_flag=True, help="Check everything the plugin can check, also what needs a harmless request."
)
@output_option
@click.pass_obj
def test(entrance: Entrance, name: str, probe: bool, output: str) -> int:  # noqa: FBT001 - click passes it by name
    """Test a connection."""

    async def work(host: HostFace) -> Result:
        return await host.test(name, await _probing(host, entrance, name) if probe else None)

    result = with_host(entrance, work)
    show(result, "Test Connection", output)
    return exit_code(result)


async def _probing(host: HostFace, entrance: Entrance, name: str) -> dict[str, Any]:
    """Every yes-or-no input of the plugin's Test Connection, set to yes."""
    document = await host.connections.show(name)
    commands = entrance.catalogue.plugin(document["plugin"]).commands.values()
    found = next((one for one in commands if one.kind == "test_connection"), None)
    properties = found.input.get("properties", {}) if found else {}
    return {key: True for key, schema in properties.items() if schema.get("type") == "boolean"}
