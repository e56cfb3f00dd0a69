"""`test-command PLUGIN COMMAND`: the generic runner; its options come from the manifest."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from connector_host.builtin.surfaces.cli.parameters import options_of, read_inputs, spooled, value_of
from connector_host.builtin.surfaces.cli.progress import Bar
from connector_host.builtin.surfaces.cli.running import caller, exit_code, output_option, print_rows, with_host
from connector_host.contract.connection import Caller, Selection
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
        entrance = _entrance(ctx)
        manifest = entrance.catalogue.localised(self._manifest.id, ctx.find_root().params.get("language"))
        return _command(manifest, manifest.commands[entrance.catalogue.command(manifest.id, cmd_name)[1].id])


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
        click.Option(["--connection"], metavar="NAME", help="The connection to use.", shell_complete=_connection_names),
        click.Option(["--sandbox"], is_flag=True, help="Use the plugin's stand-in server in place of a connection."),
        click.Option(["--input"], metavar="FILE|-", help="Inputs as a JSON object; single options win over it."),
        click.Option(["--options-of"], metavar="PARAMETER", help="List a parameter's options, and run nothing."),
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
        connection: str | None,
        sandbox: bool,  # noqa: FBT001 - click passes it by name
        input: str | None,  # noqa: A002 - the option's name
        options_of: str | None,
        timeout: float | None,
        output: str,
        **given: Any,
    ) -> int:
        if sandbox == (connection is not None):
            raise click.UsageError("Give --connection NAME, or --sandbox for the plugin's stand-in server.")
        properties = found.input.get("properties", {})
        inputs = read_inputs(input)
        inputs |= {name: value_of(value, properties[name]) for name, value in given.items() if value is not None}
        with _place(_entrance(ctx), manifest, connection) as (entrance, name):
            if options_of is not None:
                return _list_options(entrance, found, (manifest.id, options_of, name), output)
            with Bar(found.title) as bar:
                options = Options(deadline_seconds=timeout, progress=bar.advance)
                work = _Work(manifest.id, found, name, inputs, caller(), options)
                result = with_host(entrance, work.run)
        show(result, found.title, output)
        return exit_code(result)

    return run


@dataclass(frozen=True, slots=True)
class _Work:
    """One run of one command."""

    plugin: str
    command: Command
    connection: str
    inputs: dict[str, Any]
    caller: Caller
    options: Options

    async def run(self, host: HostFace) -> Result:
        """Put files into the spool, and run."""
        properties = self.command.input.get("properties", {})
        files = [name for name in self.inputs if properties.get(name, {}).get("format") == "file"]
        inputs = {**self.inputs, **{name: spooled(host.files, self.inputs[name]) for name in files}}
        return await host.run(self.plugin, self.command.id, self.connection, inputs, self.caller, options=self.options)


@contextmanager
def _place(entrance: Entrance, manifest: Manifest, connection: str | None) -> Iterator[tuple[Entrance, str]]:
    """Give the host to run on and the connection's name: a stand-in's are made for this run alone."""
    if connection is not None:
        yield entrance, connection
        return
    from connector_host.builtin.surfaces.loopback import serving  # noqa: PLC0415 - only a sandbox pays

    stand_in = entrance.workshop.stand_in(manifest)
    with tempfile.TemporaryDirectory(prefix="connector-host-sandbox-") as folder, serving(stand_in.build()) as base:
        there, change = entrance.at(Path(folder)), stand_in.connection(base)
        with_host(there, lambda host: host.connections.add("sandbox", manifest.id, change))
        yield there, "sandbox"


def _list_options(entrance: Entrance, found: Command, of: tuple[str, str, str], output: str) -> int:
    plugin, parameter, connection = of
    name = parameter.removeprefix("--").replace("-", "_")
    who = caller()
    choices = with_host(entrance, lambda host: host.choices(plugin, found.id, name, connection, who))
    rows = [(json.dumps(one.value) if not isinstance(one.value, str) else one.value, one.label) for one in choices]
    print_rows(output, ("Value", "Label"), rows, [{"value": one.value, "label": one.label} for one in choices])
    return 0


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
