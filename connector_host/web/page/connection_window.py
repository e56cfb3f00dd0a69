"""New Connection and its edit: every field of the window, tested beside it, and saved when it is added."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.manifests.forms import Form, form_of
from connector_host.model.boundary import outcome_of
from connector_host.model.connection import Selection
from connector_host.model.errors import ConnectorHostError
from connector_host.model.invocation import UNRECORDED
from connector_host.model.result import Result
from connector_host.model.token import Scope
from connector_host.web.guard import part_of
from connector_host.web.page.filled import change_of
from connector_host.web.page.pages import Pages, Visit


class ConnectionWindow:
    """The window of one connection, new or there already."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._plugins = pages, pages.host.plugins

    def routes(self) -> list[Route]:
        """Return the routes."""
        both = ("GET", "POST")
        return [
            self._pages.route("/connections/new", self.new, methods=both),
            self._pages.route("/connections/{name}/edit", self.edit, methods=both),
            self._pages.route("/connections/{name}/test", self.test, methods=("POST",)),
            self._pages.route("/connections/{name}/remove", self.remove, methods=both),
        ]

    async def new(self, visit: Visit) -> Response:
        """Show the empty window; test what was filled in, or add it."""
        visit.wants(Scope.CONNECTIONS)
        manifest = self._plugins.plugin(visit.text("plugin") or "pagerduty")
        form = form_of(manifest)
        if visit.request.method == "GET":
            return await self._window(visit, form, manifest.id, None)
        name = visit.text("f:name")
        if visit.text("action") == "test":
            error, result = await self._tried(
                visit,
                form,
                None,
                lambda change: visit.session.test_draft(name, manifest.id, change, options=UNRECORDED),
            )
            return self._pages.show(visit, "tested.html", result=result, error=error)
        error, _ = await self._tried(
            visit, form, None, lambda change: visit.session.connections.add(name, manifest.id, change)
        )
        if error:
            return await self._window(visit, form, manifest.id, None, error)
        return RedirectResponse(f"/connections?added={quote(name)}", 303)

    async def edit(self, visit: Visit) -> Response:
        """Show a connection's window; test an edit, or save it."""
        visit.wants(Scope.CONNECTIONS)
        before = await visit.session.connections.show(self._name(visit))
        manifest = self._plugins.plugin(before["plugin"])
        form, name = form_of(manifest), before["name"]
        if visit.request.method == "GET":
            return await self._window(visit, form, manifest.id, before)
        if visit.text("action") == "test":
            error, result = await self._tried(
                visit, form, before, lambda change: visit.session.test_edit(name, change, options=UNRECORDED)
            )
            return self._pages.show(visit, "tested.html", result=result, error=error)
        error, _ = await self._tried(visit, form, before, lambda change: visit.session.connections.edit(name, change))
        if error:
            return await self._window(visit, form, manifest.id, before, error)
        return RedirectResponse(f"/connections?saved={quote(visit.text('f:name') or name)}", 303)

    async def test(self, visit: Visit) -> Response:
        """Run Test Connection from the list, and show the row's new lamp."""
        visit.wants(Scope.RUN_READ_ONLY)
        with self._pages.server.runs.counted(visit.token.id):
            result = await visit.session.test(self._name(visit))
        document = await visit.session.connections.show(self._name(visit))
        return self._pages.show(visit, "lamp.html", result=result, state=document["state"])

    async def remove(self, visit: Visit) -> Response:
        """Ask, and then remove."""
        visit.wants(Scope.CONNECTIONS)
        document = await visit.session.connections.show(self._name(visit))
        if visit.request.method == "GET":
            runs = await visit.session.history(20, document["name"])
            return self._pages.show(visit, "remove.html", connection=document, runs=runs)
        await visit.session.connections.remove(document["name"], version=visit.number("version"))
        return RedirectResponse("/connections", 303)

    async def _tried(
        self, visit: Visit, form: Form, before: Mapping[str, Any] | None, work: Any
    ) -> tuple[str, Result | None]:
        """Do what the window asks for with its change; return what is wrong with it, or what came of it."""

        async def whole() -> Any:
            return await work(change_of(form, visit.data, before, visit.number("version")))

        with self._pages.server.runs.counted(visit.token.id):
            found, error = await outcome_of(whole())
        if error is not None and not isinstance(error, ConnectorHostError):
            raise error
        return (str(error) if error else "", found)

    async def _window(
        self, visit: Visit, form: Form, plugin: str, before: Mapping[str, Any] | None, error: str = ""
    ) -> Response:
        vaults = [
            one.connection.name
            for vault in self._plugins.plugins.values()
            if any(command.kind == "credential" for command in vault.commands.values())
            for one in await visit.session.connections.list(Selection(plugin=vault.id))
        ]
        places = await visit.session.sites.map() if visit.may(Scope.ADMIN) else None
        typed = {name: value for name, value in visit.data.multi_items() if isinstance(value, str)}
        facts = {"form": form, "plugin": plugin, "before": before, "vaults": vaults, "places": places, "error": error}
        return self._pages.show(visit, "connection.html", 422 if error else 200, typed=typed, **facts)

    def _name(self, visit: Visit) -> str:
        return part_of(visit.request.path_params, "name")
