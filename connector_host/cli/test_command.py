"""`test-command PLUGIN COMMAND`: the generic runner; its options come from the manifest."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import click

from connector_host.app import App
from connector_host.cli.connection_options import values_of
from connector_host.cli.log_output import show_faults
from connector_host.cli.parameters import given_inputs, options_of, read_inputs, uploaded
from connector_host.cli.running import Bar, exit_code, output_option, print_rows, with_session
from connector_host.host.session import Session
from connector_host.model.connection import Selection
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import Options
from connector_host.model.manifest import Command, Manifest
from connector_host.model.result import Result, Status


class _Plugins(click.Group):
    """The plugins as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_app(ctx).plugins.plugins)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return _Commands(_app(ctx).plugins.plugin(cmd_name))


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
        app = _app(ctx)
        manifest = app.plugins.localised(self._manifest.id, ctx.find_root().params.get("language"))
        return _command(manifest, manifest.commands[app.plugins.command(manifest.id, cmd_name)[1].id])


def _app(ctx: click.Context) -> App:
    app: App = ctx.find_root().obj
    return app


def _connection_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of stored connections, for the shell's completion."""

    async def names(session: Session) -> list[str]:
        found = await session.connections.list(Selection(name=f"{incomplete}*", limit=100))
        return [one.connection.name for one in found]

    with ctx.scope(cleanup=False):
        return [name for name in with_session(_app(ctx), names) if name.startswith(incomplete)]


def _own_options() -> list[click.Option]:
    """Return the options that every command has."""
    return [
        click.Option(["--connection"], metavar="NAME", help="The connection to use.", shell_complete=_connection_names),
        click.Option(["--sandbox"], is_flag=True, help="Use the plugin's stand-in server in place of a connection."),
        click.Option(
            ["--set", "parameters"],
            multiple=True,
            metavar="NAME=VALUE",
            help="In place of --connection: a parameter.",
        ),
        click.Option(
            ["--secret", "secrets"],
            multiple=True,
            metavar="NAME=env:VAR|file:PATH|-",
            help="In place of --connection: a secret. Nothing is stored.",
        ),
        click.Option(["--input"], metavar="FILE|-", help="Inputs as a JSON object; single options win over it."),
        click.Option(["--options-of"], metavar="PARAMETER", help="List a parameter's options, and run nothing."),
        click.Option(["--timeout"], type=float, metavar="SECONDS", help="Deadline of this run."),
        click.Option(["--partial-ok"], is_flag=True, help="Exit with 0, not 3, where it was Partially Successful."),
    ]


def _command(manifest: Manifest, found: Command) -> click.Command:
    properties = found.input.get("properties", {})
    required = found.input.get("required", [])
    notes = "".join(f"\n\nNote: {note}" for note in found.notes)
    run = click.Command(
        found.id.replace("_", "-"),
        params=[*options_of(properties, required), *_own_options()],
        help=f"{found.title}. {found.description}{notes}",
        short_help=found.description,
    )
    run.callback = output_option(click.pass_context(_runner(manifest, found)))
    run.params += reversed(getattr(run.callback, "__click_params__", []))
    return run


_WHERE = "Give --connection NAME, or --sandbox for the stand-in server, or values with --set and --secret."


def _given(found: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that single options give, each read by its schema."""
    properties = dict(found.input.get("properties", {}))
    properties |= {schema["was"]: schema for schema in properties.values() if "was" in schema}
    return given_inputs(given, properties)


def _runner(manifest: Manifest, found: Command) -> Any:
    def run(
        ctx: click.Context,
        connection: str | None,
        sandbox: bool,  # noqa: FBT001 - click passes it by name
        parameters: tuple[str, ...],
        secrets: tuple[str, ...],
        input: str | None,  # noqa: A002 - the option's name
        options_of: str | None,
        timeout: float | None,
        partial_ok: bool,  # noqa: FBT001 - the same
        output: str,
        **given: Any,
    ) -> int:
        values = values_of(manifest, parameters, secrets)
        if [sandbox, connection is not None, bool(values)].count(True) != 1 or (values and options_of):
            raise click.UsageError(_WHERE)
        inputs = {**read_inputs(input), **_given(found, given)}
        with _place(_app(ctx), manifest, connection or ("" if values else None)) as (app, name):
            if options_of is not None:
                return _list_options(app, found, (manifest.id, options_of, name), output)
            if app.plugins.is_linked(manifest):
                show_faults()
            with Bar(found.title) as bar:
                options = Options(deadline_seconds=timeout, progress=bar.advance)
                result = with_session(app, _Work(manifest.id, found, name, inputs, options, values).run)
        show(result, found.title, output, found.columns)
        return 0 if partial_ok and result.status is Status.PARTIAL else exit_code(result)

    return run


class _Work(Guarded, frozen=True):
    """One run of one command."""

    hidden: ClassVar[frozenset[str]] = frozenset(["inputs", "values"])

    plugin: str
    command: Command
    connection: str
    inputs: dict[str, Any]
    options: Options
    values: dict[str, Any]

    async def run(self, session: Session) -> Result:
        """Put files in their place, and run."""
        properties = self.command.input.get("properties", {})
        files = [name for name in self.inputs if properties.get(name, {}).get("format") == "file"]
        inputs = {**self.inputs, **{name: uploaded(session.uploads, self.inputs[name]) for name in files}}
        if self.values:
            return await session.run_with(self.plugin, self.command.id, self.values, inputs, options=self.options)
        return await session.run(self.plugin, self.command.id, self.connection, inputs, options=self.options)


@contextmanager
def _place(app: App, manifest: Manifest, connection: str | None) -> Iterator[tuple[App, str]]:
    """Give the host to run on and the connection's name: a stand-in's are made for this run alone."""
    if connection is not None:
        yield app, connection
        return
    from connector_host.authoring.kit.stand_in import stand_in_of  # noqa: PLC0415 - only a sandbox pays
    from connector_host.cli.sandbox import serving  # noqa: PLC0415 - the same

    stand_in = stand_in_of(manifest)
    with tempfile.TemporaryDirectory(prefix="connector-host-sandbox-") as folder, serving(stand_in.build()) as base:
        there, change = app.at(Path(folder)), stand_in.connection(base)
        with_session(there, lambda session: session.connections.add("sandbox", manifest.id, change))
        yield there, "sandbox"


def _list_options(app: App, found: Command, of: tuple[str, str, str], output: str) -> int:
    plugin, parameter, connection = of
    name = parameter.removeprefix("--").replace("-", "_")
    choices = with_session(app, lambda session: session.choices(plugin, found.id, name, connection))
    rows = [(json.dumps(one.value) if not isinstance(one.value, str) else one.value, one.label) for one in choices]
    print_rows(output, ("Value", "Label"), rows, [{"value": one.value, "label": one.label} for one in choices])
    return 0


def show(result: Result, title: str, output: str, columns: Mapping[str, str] | None = None) -> None:
    """Print a result for people or for machines."""
    if output == "json":
        click.echo(result.json())
        return
    from connector_host.cli.tables import print_result  # noqa: PLC0415 - rich is for people only

    print_result(result, title, columns)


command = _Plugins(
    "test-command",
    help="Run one command of a plugin through a connection.",
    subcommand_metavar="PLUGIN COMMAND [OPTIONS]",
)
