"""`sandbox PLUGIN`: a plugin's stand-in API server, its own or one made of its samples."""

import threading
from collections.abc import Mapping
from typing import Any

import click

from connector_host.builtin.surfaces.cli.parameters import options_of, value_of
from connector_host.builtin.surfaces.loopback import serving
from connector_host.contract.errors import WrongUse
from connector_host.contract.face import Entrance
from connector_host.contract.manifest import Manifest
from connector_host.contract.workshop import StandIn


class _Sandboxes(click.Group):
    """The plugins that have a sandbox, as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        entrance: Entrance = ctx.find_root().obj
        return [name for name, one in entrance.catalogue.plugins.items() if one.sandbox or _has_samples(one)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        entrance: Entrance = ctx.find_root().obj
        manifest = entrance.catalogue.plugin(cmd_name)
        return _command(manifest, entrance.workshop.stand_in(manifest))


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
        options = {name: value_of(value, stand_in.options[name]) for name, value in given.items() if value is not None}
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
        raise WrongUse(f"The sandbox can not listen on {where} ({error.strerror}).") from error
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


command = _Sandboxes(
    "sandbox",
    help="Run a plugin's stand-in API server, for trying things out.",
    subcommand_metavar="PLUGIN [OPTIONS]",
)
