"""Connections: listed, those in trouble first with what to do; mended where they broke, and changed many at once."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.model.boundary import outcome_of, wrong_of
from connector_host.model.caller import actor_of
from connector_host.model.connection import Change, HealthCheck, Selection, State
from connector_host.model.errors import BadSetting
from connector_host.model.fuzzy import containing
from connector_host.model.history import HistoryRecord
from connector_host.model.invocation import UNRECORDED, Options, new_id
from connector_host.model.result import Result, Status, plain
from connector_host.model.token import Scope
from connector_host.web.asking import scope_of
from connector_host.web.guard import part_of
from connector_host.web.page.pages import Pages, Visit
from connector_host.web.page.views import TROUBLED, in_trouble
from connector_host.web.runs import Run

PAGE, CARDS, AGAIN = 50, 3, 20


class ConnectionsWindow:
    """The window Connections."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        route, post = self._pages.route, ("POST",)
        return [
            route("/connections", self.list),
            route("/connections/many", self.many, methods=post),
            route("/connections/{name}/repair", self.repair, methods=post),
            route("/connections/{name}/undo", self.undo, methods=post),
            route("/connections/{name}/again", self.again, methods=post),
        ]

    async def list(self, visit: Visit) -> Response:
        """List connections, those that need a person first."""
        asked = {name: visit.text(name) for name in ("plugin", "site", "state", "q") if visit.text(name)}
        found = await visit.session.connections.list(_selection(visit, asked))
        kept = sorted(found[:PAGE], key=lambda one: (TROUBLED.get(one.state, 2), one.connection.name))
        names = [one.connection.name for one in kept if not one.damage]
        troubled = [one.connection.name for one in kept if in_trouble(one)]
        more = found[PAGE - 1].connection.name if len(found) > PAGE else ""
        limits = {name: self._pages.server.metrics.limit_of(name) for name in names}
        return self._pages.show(
            visit,
            "connections.html",
            connections=kept,
            checks=await visit.session.connections.checks_of(names),
            troubles=await visit.session.connections.troubles(troubled, CARDS),
            limits={name: limit for name, limit in limits.items() if limit},
            plugins=self._pages.host.plugins.plugins,
            states=list(State),
            asked=asked,
            next_page=f"?{urlencode({**asked, 'after': more})}" if more else "",
            said=_said(visit),
        )

    async def repair(self, visit: Visit) -> Response:
        """Test a connection with a new secret, and save it where the test passes."""
        visit.wants(Scope.CONNECTIONS)
        name, secret = part_of(visit.request.path_params, "name"), str(visit.data.get("secret", ""))
        change = Change(secrets={visit.text("parameter"): secret}, version=visit.number("version"))
        result, error = await wrong_of(self._tested(visit, name, change))
        saved = False
        if result is not None and result.status is Status.PASSED:
            _, error = await wrong_of(visit.session.connections.edit(name, change))
            saved = not error
            if saved:
                await outcome_of(visit.session.test(name))  # so that the list knows
        return self._pages.show(visit, "repaired.html", result=result, error=error, saved=saved, name=name)

    async def _tested(self, visit: Visit, name: str, change: Change) -> Result:
        if not any(change.secrets.values()):
            raise BadSetting("Type the new secret first.")
        if change.version is None:
            raise BadSetting("Load the page again: it does not say which version of the connection it shows.")
        with self._pages.server.runs.counted(visit.token.id):
            return await visit.session.test_edit(name, change, options=UNRECORDED)

    async def undo(self, visit: Visit) -> Response:
        """Take a connection's last edit back."""
        visit.wants(Scope.CONNECTIONS)
        name = part_of(visit.request.path_params, "name")
        await visit.session.connections.undo(name)
        return RedirectResponse(f"/connections?undone={quote(name)}", 303)

    async def again(self, visit: Visit) -> Response:
        """Run again what failed through a connection, as far as it did nothing and its inputs are known."""
        visit.wants(Scope.RUN_READ_ONLY)
        name = part_of(visit.request.path_params, "name")
        failed = [run for trouble in await visit.session.connections.troubles([name]) for run in trouble.failed]
        chosen = [record for record in failed if record.repeatable and self._may_run(visit, record)][:AGAIN]
        begun = [self._begun(visit, record) for record in chosen]
        for run in begun:
            await run.ended.wait()
        left = len(failed) - len(begun)
        return self._pages.show(visit, "again.html", runs=begun, left=left, name=name)

    def _may_run(self, visit: Visit, record: HistoryRecord) -> bool:
        """Whether the token is good for a run's command, as it is today."""
        manifest = self._pages.host.plugins.plugins.get(record.plugin)
        command = manifest.commands.get(record.command) if manifest is not None else None
        return command is not None and visit.may(scope_of(command))

    def _begun(self, visit: Visit, record: HistoryRecord) -> Run:
        inputs = record.document()["inputs"]
        facts = {"plugin": record.plugin, "command": record.command, "connection": record.connection, "inputs": inputs}
        run = Run(new_id(), visit.token.id, actor_of(visit.token.principal), None, facts=facts)
        options = Options(invocation_id=run.id, id_is_new=True, request_id=visit.request.scope["request_id"])

        async def work() -> Result:
            return await visit.session.run(record.plugin, record.command, record.connection, inputs, options=options)

        self._pages.server.runs.begin(run, work)
        return run

    async def many(self, visit: Visit) -> Response:
        """Show what a change would make of each of the chosen connections; make it, once that is confirmed."""
        visit.wants(Scope.CONNECTIONS)
        names, action = [str(one) for one in visit.data.getlist("names")][:PAGE], visit.text("action")
        if not names:
            raise BadSetting("Choose connections first, by the boxes before their names.")
        if action not in _ACTIONS:
            raise BadSetting("Choose what to do with them.")
        looked_at = dict(zip(names, map(str, visit.data.getlist("versions")), strict=False))
        minutes, done = visit.number("minutes") or 5, "confirmed" in visit.data
        rows = []
        for name in names:
            row, error = await wrong_of(self._row(visit, name, action, minutes, looked_at.get(name, "")))
            rows.append(row or {"name": name, "field": None, "version": "", "error": error})
        facts = {"rows": rows, "action": action, "done": done, "minutes": minutes}
        return self._pages.show(visit, "many.html", **facts)

    async def _row(self, visit: Visit, name: str, action: str, minutes: int, version: str) -> Mapping[str, Any]:
        """Return what an action makes of one connection, the field as it is and as it will be; make it, once confirmed.

        `version` is the one that was looked at.
        """
        document = await visit.session.connections.show(name)
        field, value = _wanted(action, document, minutes)
        before, after = _shown(document[field]), _shown(plain(value))
        row = {"name": name, "field": field, "before": before, "after": after, "version": document["version"]}
        error = ""
        if "confirmed" in visit.data and before != after:
            change = Change({field: value}, version=int(version) if version.isdigit() else document["version"])
            _, error = await wrong_of(visit.session.connections.edit(name, change))
        return {**row, "error": error}


_ACTIONS = ("activate", "deactivate", "check", "uncheck")


def _wanted(action: str, document: Mapping[str, Any], minutes: int) -> tuple[str, Any]:
    """Return the field that an action is about, and what becomes of it: of a health check only how often."""
    if action in ("activate", "deactivate"):
        return "active", action == "activate"
    check = document["health_check"]
    if action == "uncheck":
        return "health_check", None
    if check is None:
        return "health_check", HealthCheck(minutes)
    return "health_check", HealthCheck(minutes, check["failures_before_mail"], tuple(check["recipients"]))


def _shown(value: Any) -> str:
    """Return a field as people read it, all of it."""
    if isinstance(value, Mapping):
        told = ", ".join(value["recipients"]) or "nobody"
        return f"every {value['interval_minutes']} min, {told} told after {value['failures_before_mail']} failures"
    return {True: "yes", False: "no", None: "none"}.get(value, str(value))


def _said(visit: Visit) -> str:
    if name := visit.text("added"):
        return f"Added {name}. It is untested until its first test."
    if name := visit.text("undone"):
        return f"The last edit of {name} is undone. Test it."
    return f"Saved {name}." if (name := visit.text("saved")) else ""


def _selection(visit: Visit, asked: Mapping[str, str]) -> Selection:
    state = next((one for one in State if one.value == asked.get("state")), None)
    name = containing(asked["q"]) if "q" in asked else None
    narrowed = {"plugin": asked.get("plugin"), "site": asked.get("site"), "state": state, "name": name}
    return Selection(**narrowed, after=visit.text("after"), limit=PAGE + 1)  # type: ignore[arg-type]
