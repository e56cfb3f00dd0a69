"""`tokens …`: who may act over HTTP, for whom, and until when."""

from typing import Any

import click

from connector_host.app import App
from connector_host.cli.running import output_option, print_rows, say, seconds, with_session
from connector_host.host.tokens import document_of
from connector_host.model.token import Scope, Token


@click.group("tokens", help="Make, list and revoke tokens for the HTTP API and the page.")
def command() -> None:
    """Hold the subcommands."""


@command.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([one.value for one in Scope]),
    help="What it is for; may be repeated.",
)
@click.option(
    "--user", help="For whom its holder acts; but for admin, a user, a group, a site or a tenant must be named."
)
@click.option("--group", "groups", multiple=True, help="A group of theirs; may be repeated.")
@click.option("--site", help="Their site.")
@click.option("--tenant", help="Their tenant.")
@click.option("--plugin", "plugins", multiple=True, help="Good for this plugin alone; may be repeated.")
@click.option("--connection", "connections", multiple=True, help="Good for this connection alone; may be repeated.")
@click.option("--command", "commands", multiple=True, help="Good for this command alone; may be repeated.")
@click.option("--days", type=float, help="Good for so many days; without it, until it is revoked.")
@output_option
@click.pass_obj
def add(app: App, /, name: str, days: float | None, output: str, **given: Any) -> None:
    """Make a token, and show it: this once."""
    given["commands"] = tuple(one.replace("-", "_") for one in given["commands"])
    wanted = Token(name, **given)
    token, text = with_session(app, lambda session: session.tokens.add(wanted, days=days))
    if output == "table":
        click.echo(text)  # by itself, so that it can be sent into a file
    words = f"Keep it now: it is not shown again. Revoke it: connector-host tokens revoke {token.id}"
    say(output, {**document_of(token), "token": text}, words)


@command.command("list")
@output_option
@click.pass_obj
def list_all(app: App, output: str) -> None:
    """List the tokens."""
    found = with_session(app, lambda session: session.tokens.list())
    documents = [document_of(one) for one in found]
    rows = [
        (
            one["id"],
            one["name"],
            ", ".join(one["scopes"]),
            one["user"],
            one["site"],
            ", ".join([*one["plugins"], *one["connections"], *one["commands"]]),
            *map(_time, (one["expires_at"], one["last_used_at"])),
        )
        for one in documents
    ]
    print_rows(output, ("Id", "Name", "Scopes", "User", "Site", "Good for", "Expires", "Last used"), rows, documents)


def _time(text: str | None) -> str:
    return seconds(text) if text else ""


@command.command("revoke")
@click.argument("token", metavar="ID")
@output_option
@click.pass_obj
def revoke(app: App, token: str, output: str) -> None:
    """Revoke a token; whoever signed in by it is signed out."""
    with_session(app, lambda session: session.tokens.revoke(token))
    say(output, {"id": token, "revoked": True}, f"Token {token} is revoked.")


@command.command("link")
@click.argument("token", metavar="ID")
@click.option("--base-url", default="http://127.0.0.1:8080", show_default=True, help="Where the page is.")
@output_option
@click.pass_obj
def link(app: App, token: str, base_url: str, output: str) -> None:
    """Print a link that signs a browser in by a token: once, within ten minutes."""
    secret = with_session(app, lambda session: session.tokens.link(token))
    address = f"{base_url.rstrip('/')}/sign-in#{secret}"
    say(output, {"link": address}, address)
