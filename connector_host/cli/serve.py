"""`serve`: the HTTP API and the page, health checks as they fall due; and `openapi`, what the API says of itself."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import click

from connector_host.app import App
from connector_host.host.host import Host
from connector_host.host.session import Session
from connector_host.model.errors import WrongUse
from connector_host.model.extras import require
from connector_host.model.result import json_text
from connector_host.model.token import Scope, Token

if TYPE_CHECKING:
    from connector_host.web.metrics import Metrics
    from connector_host.web.serving import Listening

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--uds", type=click.Path(path_type=Path), help="Listen at a socket file of this name instead.")
@click.option("--base-url", help="Where people reach it, as https://connectors.example.com.")
@click.option("--tls-certificate", type=_FILE, help="PEM file: serve over TLS.")
@click.option("--tls-key", type=_FILE, help="PEM file of the certificate's key.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front does TLS; its forwarded headers are trusted.")
@click.option("--no-http", is_flag=True, help="Run the health checks alone.")
@click.option("--no-scheduler", is_flag=True, help="Run no health checks.")
@click.pass_obj
def command(
    app: App,
    host: str,
    port: int,
    uds: Path | None,
    base_url: str | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,  # noqa: FBT001
    no_http: bool,  # noqa: FBT001
    no_scheduler: bool,  # noqa: FBT001
) -> None:
    """Serve the HTTP API, and run health checks as they fall due, until Ctrl-C or SIGTERM."""
    if no_http:
        anyio.run(_serve, app, None, None, not no_scheduler)
        return
    require("server", "sse_starlette", "The HTTP API")
    from connector_host.web.serving import Listening  # noqa: PLC0415 - only a server pays

    if (tls_certificate is None) != (tls_key is None):
        raise WrongUse("TLS needs both: --tls-certificate and --tls-key.")
    if behind_proxy and base_url is None:
        raise WrongUse("Behind a proxy say where people reach it: --base-url https://connectors.example.com.")
    if host not in _LOOPBACK and uds is None and tls_certificate is None and not behind_proxy:
        raise WrongUse(f"Tokens would travel unencrypted to {host}: give --tls-certificate, or --behind-proxy.")
    from connector_host.web.metrics import Metrics  # noqa: PLC0415 - the same

    metrics = Metrics()
    listening = Listening(host, port, uds, tls_certificate, tls_key, behind_proxy)
    uvloop = {"use_uvloop": sys.platform != "win32"}
    anyio.run(_serve, app.with_plug(metrics), (listening, metrics), base_url, not no_scheduler, backend_options=uvloop)


async def _serve(
    app: App,
    http: "tuple[Listening, Metrics] | None",
    base_url: str | None,
    scheduler: bool,  # noqa: FBT001 - as anyio.run passes it
) -> None:
    async with app.open() as host, anyio.create_task_group() as group:
        session = host.as_operator()
        for outcome in await session.connections.upgrade():
            click.echo(f"{outcome.name}: {outcome.error or 'saved for the new version of its plugin'}", err=True)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            if scheduler:
                group.start_soon(session.health.serve)
                click.echo("Running health checks as they fall due (Ctrl-C ends it).", err=True)
            async with served(app, host, http, base_url):
                async for _ in signals:
                    click.echo("Stopped.", err=True)
                    break
        group.cancel_scope.cancel()


@asynccontextmanager
async def served(
    app: App, host: Host, http: "tuple[Listening, Metrics] | None", base_url: str | None
) -> AsyncIterator[str]:
    """Serve the API of a host while the block runs; gives the address for people, empty where nothing listens."""
    if http is None:
        yield ""
        return
    from connector_host.web.page.pages import Pages  # noqa: PLC0415 - only a server pays
    from connector_host.web.page.windows import Windows  # noqa: PLC0415 - the same
    from connector_host.web.runs import Runs  # noqa: PLC0415 - only a server pays
    from connector_host.web.server import Place, Server  # noqa: PLC0415 - the same
    from connector_host.web.serving import address_of, listener_of, serving_http  # noqa: PLC0415 - the same

    listening, metrics = http
    async with anyio.create_task_group() as group:
        hosts = frozenset() if listening.uds else frozenset({listening.host, *_LOOPBACK, _host_of(base_url)} - {""})
        listener = listener_of(listening)
        shown = base_url or address_of(listening, listener)
        place = Place(shown, hosts)
        server = Server(host, Runs(group), place, metrics)
        server.add(Windows(Pages(server)).routes())
        async with serving_http(server.app, listening, listener):
            click.echo(f"Serving the HTTP API at {shown}/api/v1", err=True)
            await _greet(app, host.as_operator(), shown)
            yield shown
        group.cancel_scope.cancel()


def serve_page(app: App, port: int) -> None:
    """Serve a data folder's page until Ctrl-C, and print a link that signs in."""
    require("server", "sse_starlette", "The page")
    from connector_host.web.metrics import Metrics  # noqa: PLC0415 - only a server pays
    from connector_host.web.serving import Listening  # noqa: PLC0415 - the same

    metrics = Metrics()

    async def work() -> None:
        async with app.with_plug(metrics).open() as host:
            session = host.as_operator()
            token, _ = await session.tokens.add(Token("demo", (Scope.ADMIN,)))
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async with served(app, host, (Listening(port=port), metrics), None) as address:
                    click.echo(f"\nOpen the page: {address}/sign-in#{await session.tokens.link(token.id)}", err=True)
                    click.echo("The link works once, within ten minutes. Ctrl-C ends it.", err=True)
                    async for _ in signals:
                        click.echo("Stopped.", err=True)
                        return

    anyio.run(work)


def _host_of(base_url: str | None) -> str:
    return (urlsplit(base_url).hostname or "") if base_url else ""


async def _greet(app: App, session: Session, address: str) -> None:
    """Where there is no token yet, make the first: its text goes to a terminal, or into a file of its owner's alone."""
    if await session.tokens.list():
        return
    _, text = await session.tokens.add(Token("first", (Scope.ADMIN,)))
    if sys.stderr.isatty():
        click.echo(f"The first token, shown this once: {text}", err=True)
        return
    file = app.home / "first-token"
    file.touch(0o600)
    file.write_text(f"{text}\n", "utf-8")
    os.chmod(file, 0o600)  # noqa: PTH101 - also where it stood there before
    click.echo(f"The first token is in {file}: take it, and delete the file. ({address})", err=True)


@click.command("openapi")
@click.option("--plugin", "plugins", multiple=True, help="With the commands of this plugin alone; may be repeated.")
@click.option("--base-url", default="http://127.0.0.1:8080", show_default=True, help="Where the API is.")
@click.pass_obj
def document(app: App, plugins: tuple[str, ...], base_url: str) -> None:
    """Print the OpenAPI 3.1 document of the HTTP API."""
    require("server", "sse_starlette", "The HTTP API")
    from connector_host.web.openapi import openapi  # noqa: PLC0415 - only this command pays
    from connector_host.web.server import TABLE  # noqa: PLC0415 - the same

    for name in plugins:
        app.plugins.plugin(name)
    click.echo(json_text(openapi(app.plugins, TABLE, base_url, plugins), indent=2))
