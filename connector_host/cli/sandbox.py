"""`sandbox PLUGIN`: a plugin's stand-in API server; and how an ASGI app is served on a loopback port."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from connector_host.app import App
from connector_host.authoring.kit.stand_in import StandIn, stand_in_of
from connector_host.cli.parameters import options_of
from connector_host.host.text_values import read_texts
from connector_host.model.errors import WrongUse
from connector_host.model.manifest import Manifest


@contextmanager
def serving(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: str | None = None,
    key: str | None = None,
    client_ca: str | None = None,
    date: bool = True,
) -> Iterator[str]:
    """Serve `app` while the block runs; gives its base URL.

    Port 0 takes a free one; with a certificate, over TLS; with `client_ca` only to clients that show a certificate of
    that authority. Without `date` the app gives each answer's time itself.
    """
    import uvicorn  # noqa: PLC0415 - 100 ms that only a server pays

    listener = _listener(host, port)
    quiet: dict[str, Any] = {"log_level": "error", "access_log": False, "lifespan": "off", "date_header": date}
    wanted = ssl.CERT_REQUIRED if client_ca else ssl.CERT_NONE
    tls: dict[str, Any] = {"ssl_certfile": certificate, "ssl_keyfile": key, "ssl_ca_certs": client_ca}
    server = uvicorn.Server(uvicorn.Config(app, ssl_cert_reqs=wanted, timeout_graceful_shutdown=1, **quiet, **tls))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_for_start(server, thread)
        yield f"{'https' if certificate else 'http'}://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    """Return a listening socket whose protocol is named: only then does asyncio switch Nagle's 40 ms delay off."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(2048)
    return listener


def _wait_for_start(server: Any, thread: threading.Thread) -> None:
    pause = threading.Event()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("The server did not start.")
        pause.wait(0.005)


class _Sandboxes(click.Group):
    """The plugins that have a sandbox, as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        app: App = ctx.find_root().obj
        return [name for name, one in app.plugins.plugins.items() if one.sandbox or _has_samples(one)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        app: App = ctx.find_root().obj
        manifest = app.plugins.plugin(cmd_name)
        return _command(manifest, stand_in_of(manifest))


def _has_samples(manifest: Manifest) -> bool:
    return any(command.samples for command in manifest.commands.values())


def _command(manifest: Manifest, stand_in: StandIn) -> click.Command:
    own = [
        click.Option(["--host"], default="127.0.0.1", show_default=True),
        click.Option(["--port"], type=click.IntRange(0, 65_535), default=0, help="0 takes a free one."),
        click.Option(["--tls-certificate"], metavar="FILE", help="Serve over TLS with this PEM certificate."),
        click.Option(["--tls-key"], metavar="FILE", help="The certificate's private key."),
        click.Option(["--tls-client-ca"], metavar="FILE", help="Demand a client certificate of this authority."),
    ]

    def run(
        host: str, port: int, tls_certificate: str | None, tls_key: str | None, tls_client_ca: str | None, **given: Any
    ) -> None:
        if tls_client_ca and not tls_certificate:
            raise WrongUse("--tls-client-ca needs --tls-certificate and --tls-key.")
        options = read_texts({name: one for name, one in given.items() if one is not None}, stand_in.options)
        _check(options, stand_in.options)
        try:
            app = stand_in.build(**options)
        except (ValueError, TypeError) as error:
            raise WrongUse(str(error)) from error
        listening = {"host": host, "port": port, "certificate": tls_certificate, "key": tls_key}
        serve_until_stopped(app, manifest, {**listening, "client_ca": tls_client_ca})

    summary = f"{manifest.name}'s stand-in API server."
    return click.Command(manifest.id, params=[*options_of(stand_in.options, []), *own], callback=run, help=summary)


def _check(options: dict[str, Any], schemas: Any) -> None:
    import jsonschema  # noqa: PLC0415 - the sandbox alone checks its options here

    for name, value in options.items():
        try:
            jsonschema.validate(value, schemas[name], cls=jsonschema.Draft202012Validator)
        except jsonschema.ValidationError as error:
            raise WrongUse(f"The option --{name.replace('_', '-')} is wrong: {error.message}.") from None


def serve_until_stopped(app: Any, manifest: Manifest, listening: Mapping[str, Any]) -> None:
    """Serve until Ctrl-C; `listening` is what serving() takes."""
    try:
        with serving(app, **listening) as base:
            click.echo(f"{manifest.name} sandbox on {base} (Ctrl-C ends it)", err=True)
            threading.Event().wait()
    except OSError as error:
        where = f"{listening['host']}:{listening['port']}"
        raise WrongUse(f"The sandbox cannot listen on {where} ({error.strerror}).") from error
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


command = _Sandboxes(
    "sandbox",
    help="Run a plugin's stand-in API server, for trying things out.",
    subcommand_metavar="PLUGIN [OPTIONS]",
)
