"""`connections …`: add, edit, copy, remove and test one; what is about many stands beside it."""

from shlex import quote
from typing import Any

import click

from connector_host.app import App
from connector_host.cli.connection_options import change_of, field_options
from connector_host.cli.connections_many import diagnose, edit_many, list_all, show_one, upgrade
from connector_host.cli.running import confirm, exit_code, output_option, say, with_session
from connector_host.cli.test_command import show
from connector_host.cli.transfers import export, take
from connector_host.host.session import Session
from connector_host.model.connection import Change, HealthCheck
from connector_host.model.result import Result
from connector_host.model.rights import probes_of


@click.group("connections", help="Add, edit, test and remove connections.")
def command() -> None:
    """Hold the subcommands."""


_testing = [
    click.option("--test", is_flag=True, help="Test first, and save only what passes."),
    click.option("--test-only", is_flag=True, help="Test, and save nothing."),
]


@command.command()
@click.argument("name")
@click.option("--plugin", required=True, help="The plugin it is a connection of.")
@_testing[0]
@_testing[1]
@field_options
@output_option
@click.pass_obj
def add(app: App, /, name: str, plugin: str, test: bool, test_only: bool, output: str, **given: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Add a connection."""
    change = change_of(app, plugin, given)

    async def work(session: Session) -> tuple[Result | None, Any]:
        result = await session.test_draft(name, plugin, change) if test or test_only else None
        if test_only or (result is not None and result.errors):
            return result, None
        await session.connections.add(name, plugin, change)
        _mind_the_mail(session, change)
        return result, await session.connections.show(name)

    result, document = with_session(app, work)
    if result is not None and document is None:
        return _not_saved(result, f"The connection '{name}' was not added.", output)
    say(output, document, f"Added connection '{name}'. Test it: connector-host connections test {quote(name)}")
    return 0


@command.command()
@click.argument("name")
@click.option("--rename", metavar="NEW", help="Give it another name.")
@click.option("--remove-secret", "remove_secrets", multiple=True, metavar="NAME", help="A secret to forget.")
@_testing[0]
@_testing[1]
@field_options
@output_option
@click.pass_obj
def edit(
    app: App,
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

    async def work(session: Session) -> tuple[Result | None, Any]:
        document = await session.connections.show(name)
        change = change_of(app, document["plugin"], given, document, rename, remove_secrets)
        result = await session.test_edit(name, change) if test or test_only else None
        if test_only or (result is not None and result.errors):
            return result, None
        await session.connections.edit(name, change)
        _mind_the_mail(session, change)
        return result, await session.connections.show(rename or name)

    result, document = with_session(app, work)
    if result is not None and document is None:
        return _not_saved(result, f"The connection '{name}' was not changed.", output)
    say(output, document, f"Changed connection '{rename or name}'.")
    return 0


def _not_saved(result: Result, words: str, output: str) -> int:
    show(result, "Test Connection", output)
    click.echo(words, err=True)
    return exit_code(result)


def _mind_the_mail(session: Session, change: Change) -> None:
    check = change.fields.get("health_check")
    if isinstance(check, HealthCheck) and check.recipients and not session.health.can_notify:
        click.echo("Mind: no e-mail goes out until the host manifest names a notifier (notifiers: [smtp]).", err=True)


@command.command()
@click.argument("name")
@click.argument("new_name")
@field_options
@output_option
@click.pass_obj
def copy(app: App, /, name: str, new_name: str, output: str, **given: Any) -> None:
    """Add a connection like another one, secrets included, with what is named here changed."""

    async def work(session: Session) -> Any:
        document = await session.connections.show(name)
        change = change_of(app, document["plugin"], given, document)
        await session.connections.copy(name, new_name, change)
        return await session.connections.show(new_name)

    say(output, with_session(app, work), f"Added connection '{new_name}', a copy of '{name}'.")


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def remove(app: App, name: str, yes: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Remove a connection and its secrets."""
    confirm(f"Remove connection '{name}' and its secrets?", yes=yes)
    with_session(app, lambda session: session.connections.remove(name))
    say(output, {"removed": name}, f"Removed connection '{name}'.")


@command.command()
@click.argument("name")
@click.option(
    "--probe", is_flag=True, help="Check everything the plugin can check, also what needs a harmless request."
)
@output_option
@click.pass_obj
def test(app: App, name: str, probe: bool, output: str) -> int:  # noqa: FBT001 - click passes it by name
    """Test a connection."""

    async def work(session: Session) -> Result:
        inputs = None
        if probe:
            plugin = (await session.connections.show(name))["plugin"]
            inputs = dict.fromkeys(probes_of(app.plugins.plugin(plugin)), True)
        return await session.test(name, inputs)

    result = with_session(app, work)
    show(result, "Test Connection", output)
    return exit_code(result)


for _one in (list_all, show_one, diagnose, edit_many, export, take, upgrade):
    command.add_command(_one)
