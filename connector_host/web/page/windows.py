"""All windows of the page; here those that list integrations, audit, places and tokens, and signing in."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from connector_host.model.boundary import outcome_of
from connector_host.model.connection import Selection
from connector_host.model.token import Scope, Token
from connector_host.web.page.charts_window import ChartsWindow
from connector_host.web.page.connection_window import ConnectionWindow
from connector_host.web.page.connections_window import ConnectionsWindow
from connector_host.web.page.filled import names_in
from connector_host.web.page.history_window import HistoryWindow
from connector_host.web.page.intake_window import IntakeWindow
from connector_host.web.page.mapping_window import MappingWindow
from connector_host.web.page.pages import HERE, Pages, Visit
from connector_host.web.page.run_window import RunWindow
from connector_host.web.page.settings_window import SettingsWindow
from connector_host.web.page.signing import refuse_foreign
from connector_host.web.problems import Problem

PAGE, RUNS = 50, 100


class Windows:
    """All of the page."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route | Mount]:
        """Return the routes; the static files are everybody's."""
        route = self._pages.route
        return [
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Route("/", self._home, methods=["GET"]),
            Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
            Route("/sign-in/openid", self._to_the_provider, methods=["GET"]),
            Route("/sign-in/openid/back", self._from_the_provider, methods=["GET"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            route("/integrations", self.integrations),
            route("/integrations/{plugin}", self.integration),
            *ConnectionsWindow(self._pages).routes(),
            *ConnectionWindow(self._pages).routes(),
            *RunWindow(self._pages).routes(),
            *HistoryWindow(self._pages).routes(),
            *IntakeWindow(self._pages).routes(),
            *MappingWindow(self._pages).routes(),
            *SettingsWindow(self._pages).routes(),
            *ChartsWindow(self._pages).routes(),
            route("/audit", self.audit),
            route("/places", self.places, methods=("GET", "POST")),
            route("/tokens", self.tokens, methods=("GET", "POST")),
        ]

    async def _home(self, _request: Request) -> Response:
        return RedirectResponse("/connections", 303)

    async def _sign_in(self, request: Request) -> Response:
        if request.method == "GET":
            return self._pages.answer(request, None, "sign_in.html", {"wrong": False, **self._by(request)})
        response, error = await outcome_of(self._signed_in(request))
        return response if response is not None else await self._pages.failed(request, error)

    def _by(self, request: Request) -> dict[str, str]:
        provider = self._pages.provider.name if self._pages.provider is not None else ""
        return {"provider": provider, "to": request.query_params.get("to", "")}

    async def _signed_in(self, request: Request) -> Response:
        refuse_foreign(request)
        data = await request.form(max_fields=5, max_files=0)
        shown, link, to = (str(data.get(name, "")) for name in ("token", "link", "to"))
        begun = await self._pages.sign_in.begin(request, shown, link, to)
        return begun or self._pages.answer(request, None, "sign_in.html", {"wrong": True, **self._by(request)}, 401)

    async def _to_the_provider(self, request: Request) -> Response:
        return await self._with_provider(request, self._pages.sign_in.leave)

    async def _from_the_provider(self, request: Request) -> Response:
        return await self._with_provider(request, lambda provider: self._pages.sign_in.came_back(provider, request))

    async def _with_provider(self, request: Request, work: Callable[[Any], Awaitable[Response]]) -> Response:
        async def whole() -> Response:
            if self._pages.provider is None:
                raise Problem("not-found", "There is no provider to sign in by.")
            return await work(self._pages.provider)

        response, error = await outcome_of(whole())
        return response if response is not None else await self._pages.failed(request, error)

    async def _sign_out(self, request: Request) -> Response:
        async def work() -> Response:
            refuse_foreign(request)
            await self._pages.sign_in.forget(request)
            response = RedirectResponse("/sign-in", 303)
            response.delete_cookie(self._pages.sign_in.cookie, path="/")
            return response

        response, error = await outcome_of(work())
        return response if response is not None else await self._pages.failed(request, error)

    async def integrations(self, visit: Visit) -> Response:
        """Show what there is to connect to."""
        registry, wanted = self._pages.host.plugins, visit.text("q").casefold()
        found = [
            one
            for one in registry.plugins.values()
            if visit.token.covers(plugin=one.id)
            and (wanted in one.name.casefold() or wanted in one.description.casefold())
        ]
        counts: dict[str, int] = {}
        for stored in await visit.session.connections.list(Selection(limit=1000)):
            counts[stored.connection.plugin] = counts.get(stored.connection.plugin, 0) + 1
        broken = list(registry.broken.values()) if visit.may(Scope.ADMIN) else []
        return self._pages.show(
            visit, "integrations.html", plugins=found, counts=counts, broken=broken, q=visit.text("q")
        )

    async def integration(self, visit: Visit) -> Response:
        """Show one plugin: what it can do, what it needs, its connections."""
        if not visit.token.covers(plugin=visit.request.path_params["plugin"]):
            raise Problem("not-found")
        manifest = self._pages.host.plugins.plugin(visit.request.path_params["plugin"])
        found = await visit.session.connections.list(Selection(plugin=manifest.id, limit=PAGE))
        return self._pages.show(visit, "integration.html", plugin=manifest, connections=found)

    async def audit(self, visit: Visit) -> Response:
        """Show who did what."""
        return self._pages.show(visit, "audit.html", records=await visit.session.audit.newest(RUNS))

    async def places(self, visit: Visit) -> Response:
        """Show tenants and sites; add and remove them."""
        if visit.request.method == "POST":
            await self._change_places(visit)
            return RedirectResponse("/places", 303)
        return self._pages.show(visit, "places.html", places=await visit.session.sites.map())

    async def _change_places(self, visit: Visit) -> None:
        sites, name = visit.session.sites, visit.text("name")
        if visit.text("action") == "tenant":
            await sites.put_tenant(name, master="master" in visit.data)
        elif visit.text("action") == "site":
            await sites.put_site(name, tenant=visit.text("tenant") or None, internal=visit.text("kind") != "client")
        elif visit.text("action") == "remove-site":
            await sites.remove_site(name)
        elif visit.text("action") == "remove-tenant":
            await sites.remove_tenant(name)

    async def tokens(self, visit: Visit) -> Response:
        """Show the tokens; make one, which is shown this once, or revoke one."""
        made = ""
        if visit.request.method == "POST" and visit.text("action") == "revoke":
            await visit.session.tokens.revoke(visit.text("id"))
        elif visit.request.method == "POST":
            scopes = tuple(Scope(one) for one in map(str, visit.data.getlist("scopes")) if one in set(Scope))
            groups = names_in(visit.text("groups"))
            wanted = Token(
                visit.text("name"),
                scopes,
                user=visit.text("user") or None,
                groups=groups,
                site=visit.text("site") or None,
            )
            made = (await visit.session.tokens.add(wanted, days=visit.number("days")))[1]
        found = await visit.session.tokens.list()
        return self._pages.show(visit, "tokens.html", tokens=found, made=made, scopes=list(Scope))
