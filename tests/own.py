"""A plugin written by a test, its host, and the connection `own` to a server of the test's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector_host.model.connection import Change
from connector_host.model.invocation import Options
from connector_host.model.result import Result
from tests.world import World

SECRET = "s3cret/of+the=plugin"
HEAD = """\
id: acme
name: Acme
version: 1.0.0
servers: {api: {url: $.connection.url, headers: {Authorization: "Bearer {$.connection.key}"}}}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
commands:
"""


def own(
    folder: Path,
    commands: str,
    base: str = "http://127.0.0.1:1",
    *,
    code: str | None = None,
    head: str = HEAD,
    settings: str = "",
    secrets: Mapping[str, Any] | None = None,
    **configuration: Any,
) -> World:
    """Return a world whose host knows this plugin alone (and the settings' own), with the connection `own`."""
    plugin = folder / "acme"
    plugin.mkdir(exist_ok=True)
    (plugin / "manifest.yaml").write_text(head + commands)
    if code is not None:
        (plugin / "commands.py").write_text("from connector_host import *\n" + code)
    manifest = folder / "manifest.yaml"
    manifest.write_text(f"plugins: [acme]\nsteps: [retry, limit, audit]\n{settings}")
    world = World(folder / "home", manifest=manifest, **configuration)
    add(world, "own", base, secrets)
    return world


def add(world: World, name: str, base: str, secrets: Mapping[str, Any] | None = None, **fields: Any) -> None:
    """Add another connection of the plugin."""
    change = Change(fields, {"url": base}, secrets or {"key": SECRET})
    world.use(lambda host: host.connections.add(name, "acme", change))


def run(
    world: World, command: str, inputs: Any = None, *, name: str = "own", seconds: float = 60, options: Any = None
) -> Result:
    """Run one command of the plugin."""
    options = options or Options(deadline_seconds=seconds)
    result: Result = world.use(lambda host: host.run("acme", command, name, inputs, options=options))
    return result
