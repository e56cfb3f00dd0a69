"""Test Command: a command's form, its run with progress and cancel, and the result in its tabs."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from connector_host.model.boundary import wrong_of
from connector_host.model.caller import actor_of
from connector_host.model.connection import Selection
from connector_host.model.errors import BadSetting
from connector_host.model.fuzzy import exactly
from connector_host.model.invocation import Options, new_id
from connector_host.model.manifest import Command
from connector_host.model.paths import compile_path, steps_of
from connector_host.model.result import Result, json_text
from connector_host.model.tables import table_of
from connector_host.model.token import Scope
from connector_host.web.asking import scope_of
from connector_host.web.page.choosing import Choosing, Chosen, commands_like
from connector_host.web.page.codes import codes_of
from connector_host.web.page.filled import files_of, inputs_of
from connector_host.web.page.pages import Pages, Visit
from connector_host.web.page.tree import tree_of
from connector_host.web.page.views import in_trouble
from connector_host.web.problems import Problem
from connector_host.web.runs import Run

ROWS, FOUND = 200, 50
LONGEST = 500  # characters of a path
PATIENCE = 1.0  # seconds before a run is shown as under way


class RunWindow:
    """The window Test Command."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._runs, self._choosing = pages, pages.server.runs, Choosing(pages)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._pages.route("/run", self.window, methods=("GET", "POST")),
            *self._choosing.routes(),
            self._pages.route("/run/options", self.options),
            self._pages.route("/run/{id}", self.progress),
            self._pages.route("/run/{id}/cancel", self.cancel, methods=("POST",)),
            self._pages.route("/run/{id}/raw.json", self.download),
            self._pages.route("/run/{id}/branch", self.branch),
            self._pages.route("/run/{id}/path", self.path),
        ]

    async def window(self, visit: Visit) -> Response:
        """Show the form of the command that is chosen; run it."""
        visit.wants(Scope.RUN_READ_ONLY)
        chosen = await self._choosing.chosen(visit)
        if visit.request.method == "POST":
            return await self._begun(visit, chosen)
        kept = await visit.session.connections.list(Selection(name=exactly(chosen.connection)))
        facts = {
            "chosen": chosen,
            "typed": {name: visit.text(name) for name in ("connection", "command")},
            "connections": [] if chosen.connection else await self._choosing.offered(visit, visit.text("connection")),
            "commands": commands_like(visit, chosen.manifest, visit.text("command")) if chosen.wrong else [],
            "inputs": await self._inputs_of(visit),
            "troubles": await visit.session.connections.troubles(
                [one.connection.name for one in kept if in_trouble(one)]
            ),
            "plugins": self._pages.host.plugins.plugins,
        }
        return self._pages.show(visit, "run.html", 404 if chosen.wrong else 200, **facts)

    async def progress(self, visit: Visit) -> Response:
        """Show how far a run has come, or its result."""
        run = self._run(visit)
        return await self._shown(visit, run)

    async def cancel(self, visit: Visit) -> Response:
        """Cancel a run of one's own."""
        run = self._run(visit, own=True)
        run.scope.cancel()
        await run.ended.wait()
        return await self._shown(visit, run)

    async def download(self, visit: Visit) -> Response:
        """Give the whole result as a file."""
        run = self._run(visit)
        if run.result is None:
            raise Problem("not-found")
        headers = {"Content-Disposition": f'attachment; filename="{run.id}.json"', "Cache-Control": "no-store"}
        return Response(json_text(run.result.document(), indent=2), 200, headers, "application/json")

    async def options(self, visit: Visit) -> Response:
        """Show what may be chosen for a parameter, as the product has it now."""
        visit.wants(Scope.RUN_READ_ONLY)
        chosen, parameter = await self._choosing.chosen(visit), visit.text("parameter")
        if chosen.manifest is None or chosen.command is None:
            raise Problem("invalid", chosen.wrong or "Choose a connection and a command.")
        with self._runs.counted(visit.token.id):
            found, error = await wrong_of(
                visit.session.choices(chosen.manifest.id, chosen.command.id, parameter, chosen.connection)
            )
        facts = {"found": found or [], "error": error, "parameter": parameter}
        return self._pages.show(visit, "options.html", **facts)

    async def branch(self, visit: Visit) -> Response:
        """Show what lies below a path of a result's raw data."""
        path, first = visit.text("path") or "$", visit.number("first") or 0
        found = self._at(self._run(visit), path)
        node = tree_of(found[0] if found else None, path, first=first)
        more = f"/run/{visit.request.path_params['id']}/branch"
        return self._pages.show(visit, "branch.html", node=node, first=first, more=more)

    async def path(self, visit: Visit) -> Response:
        """Show what stands at a path that somebody tries."""
        run, wanted = self._run(visit), visit.text("path")
        try:
            found, error = self._at(run, wanted), ""
        except BadSetting as refused:
            found, error = [], str(refused)
        facts = {"found": found, "shown": found[:FOUND], "wanted": wanted, "error": error}
        return self._pages.show(visit, "found.html", **facts, mapping=self._mapping_for(run, wanted))

    def _at(self, run: Run, path: str) -> list[Any]:
        """Return what stands at a path of a result; raises BadSetting for a path that is none."""
        if steps_of(path) is None or len(path) > LONGEST or not path.startswith("$"):
            raise BadSetting("A path is made of names, indexes and [*], as $.users[*].email.")
        return compile_path(path).find(run.result.raw_data if run.result is not None else None)

    def _mapping_for(self, run: Run, path: str) -> str:
        """Return where a path becomes a row of a field mapping; empty where the command is no intake."""
        command = self._pages.host.plugins.command(str(run.facts["plugin"]), str(run.facts["command"]))[1]
        inside = command.intake and re.match(re.escape(command.intake.incident_path) + r"\[(\d+|\*)\]", path)
        if not inside:
            return ""
        where = {"connection": run.facts["connection"], "command": command.id, "source": path[inside.end() :]}
        return f"/mapping?{urlencode(where)}"

    async def _begun(self, visit: Visit, chosen: Chosen) -> Response:
        manifest, command, form = chosen.manifest, chosen.command, chosen.form
        if manifest is None or command is None or form is None:
            raise Problem("invalid", chosen.wrong or "Choose a connection and a command.")
        visit.wants(scope_of(command))
        inputs = inputs_of(form, visit.data, visit.times)
        for name, file in files_of(form, visit.data):
            media = file.content_type or ""
            inputs[name] = visit.session.uploads.put(file.filename or name, await file.read(), media)
        facts: dict[str, Any] = {"plugin": manifest.id, "command": command.id, "connection": chosen.connection}
        facts["inputs"] = inputs
        facts["ingest"] = bool(visit.text("ingest"))
        do = visit.session.ingest if facts["ingest"] else visit.session.run
        run = Run(new_id(), visit.token.id, actor_of(visit.token.principal), None, facts=facts)
        asked = visit.request.scope["request_id"]
        options = Options(progress=run.progress, invocation_id=run.id, id_is_new=True, request_id=asked)

        async def work() -> Result:
            return await do(manifest.id, command.id, chosen.connection, inputs, options=options)

        self._runs.begin(run, work)
        return await self._shown(visit, run)

    async def _shown(self, visit: Visit, run: Run) -> Response:
        await run.wait(PATIENCE)
        if not run.ended.is_set():
            told = [facts for _, event, facts in run.events if event == "progress"]
            return self._pages.show(visit, "running.html", run=run, progress=told[-1] if told else None)
        if run.error is not None:
            raise run.error
        result = run.result
        if result is None:
            return self._pages.show(visit, "cancelled.html", run=run)
        facts: Mapping[str, Any] = run.facts
        command = self._pages.host.plugins.command(str(facts["plugin"]), str(facts["command"]))[1]
        base = self._pages.server.place.base
        shown = _without_secrets(command, facts["inputs"])
        codes = codes_of(facts["plugin"], facts["command"], facts["connection"], shown, base)
        kept = await visit.session.past(run.id) is not None
        table = table_of(result, command.columns)
        return self._pages.show(
            visit,
            "result.html",
            run=run,
            result=result,
            title=command.title,
            table=table,
            rows=table.rows[:ROWS],
            codes=codes,
            kept=kept,
            tree=tree_of(result.raw_data, "$"),
            counts=result.raw_data if run.facts.get("ingest") else None,
        )

    async def _inputs_of(self, visit: Visit) -> Mapping[str, Any]:
        """Return the inputs of a run that is to be run again, as history keeps them."""
        record = await visit.session.past(visit.text("again")) if visit.text("again") else None
        found = record.document()["inputs"] if record is not None else {}
        return found if isinstance(found, dict) else {}

    def _run(self, visit: Visit, *, own: bool = False) -> Run:
        run = self._runs.get(visit.request.path_params["id"], visit.token, own=own)
        if run is None:
            raise Problem("not-found", "That run is no longer at hand: the history has what was kept of it.")
        return run


def _without_secrets(command: Command, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs as they may be copied: a secret is a word that says what belongs there."""
    properties = command.input.get("properties", {})
    return {
        name: f"YOUR {name.upper()}" if properties.get(name, {}).get("writeOnly") else value
        for name, value in inputs.items()
    }
