"""The server: the table of routes behind the guard, one token and one session for each request."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.routing import Route as StarletteRoute

from connector_host.host.host import Host
from connector_host.model.boundary import outcome_of
from connector_host.model.errors import ConnectorHostError
from connector_host.model.invocation import new_id
from connector_host.web.api import administration, connections, events, intake, invocations, plugins
from connector_host.web.asking import Ask, wrong
from connector_host.web.attempts import Attempts
from connector_host.web.guard import Guard
from connector_host.web.metrics import Metrics
from connector_host.web.openapi import openapi
from connector_host.web.plain import Plain
from connector_host.web.problems import Problem, problem_of, response_of
from connector_host.web.routing import Route
from connector_host.web.runs import Runs

log = logging.getLogger("connector_host.web")
_PARTS = (plugins, connections, invocations, intake, events, administration)
TABLE: Sequence[Route] = tuple(route for part in _PARTS for route in part.ROUTES)


class Place(Struct, frozen=True):
    """Where the server is: its address for people, and the names that it answers to (any where there is none)."""

    base: str
    hosts: frozenset[str] = frozenset()


class Server:
    """The ASGI application of one host."""

    def __init__(self, host: Host, runs: Runs, place: Place, metrics: Metrics) -> None:
        self.host, self.runs, self.place, self.metrics = host, runs, place, metrics
        self.attempts = Attempts()
        self._not_found: Callable[[Request, Exception], Awaitable[Response]] | None = None
        routes: list[BaseRoute] = [self._route(route) for route in TABLE]
        routes += Plain(host, metrics, self.answered, self.known, self.document).routes()
        faults: dict[Any, Any] = {HTTPException: self._refused, Exception: self._failed}
        self._inner = Starlette(routes=routes, exception_handlers=faults)
        self.app = Guard(self._inner, place.base, place.hosts)

    def add(self, routes: Iterable[BaseRoute], not_found: Callable[[Request, Exception], Awaitable[Response]]) -> None:
        """Serve these too: the page's; `not_found` tells a browser of a window that is not there."""
        self._inner.router.routes.extend(routes)
        self._not_found = not_found

    def _route(self, route: Route) -> StarletteRoute:
        async def endpoint(request: Request) -> Response:
            return await self.answered(request, lambda: self._handled(route, request))

        methods = [route.method]
        made = StarletteRoute(route.path, endpoint, methods=methods, name=f"{route.method} {route.path}")
        made.methods = set(methods)  # no HEAD of its own accord
        return made

    async def answered(self, request: Request, work: Callable[[], Awaitable[Response]]) -> Response:
        """Return a handler's answer; whatever goes wrong in it is a problem document."""
        response, error = await outcome_of(work())
        if response is not None:
            return response
        assert error is not None  # noqa: S101 - one of both
        return self.told(request, error)

    def told(self, request: Request, error: Exception) -> Response:
        """Return the problem document of an error; a fault is logged under a reference."""
        if isinstance(error, Problem):
            problem, reference = error, None
        elif isinstance(error, ConnectorHostError):
            problem, reference = problem_of(error), None
        else:
            problem, reference = Problem("fault"), self.noted(error)
        return response_of(problem, self.place.base, request.scope["request_id"], reference)

    def noted(self, error: Exception) -> str:
        """Log a fault; return the reference under which it is found."""
        reference = new_id()
        log.error("A request failed (%s).", reference, exc_info=error)
        return reference

    async def _handled(self, route: Route, request: Request) -> Response:
        token = await self.known(request)
        if not token.allows(route.scope):
            raise Problem("forbidden", f"The token lacks the scope '{route.scope}'.")
        for name in sorted(request.query_params.keys() - route.query.keys()):
            known = f"There are: {', '.join(route.query)}." if route.query else "It takes none."
            raise wrong(f"/query/{name}", f"There is no such parameter here. {known}")
        return await route.handler(Ask(request, self.host, self.runs, token, self.host.acting_by(token)))

    async def known(self, request: Request) -> Any:
        """Return the token that a request shows; raises Problem where it shows none that is good."""
        address = request.client.host if request.client else ""
        given = request.headers.getlist("authorization")
        scheme, _, text = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        token = await self.host.doorkeeper.by_token(text.strip()) if scheme.lower() == "bearer" else None
        if token is not None:
            return token
        if text:
            self.attempts.failed(address)  # raises where it was tried too often
        raise Problem("unauthorized")

    def document(self, plugins: Sequence[str] = ()) -> Any:
        """Return the OpenAPI document."""
        return openapi(self.host.plugins, TABLE, self.place.base, plugins)

    async def _refused(self, request: Request, error: Any) -> Response:
        slug = {404: "not-found", 405: "method"}.get(error.status_code, "invalid")
        by_browser = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
        if self._not_found is not None and by_browser and slug == "not-found":
            return await self._not_found(request, Problem(slug))
        headers = dict(error.headers or {})
        if slug == "method":  # Starlette names those of the first route alone
            places = [one for one in self._inner.routes if isinstance(one, StarletteRoute)]
            found = [one.methods or () for one in places if one.matches(request.scope)[0] is not Match.NONE]
            headers["Allow"] = ", ".join(sorted({method for methods in found for method in methods}))
        return self.told(request, Problem(slug, headers=headers))

    async def _failed(self, request: Request, error: Exception) -> Response:
        return self.told(request, error)
