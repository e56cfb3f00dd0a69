"""What there is to run: plugins, their commands, forms and options."""

from typing import Any

from starlette.responses import Response

from connector_host.manifests.forms import form_of
from connector_host.model.errors import UnknownPlugin
from connector_host.model.manifest import Command, Manifest
from connector_host.model.token import Scope
from connector_host.web.asking import Ask, answer
from connector_host.web.problems import Problem
from connector_host.web.routing import TEXT, Route, listed, ref


async def list_plugins(ask: Ask) -> Response:
    """List plugins, those that are broken with their reason."""
    found = [_brief(one) for one in ask.host.plugins.plugins.values() if ask.token.covers(plugin=one.id)]
    broken = [{"id": one.id, "reason": one.reason} for one in ask.host.plugins.broken.values() if not ask.token.plugins]
    return answer({"items": found, "broken": broken})


async def show_plugin(ask: Ask) -> Response:
    """Show one plugin: what it needs, and its commands."""
    manifest = _plugin(ask)
    commands = [_summary(one) for one in manifest.commands.values() if ask.token.covers(command=one.id)]
    more = {
        "permissions": manifest.permissions,
        "limitations": list(manifest.limitations),
        "connection": form_of(manifest).document(),
        "commands": commands,
    }
    return answer({**_brief(manifest), **more})


async def show_command(ask: Ask) -> Response:
    """Show one command: its form and its schemas."""
    manifest, command = _command(ask)
    form = form_of(command).document()
    return answer(
        {**_summary(command), "plugin": manifest.id, "form": form, "input": command.input, "output": command.output}
    )


async def list_options(ask: Ask) -> Response:
    """List a parameter's options, fetched through a connection where the plugin says so."""
    manifest, command = _command(ask)
    connection = ask.query("connection") or ""
    ask.may_see(connection=connection)
    fetch = command.input.get("properties", {}).get(ask.part("parameter"), {}).get("options_from")
    if fetch:
        ask.may_run(manifest, manifest.commands[fetch["command"]], connection)
    found = await ask.session.choices(manifest.id, command.id, ask.part("parameter"), connection)
    return answer({"items": [{"value": one.value, "label": one.label} for one in found]})


def _plugin(ask: Ask) -> Manifest:
    ask.may_see(plugin=ask.part("plugin"))
    return ask.host.plugins.plugin(ask.part("plugin"))


def _command(ask: Ask) -> tuple[Manifest, Command]:
    try:
        manifest, command = ask.host.plugins.command(ask.part("plugin"), ask.part("command"))
    except UnknownPlugin:
        raise Problem("not-found", "There is nothing of that name that you may use.") from None
    ask.may_see(plugin=manifest.id, command=command.id)
    return manifest, command


def _brief(manifest: Manifest) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "command_count": len(manifest.commands),
    }


def _summary(command: Command) -> dict[str, Any]:
    return {
        "id": command.id,
        "title": command.title,
        "kind": command.kind,
        "description": command.description,
        "read_only": command.read_only,
        "destructive": command.destructive,
        "idempotent": command.idempotent,
        "permissions": list(command.permissions),
    }


ROUTES = (
    Route("GET", "/api/v1/plugins", Scope.READ, list_plugins, "List plugins", listed(ref("Plugin"))),
    Route(
        "GET",
        "/api/v1/plugins/{plugin}",
        Scope.READ,
        show_plugin,
        "Show a plugin",
        ref("Plugin"),
        refusals=("not-found",),
    ),
    Route(
        "GET",
        "/api/v1/plugins/{plugin}/commands/{command}",
        Scope.READ,
        show_command,
        "Show a command with its form and its schemas",
        ref("Command"),
        refusals=("not-found",),
    ),
    Route(
        "GET",
        "/api/v1/plugins/{plugin}/commands/{command}/options/{parameter}",
        Scope.READ,
        list_options,
        "List the options of a parameter",
        listed({"type": "object", "required": ["value", "label"], "properties": {"value": {}, "label": TEXT}}),
        query={"connection": TEXT},
        refusals=("not-found", "invalid"),
    ),
)
