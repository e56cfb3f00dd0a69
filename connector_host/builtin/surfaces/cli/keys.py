"""`keys …`: the master key's rotation."""

import click

from connector_host.builtin.surfaces.cli.running import with_host
from connector_host.contract.face import Entrance


@click.group("keys", help="Rotate the master key.")
def command() -> None:
    """Hold the subcommands."""


@command.command()
@click.pass_obj
def rotate(entrance: Entrance) -> None:
    """Make a new master key and put every connection under it.

    Others may use the host meanwhile. An interrupted rotation goes on where it stopped. The older key is kept until
    `keys retire`.
    """
    moved = with_host(entrance, lambda host: host.keys.rotate())
    plural = "" if moved == 1 else "s"
    click.echo(f"{moved} connection{plural} put under the new master key.", err=True)
    click.echo("When no older program runs any more: connector-host keys retire", err=True)


@command.command()
@click.pass_obj
def retire(entrance: Entrance) -> None:
    """Forget the older master keys; refused while a connection still needs one."""
    with_host(entrance, lambda host: host.keys.retire())
    click.echo("The older master keys are gone.", err=True)
