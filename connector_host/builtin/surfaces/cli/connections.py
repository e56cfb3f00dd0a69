"""`connections …`: add, edit, copy, remove and test one; what is about many stands beside it."""

import sys
from typing import Any

import click

from connector_host.builtin.surfaces.cli.changes import change_of
from connector_host.builtin.surfaces.cli.connection_lists import diagnose, list_all, show_one
from connector_host.builtin.surfaces.cli.connection_options import field_options
from connector_host.builtin.surfaces.cli.connections_many import edit_many, export, take, upgrade
from connector_host.builtin.surfaces.cli.running import caller, exit_code, output_option, say, with_host
from connector_host.builtin.surfaces.cli.test_command import show
from connector_host.contract.connection import Change, HealthCheck
from connector_host.contract.face import Entrance, HostFace
from connector_host.contract.model import Result


@click.group("connections", help="Add, edit, test and remove connections.")
def command() -> None:
    """Hold the subcommands."""


_testing = [
    click.option("--test", is_flag=True, help="Test first, and save only what passes."),
    click.option("--test-only", is_flag=True, help="Test, and save nothing."),
]


@command.command()
@click.argument("name")
@click.option("--plugin", required=True)
@_testing[0]
@_testing[1]
@field_options
@output_option
@click.pass_obj
def add(entrance: Entrance, /, name: str, plugin: str, test: bool, test_only: bool, output: str, **given: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Add a connection."""
    change, who = change_of(entrance, plugin, given), caller()

    async def work(host: HostFace) -> tuple[Result | None, Any]:
        result = await host.test_draft(name, plugin, change, who) if test or test_only else None
        if test_only or (result is not None and result.errors):
            return result, None
        await host.connections.add(name, plugin, change, who)
        _mind_the_mail(host, change)
        return result, await host.connections.show(name, who)

    result, document = with_host(entrance, work)
    if result is not None and document is None:
        return _not_saved(result, f"The connection '{name}' was not added.", output)
    say(output, document, f"Added connection '{name}'. Test it: connector-host connections test {name}")
    return 0


@command.command()
@click.argument("name")
@click.option("--rename", metavar="NEW", help="Give it another name.")
@click.option("--remove-secret", "remove_secrets", multiple=True, metavar="NAME")
@_testing[0]
@_testing[1]
@field_options
@output_option
@click.pass_obj
def edit(
    entrance: Entrance,
    /,
    name: str,
    rename: str | None,
    remove_secrets: tuple[str, ...],
    test: bool,  # noqa: FBT001 - click passes it by name
    test_only: bool,  # noqa: FBT001 - the same
    output: str,
    **given: Any,
) -> int:
    """Change a connection; what is not named stays."""
    who = caller()

    async def work(host: HostFace) -> tuple[Result | None, Any]:
        document = await host.connections.show(name, who)
        change = change_of(entrance, document["plugin"], given, document, rename, remove_secrets)
        result = await host.test_edit(name, change, who) if test or test_only else None
        if test_only or (result is not None and result.errors):
            return result, None
        await host.connections.edit(name, change, who)
        _mind_the_mail(host, change)
        return result, await host.connections.show(rename or name, who)

    result, document = with_host(entrance, work)
    if result is not None and document is None:
        return _not_saved(result, f"The connection '{name}' was not changed.", output)
    say(output, document, f"Changed connection '{rename or name}'.")
    return 0


def _not_saved(result: Result, words: str, output: str) -> int:
    show(result, "Test Connection", output)
    click.echo(words, err=True)
    return exit_code(result)


def _mind_the_mail(host: HostFace, change: Change) -> None:
    check = change.fields.get("health_check")
    if isinstance(check, HealthCheck) and check.recipients and not host.health.can_notify:
        click.echo("Mind: no e-mail goes out until the host manifest names a notifier (notifiers: [smtp]).", err=True)


@command.command()
@click.argument("name")
@click.argument("new_name")
@field_options
@output_option
@click.pass_obj
def copy(entrance: Entrance, /, name: str, new_name: str, output: str, **given: Any) -> None:
    """Add a connection like another one, secrets included, with what is named here changed."""
    who = caller()

    async def work(host: HostFace) -> Any:
        document = await host.connections.show(name, who)
        change = change_of(entrance, document["plugin"], given, document)
        await host.connections.copy(name, new_name, change, who)
        return await host.connections.show(new_name, who)

    say(output, with_host(entrance, work), f"Added connection '{new_name}', a copy of '{name}'.")


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def remove(entrance: Entrance, name: str, yes: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Remove a connection and its secrets."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove connection '{name}' and its secrets?", abort=True)
    who = caller()
    with_host(entrance, lambda host: host.connections.remove(name, who))
    say(output, {"removed": name}, f"Removed connection '{name}'.")


@command.command()
@click.argument("name")
@click.option(
    "--probe", is_flag=True, help="Check everything the plugin can check, also what needs a harmless request."
)
@output_option
@click.pass_obj
def test(entrance: Entrance, name: str, probe: bool, output: str) -> int:  # noqa: FBT001 - click passes it by name
    """Test a connection."""
    who = caller()

    async def work(host: HostFace) -> Result:
        inputs = None
        if probe:
            inputs = _probing(entrance, (await host.connections.show(name, who))["plugin"])
        return await host.test(name, inputs, who)

    result = with_host(entrance, work)
    show(result, "Test Connection", output)
    return exit_code(result)


def _probing(entrance: Entrance, plugin: str) -> dict[str, Any]:
    """Every yes-or-no input of the plugin's Test Connection, set to yes."""
    commands = entrance.catalogue.plugin(plugin).commands.values()
    found = next((one for one in commands if one.kind == "test_connection"), None)
    properties = found.input.get("properties", {}) if found else {}
    return {key: True for key, schema in properties.items() if schema.get("type") == "boolean"}


for _one in (list_all, show_one, diagnose, edit_many, export, take, upgrade):
    command.add_command(_one)
