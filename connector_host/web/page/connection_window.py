"""New Connection and its edit: every field of the window, tested beside it, and saved when it is added."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import asdict
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.manifests.forms import Form, form_of
from connector_host.model.boundary import wrong_of
from connector_host.model.connection import Change, Selection
from connector_host.model.invocation import UNRECORDED
from connector_host.model.result import plain
from connector_host.model.rights import capabilities_in, command_rights, probes_of
from connector_host.model.token import Scope
from connector_host.web.guard import part_of
from connector_host.web.page.filled import change_of
from connector_host.web.page.pages import Pages, Visit

_Work = Callable[[Change], Awaitable[Any]]
_Test = Callable[[Change, Mapping[str, Any]], Awaitable[Any]]


class _Shown(Struct, frozen=True):
    """What the window shows: a plugin's fields, and the connection as it was before; None for a new one.

    `restored` names what is filled in as it stood before the last edit.
    """

    form: Form
    plugin: str
    before: Mapping[str, Any] | None = None
    restored: tuple[str, ...] = ()


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
        shown, name = _Shown(form_of(manifest), manifest.id), visit.text("f:name")
        return await self._answer(
            visit,
            shown,
            test=lambda change, inputs: visit.session.test_draft(
                name, manifest.id, change, inputs=inputs, options=UNRECORDED
            ),
            save=lambda change: visit.session.connections.add(name, manifest.id, change),
            saved=f"added={quote(name)}",
        )

    async def edit(self, visit: Visit) -> Response:
        """Show a connection's window; test an edit, or save it."""
        visit.wants(Scope.CONNECTIONS)
        before = await visit.session.connections.show(self._name(visit))
        manifest, name = self._plugins.plugin(before["plugin"]), before["name"]
        restored: tuple[str, ...] = ()
        if visit.request.method == "GET" and visit.text("former"):
            change = await visit.session.connections.former(name)
            restored = (*change.parameters, *change.fields)
            before = {**before, **plain(change.fields), "parameters": {**before["parameters"], **change.parameters}}
        return await self._answer(
            visit,
            _Shown(form_of(manifest), manifest.id, before, restored),
            test=lambda change, inputs: visit.session.test_edit(name, change, inputs=inputs, options=UNRECORDED),
            save=lambda change: visit.session.connections.edit(name, change),
            saved=f"saved={quote(visit.text('f:name') or name)}",
        )

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
            uses = await visit.session.usage.uses_of(document["name"])
            return self._pages.show(visit, "remove.html", connection=document, uses=uses)
        await visit.session.connections.remove(document["name"], version=visit.number("version"))
        return RedirectResponse("/connections", 303)

    async def _answer(self, visit: Visit, shown: _Shown, *, test: _Test, save: _Work, saved: str) -> Response:
        """Show the window, test what was filled in, or save it; what is wrong with it is told in the window."""
        if visit.request.method == "GET":
            return await self._window(visit, shown)
        if visit.text("action") == "test":
            return await self._tested(visit, shown, test)
        error, _ = await self._tried(visit, shown, save)
        if error:
            return await self._window(visit, shown, error)
        return RedirectResponse(f"/connections?{saved}", 303)

    async def _tested(self, visit: Visit, shown: _Shown, test: _Test) -> Response:
        """Test what was filled in; with a probe, also what the plugin checks only where it is asked to."""
        manifest = self._plugins.plugin(shown.plugin)
        probes = probes_of(manifest)
        inputs = {name: True for name in probes if visit.text(f"probe:{name}")}
        error, result = await self._tried(visit, shown, lambda change: test(change, inputs))
        raw = None if result is None else result.raw_data
        facts = {
            "caps": capabilities_in(raw),
            "rights": None if result is None else command_rights(manifest, raw),
            "probes": probes,
        }
        return self._pages.show(visit, "tested.html", result=result, error=error, probed=list(inputs), **facts)

    async def _tried(self, visit: Visit, shown: _Shown, work: _Work) -> tuple[str, Any]:
        """Do what the window asks for with its change; return what is wrong with it, or what came of it."""

        async def whole() -> Any:
            return await work(change_of(shown.form, visit.data, shown.before, visit.number("version")))

        with self._pages.server.runs.counted(visit.token.id):
            found, error = await wrong_of(whole())
        return error, found

    async def _window(self, visit: Visit, shown: _Shown, error: str = "") -> Response:
        vaults = [
            one.connection.name
            for vault in self._plugins.plugins.values()
            if any(command.kind == "credential" for command in vault.commands.values())
            for one in await visit.session.connections.list(Selection(plugin=vault.id))
        ]
        places = await visit.session.sites.map() if visit.may(Scope.ADMIN) else None
        typed = {name: value for name, value in visit.data.multi_items() if isinstance(value, str)}
        facts = {**asdict(shown), "vaults": vaults, "places": places, "error": error}
        return self._pages.show(visit, "connection.html", 422 if error else 200, typed=typed, **facts)

    def _name(self, visit: Visit) -> str:
        return part_of(visit.request.path_params, "name")
