"""What is to be run in Test Command: a connection and a command, each chosen by a few letters of its name."""

from collections.abc import Sequence

from msgspec import Struct
from starlette.responses import Response
from starlette.routing import Route

from connector_host.manifests.forms import Form, form_of
from connector_host.model.boundary import wrong_of
from connector_host.model.connection import Connection, Selection
from connector_host.model.errors import UnknownCommand
from connector_host.model.fuzzy import best, in_order
from connector_host.model.manifest import Command, Manifest
from connector_host.web.page.pages import Pages, Visit

LOOKED_AT, OFFERED = 500, 50  # connections with these letters; of them the best


class Chosen(Struct, frozen=True):
    """What is to be run: through which connection, by which command, with its form; `wrong` says what is not there."""

    connection: str = ""
    manifest: Manifest | None = None
    command: Command | None = None
    form: Form | None = None
    wrong: str = ""


class Choosing:
    """The two choices of Test Command. Letters are only offered names for: what is run is named in full."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._pages.route("/run/connections", self.connections),
            self._pages.route("/run/commands", self.commands),
        ]

    async def connections(self, visit: Visit) -> Response:
        """Show the connections that have the letters."""
        found = await self.offered(visit, visit.text("connection"))
        return self._pages.show(visit, "choices.html", connections=found, commands=[], connection="")

    async def commands(self, visit: Visit) -> Response:
        """Show the commands of the connection's plugin that have the letters."""
        chosen = await self.chosen(visit)
        found = commands_like(visit, chosen.manifest, "" if chosen.command else visit.text("command"))
        return self._pages.show(visit, "choices.html", connections=[], commands=found, connection=chosen.connection)

    async def chosen(self, visit: Visit) -> Chosen:
        """Return what a visit names, as far as it is there."""
        name, command = visit.text("connection"), visit.text("command")
        if not name:
            return Chosen()
        document, wrong = await wrong_of(visit.session.connections.show(name))
        if document is None:
            return Chosen(wrong=wrong)
        manifest = self._pages.host.plugins.plugin(document["plugin"])
        found = _named(manifest, command)
        if found is None or not visit.token.covers(command=found.id):
            wrong = str(UnknownCommand(f"{manifest.name} has no command '{command}' that you may run."))
            return Chosen(name, manifest, wrong=wrong if command else "")
        return Chosen(name, manifest, found, form_of(found))

    async def offered(self, visit: Visit, letters: str) -> Sequence[Connection]:
        """Return the connections that have the letters, the best first; and all of them where it is a name in full."""
        named = await visit.session.connections.list(Selection(name=in_order(letters), limit=LOOKED_AT))
        found = best((one.connection for one in named), letters, lambda one: one.name)
        if found and found[0].name == letters:
            others = await visit.session.connections.list(Selection(limit=OFFERED))
            found += [one.connection for one in others if one.connection.name not in {known.name for known in found}]
        return found[:OFFERED]


def commands_like(visit: Visit, manifest: Manifest | None, letters: str) -> Sequence[Command]:
    """Return the commands that a token covers and that have the letters, the best first."""
    there = [] if manifest is None else manifest.commands.values()
    return best((one for one in there if visit.token.covers(command=one.id)), letters, lambda one: one.title)


def _named(manifest: Manifest, text: str) -> Command | None:
    """Return the command of that identifier or title."""
    one = manifest.commands.get(text.replace("-", "_"))
    return one or next((one for one in manifest.commands.values() if one.title == text), None)
