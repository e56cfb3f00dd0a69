"""`vault …`: password vaults, and looking values up in them."""

import click

from connector_host.builtin.surfaces.cli.running import caller, exit_code, output_option, print_rows, with_host
from connector_host.builtin.surfaces.cli.test_command import show
from connector_host.contract.connection import Selection, StoredConnection, VaultReference
from connector_host.contract.face import Entrance, HostFace


@click.group("vault", help="See password vaults, and test look-ups.")
def command() -> None:
    """Hold the subcommands."""


@command.command("list")
@output_option
@click.pass_obj
def list_all(entrance: Entrance, output: str) -> None:
    """List the connections that values can be looked up through."""
    who = caller()
    plugins = [
        one.id
        for one in entrance.catalogue.plugins.values()
        if any(each.kind == "credential" for each in one.commands.values())
    ]

    async def work(host: HostFace) -> list[StoredConnection]:
        return [found for plugin in plugins for found in await host.connections.list(Selection(plugin=plugin), who)]

    found = with_host(entrance, work)
    rows = [(one.connection.name, one.connection.plugin, one.state.value) for one in found]
    document = [dict(zip(("name", "plugin", "state"), row, strict=True)) for row in rows]
    print_rows(output, ("Vault", "Plugin", "State"), rows, document)


@command.command("test")
@click.argument("vault")
@click.option("--path", required=True, help="Where the secret stands in the vault.")
@click.option("--field", required=True, help="Which field of it.")
@output_option
@click.pass_obj
def test(entrance: Entrance, vault: str, path: str, field: str, output: str) -> int:
    """Look a value up as a connection in use would; it is shown masked."""
    who = caller()
    result = with_host(entrance, lambda host: host.test_look_up(VaultReference(vault, path, field), who))
    show(result, f"Look up {path}#{field}", output)
    return exit_code(result)
