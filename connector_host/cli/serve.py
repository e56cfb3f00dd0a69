"""`serve`: the HTTP API and the page, health checks as they fall due; and `openapi`, what the API says of itself."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import click

from connector_host.app import App
from connector_host.cli.log_output import log_as_json
from connector_host.host.host import Host
from connector_host.host.session import Session
from connector_host.model.errors import ConnectorHostError, WrongUse
from connector_host.model.extras import require
from connector_host.model.result import json_text
from connector_host.model.token import Scope, Token

if TYPE_CHECKING:
    from connector_host.web.metrics import Metrics
    from connector_host.web.page.openid import OpenId
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
@click.option("--no-http", is_flag=True, help="Run what is scheduled alone: health checks, intakes.")
@click.option("--no-scheduler", is_flag=True, help="Run no health checks and no scheduled intakes.")
@click.option(
    "--log",
    "log_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: warnings go into host.log; json: everything goes to standard error, a JSON object a line.",
)
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
    log_format: str,
) -> None:
    """Serve the HTTP API and the page, and run health checks and intakes as they fall due, until Ctrl-C or SIGTERM."""
    if log_format == "json":
        log_as_json()
    greet = partial(_greet, app.home)
    if no_http:
        _run(partial(_serve, app, None, None, scheduler=not no_scheduler, greet=greet))
        return
    require("server", "sse_starlette", "The HTTP API")
    from connector_host.web.metrics import Metrics  # noqa: PLC0415 - only a server pays
    from connector_host.web.serving import Listening  # noqa: PLC0415 - the same

    listening, metrics = Listening(host, port, uds, tls_certificate, tls_key, behind_proxy), Metrics()
    _refuse_unsafe(listening, base_url)
    http = listening, metrics
    serving = partial(_serve, app.with_plug(metrics), http, base_url, scheduler=not no_scheduler, greet=greet)
    _run(serving, use_uvloop=sys.platform != "win32")


def _run(work: Callable[[], Awaitable[None]], **options: bool) -> None:
    """Run it; what is wrong is told as a sentence, out of whatever group of tasks it comes."""
    try:
        anyio.run(work, backend_options=options)
    except BaseExceptionGroup as group:
        told: BaseException | None = group.subgroup(ConnectorHostError)
        while isinstance(told, BaseExceptionGroup):
            told = told.exceptions[0]
        raise told or group from group


def _refuse_unsafe(listening: "Listening", base_url: str | None) -> None:
    """Raise WrongUse where tokens would travel in the clear, or people be led nowhere."""
    if (listening.certificate is None) != (listening.key is None):
        raise WrongUse("TLS needs both: --tls-certificate and --tls-key.")
    if listening.behind_proxy and base_url is None:
        raise WrongUse("Behind a proxy say where people reach it: --base-url https://connectors.example.com.")
    in_the_clear = listening.uds is None and listening.certificate is None and not listening.behind_proxy
    if in_the_clear and listening.host not in _LOOPBACK:
        raise WrongUse(
            f"Tokens would travel unencrypted to {listening.host}: give --tls-certificate, or --behind-proxy."
        )


_Greet = Callable[[Session, str], Awaitable[None]]


async def _serve(
    app: App,
    http: "tuple[Listening, Metrics] | None",
    base_url: str | None,
    *,
    scheduler: bool,
    greet: _Greet,
) -> None:
    async with app.open() as host, anyio.create_task_group() as group:
        session = host.as_operator()
        for outcome in await session.connections.upgrade():
            click.echo(f"{outcome.name}: {outcome.error or 'saved for the new version of its plugin'}", err=True)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            if scheduler:
                click.echo("Running health checks and scheduled intakes as they fall due (Ctrl-C ends it).", err=True)
            async with served(app, host, http, base_url) as address:
                if scheduler:
                    group.start_soon(session.health.serve, "" if address.startswith("unix:") else address)
                    group.start_soon(session.intake.serve)
                await greet(session, address)
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
        pages = Pages(server, _provider_of(app, shown))
        server.add(Windows(pages).routes(), pages.failed)
        async with serving_http(server.app, listening, listener):
            click.echo(f"Serving the HTTP API at {shown}/api/v1", err=True)
            yield shown
        group.cancel_scope.cancel()


def _provider_of(app: App, shown: str) -> "OpenId | None":
    """Return the provider by which people may sign in, where the host manifest names one; raises BadSetting."""
    if not app.settings.oidc:
        return None
    require("oidc", "authlib", "Signing in by OpenID Connect")
    from connector_host.web.page.openid import BACK, OpenId  # noqa: PLC0415 - only who signs in so pays

    return OpenId(app.settings.oidc, f"{shown}{BACK}")


def serve_page(app: App, port: int) -> None:
    """Serve a data folder's page until Ctrl-C, and print a link that signs in."""
    require("server", "sse_starlette", "The page")
    from connector_host.web.metrics import Metrics  # noqa: PLC0415 - only a server pays
    from connector_host.web.serving import Listening  # noqa: PLC0415 - the same

    metrics = Metrics()
    http = Listening(port=port), metrics
    _run(partial(_serve, app.with_plug(metrics), http, None, scheduler=True, greet=_show_the_link))


async def _show_the_link(session: Session, address: str) -> None:
    token, _ = await session.tokens.add(Token("demo", (Scope.ADMIN,)))
    click.echo(f"\nOpen the page: {address}/sign-in#{await session.tokens.link(token.id)}", err=True)
    click.echo("The link works once, within ten minutes. Ctrl-C ends it.", err=True)


def _host_of(base_url: str | None) -> str:
    return (urlsplit(base_url).hostname or "") if base_url else ""


async def _greet(home: Path, session: Session, address: str) -> None:
    """Where there is no token yet, make the first: its text goes to a terminal, or into a file of its owner's alone."""
    if not address or await session.tokens.list():
        return
    _, text = await session.tokens.add(Token("first", (Scope.ADMIN,)))
    if sys.stderr.isatty():
        click.echo(f"The first token, shown this once: {text}", err=True)
        return
    file = home / "first-token"
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
