"""Intake: what is fetched on a schedule and how that fares, what came in last, and fetching now."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.manifests.registry import PluginRegistry
from connector_host.model.boundary import wrong_of
from connector_host.model.connection import Selection
from connector_host.model.intake import IntakeSchedule
from connector_host.model.token import Scope
from connector_host.web.asking import scope_of
from connector_host.web.page.pages import Pages, Visit

NEWEST, MOST = 50, 500


class IntakeWindow:
    """The window Intake."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [self._pages.route("/intake", self.window, methods=("GET", "POST"))]

    async def window(self, visit: Visit) -> Response:
        """Show schedules and the newest records of one intake; add, change and remove a schedule."""
        error = ""
        if visit.request.method == "POST":
            visit.wants(Scope.CONNECTIONS)
            _, error = await wrong_of(self._change(visit))
            if not error:
                return RedirectResponse("/intake", 303)
        choices = await intakes_of(self._pages.host.plugins, visit)
        chosen = await chosen_of(self._pages.host.plugins, visit, choices) or ("", "")
        records = await visit.session.ingested(chosen[1], chosen[0], NEWEST) if chosen[0] else []
        facts = {"choices": choices, "chosen": chosen, "records": [one.document() for one in records]}
        schedules = await visit.session.intake.schedules()
        status = 422 if error else 200
        return self._pages.show(visit, "intake.html", status, error=error, schedules=schedules, **facts)

    async def _change(self, visit: Visit) -> Any:
        connection, _, command = visit.text("intake").rpartition(" ")
        if visit.text("action") == "unschedule":
            return await visit.session.intake.unschedule(connection, command)
        document = await visit.session.connections.show(connection)
        visit.wants(scope_of(self._pages.host.plugins.command(document["plugin"], command)[1]))
        minutes, overlap = visit.number("minutes"), visit.number("overlap")
        wanted = IntakeSchedule(
            connection, command, 5 if minutes is None else minutes, begin=visit.moment("begin"), overlap_minutes=overlap
        )
        return await visit.session.intake.schedule(wanted)


async def chosen_of(
    plugins: PluginRegistry, visit: Visit, choices: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    """Return the intake that is asked for, the first where none is; None where there is none, or not that one."""
    connection, command = visit.text("connection"), visit.text("command")
    if not connection:
        return next(iter(choices), None)
    if (connection, command) in choices:
        return connection, command
    document = await visit.session.connections.show(connection)  # beyond those that are listed
    found = plugins.command(document["plugin"], command)[1] if command else None
    return (document["name"], found.id) if found is not None and found.intake is not None else None


async def intakes_of(plugins: PluginRegistry, visit: Visit) -> Sequence[tuple[str, str]]:
    """Return the intakes that there are for whoever is signed in: each connection with each of its intake commands."""
    commands = {
        manifest.id: [one.id for one in manifest.commands.values() if one.intake is not None]
        for manifest in plugins.plugins.values()
    }
    return [
        (one.connection.name, command)
        for plugin, found in commands.items()
        if found
        for one in await visit.session.connections.list(Selection(plugin=plugin, limit=MOST))
        for command in found
    ]
