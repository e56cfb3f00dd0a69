"""`test-command PLUGIN COMMAND`: the generic runner; its options come from the manifest."""

from typing import Any

import click

from connector_host.builtin.surfaces.cli.parameters import options_of, read_inputs, value_of
from connector_host.builtin.surfaces.cli.progress import Bar
from connector_host.builtin.surfaces.cli.running import caller, exit_code, output_option, with_host
from connector_host.contract.connection import Selection
from connector_host.contract.documents import as_document, as_json
from connector_host.contract.face import Entrance, HostFace
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import Options, Result


class _Plugins(click.Group):
    """The plugins as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_entrance(ctx).catalogue.plugins)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return _Commands(_entrance(ctx).catalogue.plugin(cmd_name))


class _Commands(click.Group):
    """One plugin's commands."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(
            manifest.id,
            help=f"{manifest.name} {manifest.version}. {manifest.description}",
            subcommand_metavar="COMMAND [OPTIONS]",
        )
        self._manifest = manifest

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name.replace("_", "-") for name in self._manifest.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        manifest, found = _entrance(ctx).catalogue.command(self._manifest.id, cmd_name)
        return _command(manifest, found)


def _entrance(ctx: click.Context) -> Entrance:
    entrance: Entrance = ctx.find_root().obj
    return entrance


def _connection_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of stored connections, for the shell's completion."""

    async def names(host: HostFace) -> list[str]:
        found = await host.connections.list(Selection(name=f"{incomplete}*", limit=100))
        return [one.connection.name for one in found]

    return [name for name in with_host(_entrance(ctx), names) if name.startswith(incomplete)]


def _command(manifest: Manifest, found: Command) -> click.Command:
    properties = found.input.get("properties", {})
    required = found.input.get("required", [])
    notes = "".join(f"\n\nNote: {note}" for note in found.notes)
    own = [
        click.Option(
            ["--connection"],
            required=True,
            metavar="NAME",
            help="The connection to use.",
            shell_complete=_connection_names,
        ),
        click.Option(["--input"], metavar="FILE|-", help="Inputs as a JSON object; single options win over it."),
        click.Option(["--timeout"], type=float, metavar="SECONDS", help="Deadline of this run."),
    ]
    run = click.Command(
        found.id.replace("_", "-"),
        params=[*options_of(properties, required), *own],
        help=f"{found.title}. {found.description}{notes}",
        short_help=found.description,
    )
    run.callback = output_option(click.pass_context(_runner(manifest, found)))
    run.params += reversed(getattr(run.callback, "__click_params__", []))
    return run


def _runner(manifest: Manifest, found: Command) -> Any:
    def run(
        ctx: click.Context,
        connection: str,
        input: str | None,  # noqa: A002 - the option's name
        timeout: float | None,
        output: str,
        **given: Any,
    ) -> int:
        properties = found.input.get("properties", {})
        inputs = read_inputs(input)
        inputs |= {name: value_of(value, properties[name]) for name, value in given.items() if value is not None}
        with Bar(found.title) as bar:
            options = Options(deadline_seconds=timeout, progress=bar.advance)
            who = caller()
            result = with_host(
                _entrance(ctx),
                lambda host: host.run(manifest.id, found.id, connection, inputs, who, options=options),
            )
        show(result, found.title, output)
        return exit_code(result)

    return run


def show(result: Result, title: str, output: str) -> None:
    """Print a result for people or for machines."""
    if output == "json":
        click.echo(as_json(as_document(result)))
        return
    from connector_host.builtin.surfaces.cli.tables import print_result  # noqa: PLC0415 - rich is for people only

    print_result(result, title)


command = _Plugins(
    "test-command",
    help="Run one command of a plugin through a connection.",
    subcommand_metavar="PLUGIN COMMAND [OPTIONS]",
)
