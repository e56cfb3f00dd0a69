"""Intake: what is fetched on a schedule and how that fares, what came in last, and fetching now."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.host.times import parse_time
from connector_host.manifests.registry import PluginRegistry
from connector_host.model.boundary import outcome_of
from connector_host.model.connection import Selection
from connector_host.model.errors import BadSetting, ConnectorHostError
from connector_host.model.intake import IntakeSchedule
from connector_host.model.token import Scope
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
        error = await self._changed(visit) if visit.request.method == "POST" else None
        if visit.request.method == "POST" and error is None:
            return RedirectResponse("/intake", 303)
        choices = await intakes_of(self._pages.host.plugins, visit)
        wanted = (visit.text("connection"), visit.text("command"))
        chosen = wanted if wanted in choices else next(iter(choices), ("", ""))
        records = await visit.session.ingested(chosen[1], chosen[0], NEWEST) if chosen[0] else []
        facts = {"choices": choices, "chosen": chosen, "records": [one.document() for one in records]}
        schedules = await visit.session.intake.schedules()
        status = 422 if error else 200
        return self._pages.show(visit, "intake.html", status, error=error or "", schedules=schedules, **facts)

    async def _changed(self, visit: Visit) -> str | None:
        """Change a schedule; return what is wrong with what was asked."""
        visit.wants(Scope.CONNECTIONS)
        _, error = await outcome_of(self._change(visit))
        if error is not None and not isinstance(error, ConnectorHostError):
            raise error
        return str(error) if error is not None else None

    async def _change(self, visit: Visit) -> Any:
        connection, _, command = visit.text("intake").rpartition(" ")
        if visit.text("action") == "unschedule":
            return await visit.session.intake.unschedule(connection, command)
        begin = visit.text("begin")
        moment = parse_time(begin, visit.times) if begin else None
        if begin and moment is None:
            raise BadSetting(f"'{begin[:40]}' is no time: write it as {visit.times.format}.")
        minutes, overlap = visit.number("minutes"), visit.number("overlap")
        wanted = IntakeSchedule(
            connection, command, 5 if minutes is None else minutes, begin=moment, overlap_minutes=overlap
        )
        return await visit.session.intake.schedule(wanted)


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
