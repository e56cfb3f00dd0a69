"""`completion SHELL`: prints the shell's completion script."""

import click
from click.shell_completion import get_completion_class


@click.command(
    "completion",
    help='Print a script that completes commands in your shell: eval "$(connector-host completion bash)"',
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script; the program itself answers it."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    root = ctx.find_root().command
    click.echo(found(root, {}, "connector-host", "_CONNECTOR_HOST_COMPLETE").source())
