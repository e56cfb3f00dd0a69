"""The command line: what it is made of, where its log goes, and what becomes of errors.

Exit codes: 0 Passed, 1 Failed, 2 wrong use, 3 Partially Successful.
"""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

import click
from click.shell_completion import get_completion_class


@click.command(
    "completion",
    help='Print a script that completes commands in your shell: eval "$(connector-host completion bash)"',
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script; the program itself answers it."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    root = ctx.find_root().command
    click.echo(found(root, {}, "connector-host", "_CONNECTOR_HOST_COMPLETE").source())


WRONG_USE = 2
_COMMANDS = {
    "audit": ("records:audit", "See who did what, and verify the record of it."),
    "completion": ("main:completion", "Print a script that completes commands in your shell."),
    "connections": ("connections:command", "Add, edit, test and remove connections."),
    "demo": ("demo:command", "Show it all: a PagerDuty sandbox, a connection, all ten commands."),
    "health": ("health:command", "See how connections fare, and run health checks."),
    "history": ("records:history", "Look at past invocations."),
    "intake": ("intake:command", "Read what was taken in, on a schedule and mapped as you say."),
    "keys": ("administration:keys", "Rotate the master key."),
    "openapi": ("serve:document", "Print the OpenAPI document of the HTTP API."),
    "plugins": ("plugins:command", "List, show, make, check, test and document plugins."),
    "sandbox": ("sandbox:command", "Run a plugin's stand-in API server, for trying things out."),
    "serve": ("serve:command", "Serve the HTTP API, and run health checks as they fall due."),
    "sites": ("administration:sites", "Add, change and remove sites."),
    "store": ("administration:store", "Check the database, and back it up."),
    "tenants": ("administration:tenants", "Add, change and remove tenants."),
    "test-command": ("test_command:command", "Run one command of a plugin through a connection."),
    "tokens": ("tokens:command", "Make, list and revoke tokens for the HTTP API and the page."),
    "vault": ("administration:vault", "See password vaults, and test look-ups."),
}


class Lazy(click.Group):
    """A group whose commands are imported when they are named; the list of them costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        ctx.obj = ctx.obj or _app()
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"connector_host.cli.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the host refuses becomes the program's one sentence."""
        from connector_host.model.errors import ConnectorHostError  # noqa: PLC0415 - help needs none

        try:
            return super().invoke(ctx)
        except ConnectorHostError as error:
            raise click.ClickException(str(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Return the list in the help, from the names and sentences above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in _COMMANDS.items()])


def _app() -> Any:
    """Return the app that the environment describes, its log kept in its data folder; help needs none."""
    from connector_host.app import App  # noqa: PLC0415 - see above
    from connector_host.cli.log_output import start_logging  # noqa: PLC0415 - the same

    app = App()
    start_logging(app.home)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    try:
        outcome: Any = program.main(list(arguments), prog_name="connector-host", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return 0
    except click.ClickException as error:
        error.show()
        _document(arguments, "wrong_use", error.format_message())
        return WRONG_USE
    except click.Abort:
        click.echo("Stopped.", err=True)
        _document(arguments, "stopped", "Stopped.")
        return WRONG_USE
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return outcome if isinstance(outcome, int) else 0


def _document(arguments: Sequence[str], kind: str, message: str) -> None:
    """Print what went wrong as a document, where one was asked for (schemas/error.schema.json)."""
    asked = "--output=json" in arguments or any(pair == ("--output", "json") for pair in pairwise(arguments))
    if asked:
        click.echo(json.dumps({"error": {"kind": kind, "message": message, "exit_code": WRONG_USE}}))


_HELP = """Run connectors (plugins) for SOAR platforms: keep connections, run commands, get honest results.

\b
CONNECTOR_HOST_HOME      data folder (~/.connector-host)
CONNECTOR_HOST_DATABASE  database URL (SQLite in the data folder)
CONNECTOR_HOST_KEY       key provider: file, file:PATH, env:VARIABLE or transit:URL
CONNECTOR_HOST_MANIFEST  the host's own manifest.yaml
CONNECTOR_HOST_LANGUAGE  language of the plugins' words, where they have it
"""


@click.command(cls=Lazy, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--language", metavar="xx", envvar="CONNECTOR_HOST_LANGUAGE", help="Plugins' words in this language.")
@click.option("--as", "acting", metavar="user=NAME,…", help="Act for a caller: user=…,group=…,site=…,tenant=…")
@click.version_option(package_name="connector-host", prog_name="connector-host")
def program(acting: str | None, language: str | None) -> None:
    """Hold the commands."""
