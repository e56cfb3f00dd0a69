"""`keys …`: the master key's rotation."""

import click

from connector_host.builtin.surfaces.cli.running import caller, output_option, say, with_host
from connector_host.contract.face import Entrance


@click.group("keys", help="Rotate the master key.")
def command() -> None:
    """Hold the subcommands."""


@command.command()
@output_option
@click.pass_obj
def rotate(entrance: Entrance, output: str) -> None:
    """Make a new master key and put every connection under it.

    Others may use the host meanwhile. An interrupted rotation goes on where it stopped. The older key is kept until
    `keys retire`.
    """
    who = caller()
    moved = with_host(entrance, lambda host: host.keys.rotate(who))
    plural = "" if moved == 1 else "s"
    words = f"{moved} connection{plural} put under the new master key."
    say(output, {"rewrapped": moved}, f"{words}\nWhen no older program runs any more: connector-host keys retire")


@command.command()
@output_option
@click.pass_obj
def retire(entrance: Entrance, output: str) -> None:
    """Forget the older master keys; refused while a connection still needs one."""
    who = caller()
    with_host(entrance, lambda host: host.keys.retire(who))
    say(output, {"retired": True}, "The older master keys are gone.")
