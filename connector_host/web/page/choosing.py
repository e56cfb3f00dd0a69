"""What is to be run in Test Command: a connection and a command, each chosen by a few letters of its name."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from starlette.responses import Response
from starlette.routing import Route

from connector_host.manifests.forms import Form, form_of
from connector_host.model.boundary import outcome_of
from connector_host.model.connection import Connection, Selection
from connector_host.model.errors import UnknownConnection
from connector_host.model.fuzzy import best
from connector_host.model.manifest import Command, Manifest
from connector_host.model.token import Scope
from connector_host.web.page.pages import Pages, Visit
from connector_host.web.problems import Problem

OFFERED = 50  # connections; who has more types more letters


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
        """Show the connections that have the letters; the command stays where their plugin has it."""
        letters = _letters(visit, "connection")
        found = await self.offered(visit, letters)
        command, plugins = visit.text("command"), self._pages.host.plugins.plugins
        kept = {one.name: _named(plugins[one.plugin], command) for one in found if command and one.plugin in plugins}
        return self._choices(visit, "connection", connections=found, kept=kept)

    async def commands(self, visit: Visit) -> Response:
        """Show the commands of the connection's plugin that have the letters."""
        chosen = await self.chosen(visit)
        found = commands_like(visit, chosen.manifest, _letters(visit, "command"))
        return self._choices(visit, "command", commands=found, connection=chosen.connection)

    def _choices(self, visit: Visit, field: str, **found: Any) -> Response:
        visit.wants(Scope.RUN_READ_ONLY)
        facts = {"letters": visit.text(field), "connections": [], "commands": [], "connection": "", "kept": {}}
        return self._pages.show(visit, "choices.html", **{**facts, **found}, most=OFFERED)

    async def chosen(self, visit: Visit) -> Chosen:
        """Return what a visit names, as far as it is there."""
        name, command = visit.text("connection"), visit.text("command")
        if not name:
            return Chosen()
        document, error = await outcome_of(visit.session.connections.show(name))
        if isinstance(error, UnknownConnection):
            return Chosen(wrong=str(error))
        if error is not None or document is None:
            raise error or Problem("fault")
        manifest = self._pages.host.plugins.plugin(document["plugin"])
        found = _named(manifest, command)
        if found is None or not visit.token.covers(command=found.id):
            wrong = f"{manifest.name} has no command '{command}' that you may run."
            return Chosen(name, manifest, wrong=wrong if command else "")
        return Chosen(name, manifest, found, form_of(found))

    async def offered(self, visit: Visit, letters: str) -> Sequence[Connection]:
        """Return the connections that have the letters, the best first."""
        if not letters:
            return [one.connection for one in await visit.session.connections.list(Selection(limit=OFFERED))]
        return [one.connection for one in await visit.session.connections.like(letters, OFFERED)]


def _letters(visit: Visit, field: str) -> str:
    """Return what somebody typed into a field; where it says what is chosen they look for something else."""
    return "" if visit.text(field) == visit.text("chosen") else visit.text(field)


def commands_like(visit: Visit, manifest: Manifest | None, letters: str) -> Sequence[Command]:
    """Return the commands that a token covers and that have the letters, the best first."""
    there = [] if manifest is None else manifest.commands.values()
    return best((one for one in there if visit.token.covers(command=one.id)), letters, lambda one: one.title)


def _named(manifest: Manifest, text: str) -> Command | None:
    """Return the command of that identifier or title."""
    one = manifest.commands.get(text.replace("-", "_"))
    return one or next((one for one in manifest.commands.values() if one.title == text), None)
