"""`plugins …`: list and show, and problems as people, machines and GitHub read them."""

import json
from typing import Any

import click
from msgspec import to_builtins

from connector_host.app import App
from connector_host.cli.authoring import COMMANDS
from connector_host.cli.preview import preview
from connector_host.cli.running import counted, output_option
from connector_host.model.manifest import Manifest


@click.group("plugins", help="List, show, make, check, test and document plugins.")
def command() -> None:
    """Hold the subcommands."""


@command.command("list")
@output_option
@click.pass_obj
def list_all(app: App, output: str) -> int:
    """List plugins; a broken one is shown with its reason."""
    columns = ("id", "name", "version", "commands", "state", "reason")
    ready = [(one.id, one.name, one.version, len(one.commands), "ready", None) for one in app.plugins.plugins.values()]
    broken = [(one.id, None, None, None, "broken", one.reason) for one in app.plugins.broken.values()]
    rows: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in [*ready, *broken]]
    if output == "json":
        click.echo(json.dumps(rows))
        return 0
    width = max([len(row["id"]) for row in rows] or [0])
    for row in rows:
        if row["state"] == "ready":
            click.echo(f"{row['id']:<{width}}  {row['name']} {row['version']}, {counted(row['commands'], 'command')}")
        else:
            click.echo(f"{row['id']:<{width}}  broken:")
            click.echo("\n".join(f"  {line}" for line in row["reason"].splitlines()))
    return 0


@command.command("show")
@click.argument("plugin")
@output_option
@click.pass_obj
def show_one(app: App, plugin: str, output: str) -> None:
    """Show a plugin: its connection's parameters and its commands."""
    manifest = app.plugins.plugin(plugin)
    if output == "json":
        click.echo(json.dumps(to_builtins(_document(manifest))))
        return
    from connector_host.cli.tables import console, list_table  # noqa: PLC0415 - rich is for people only

    out = console()
    out.print(f"[bold]{manifest.name}[/bold] {manifest.version}\n{manifest.description}\n")
    required = manifest.connection.get("required", [])
    properties = manifest.connection["properties"]
    rows = [
        (name, schema["title"], _traits(schema, name in required), schema.get("description", ""))
        for name, schema in properties.items()
    ]
    out.print(list_table(("Connection parameter", "Title", "", "Description"), rows))
    commands = [
        (name.replace("_", "-"), one.title, one.kind, one.description) for name, one in manifest.commands.items()
    ]
    out.print("")
    out.print(list_table(("Command", "Title", "Kind", "Description"), commands))


def _traits(schema: dict[str, Any], required: bool) -> str:  # noqa: FBT001 - one caller
    return ", ".join(word for word, holds in (("required", required), ("secret", schema.get("writeOnly"))) if holds)


_SHOWN = (
    *("id", "name", "version", "description", "requires_host", "permissions", "limitations", "isolation"),
    *("connection", "presets"),
)
_SHOWN_OF_COMMAND = (
    *("title", "kind", "description", "notes", "read_only", "destructive", "idempotent", "permissions", "deprecated"),
    *("deadline", "each", "input", "output", "key_fields", "columns", "error_example"),
)


def _document(manifest: Manifest) -> dict[str, Any]:
    """Return what a program needs that makes forms, tools or playbook steps of the commands."""
    shown = {name: getattr(manifest, name) for name in _SHOWN}
    commands = {id_: {name: getattr(one, name) for name in _SHOWN_OF_COMMAND} for id_, one in manifest.commands.items()}
    return {**shown, "commands": commands}


for one in (*COMMANDS, preview):
    command.add_command(one)
