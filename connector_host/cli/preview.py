"""`plugins preview`: a page that shows a plugin as people will see it, anew whenever a file of it changes."""

import signal
from pathlib import Path

import anyio
import click

from connector_host.app import App
from connector_host.cli.authoring import folder_of
from connector_host.model.errors import WrongUse
from connector_host.model.extras import require
from connector_host.model.manifest import MANIFEST


@click.command()
@click.argument("plugin")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="The port; 0 takes any.")
@click.pass_obj
def preview(app: App, plugin: str, port: int) -> None:
    """Show a plugin's forms, page, problems and grade in a browser, anew whenever a file of it changes."""
    require("server", "sse_starlette", "The preview")
    folder = folder_of(app, plugin)
    if not (folder / MANIFEST).exists():
        raise WrongUse(f"There is no {MANIFEST} in {folder}.")
    anyio.run(_serve, folder.resolve(), app.plugins.schemas, port)


async def _serve(folder: Path, schemas: Path, port: int) -> None:
    from connector_host.web.preview import Preview  # noqa: PLC0415 - only a server pays
    from connector_host.web.serving import Listening, address_of, listener_of, serving_http  # noqa: PLC0415 - the same

    listening, shown = Listening(port=port), Preview(folder, schemas)
    listener = listener_of(listening)
    address = address_of(listening, listener)
    async with anyio.create_task_group() as group:
        group.start_soon(shown.watch)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with serving_http(shown.app(address, frozenset({"127.0.0.1", "localhost"})), listening, listener):
                click.echo(f"Look at it: {address}  (Ctrl-C ends it)", err=True)
                async for _ in signals:
                    click.echo("Stopped.", err=True)
                    break
        group.cancel_scope.cancel()
