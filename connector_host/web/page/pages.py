"""What all windows share: who is signed in, the templates, and answers for whatever goes wrong."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from msgspec import Struct
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from connector_host.host.session import Session
from connector_host.host.settings import DateTimeSetting
from connector_host.host.times import parse_time
from connector_host.model.boundary import outcome_of
from connector_host.model.errors import BadSetting, ConnectorHostError, NotAllowed
from connector_host.model.token import Scope, Token
from connector_host.web.guard import SLASH
from connector_host.web.page import views
from connector_host.web.page.signing import SignIn, own_path, refuse_foreign
from connector_host.web.problems import Problem, problem_of
from connector_host.web.server import Server

if TYPE_CHECKING:
    from connector_host.web.page.openid import OpenId

HTTP_TOO_LARGE, DIGITS = 413, 9
HERE = views.HERE
WINDOWS = (
    ("/integrations", "Integrations", Scope.READ),
    ("/connections", "Connections", Scope.READ),
    ("/run", "Test Command", Scope.RUN_READ_ONLY),
    ("/history", "History", Scope.READ),
    ("/intake", "Intake", Scope.READ),
    ("/charts", "Charts", Scope.READ),
    ("/audit", "Audit", Scope.ADMIN),
    ("/places", "Sites and Tenants", Scope.ADMIN),
    ("/tokens", "Tokens", Scope.ADMIN),
    ("/settings", "Settings", Scope.READ),
)


class Visit(Struct, frozen=True):
    """One request of somebody who is signed in."""

    request: Request
    token: Token
    session: Session
    data: FormData
    times: DateTimeSetting

    def may(self, scope: Scope) -> bool:
        """Whether the token grants a scope."""
        return self.token.allows(scope)

    def wants(self, scope: Scope) -> None:
        """Raise NotAllowed where it does not."""
        if not self.may(scope):
            raise NotAllowed(f"Your token lacks the scope '{scope.value}'.")

    def number(self, name: str) -> int | None:
        """Return a whole number that a field says, None where it is empty; raises BadSetting for what is none."""
        text = self.text(name)
        if text and not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
            raise BadSetting(f"'{text[:20]}' is no whole number.")
        return int(text) if text else None

    def moment(self, name: str) -> datetime | None:
        """Return a time as its writer writes times, None where the field is empty; raises BadSetting for none."""
        text = self.text(name)
        found = parse_time(text, self.times) if text else None
        if text and found is None:
            raise BadSetting(f"'{text[:40]}' is no time: write it as {views.pattern(self.times)}.")
        return found

    def text(self, name: str) -> str:
        """Return what a field, or else the query, says."""
        value = self.data.get(name)
        found = value if isinstance(value, str) else self.request.query_params.get(name, "")
        return found.strip()


Shown = Callable[[Visit], Awaitable[Response]]


class Pages:
    """The page of a server."""

    def __init__(self, server: Server, provider: "OpenId | None" = None) -> None:
        self.server, self.host, self.provider = server, server.host, provider
        self.sign_in = SignIn(server.host, server.attempts, server.place.base)

    @cached_property
    def templates(self) -> Environment:
        """The templates."""
        return views.environment(views=views, LAMPS=views.LAMPS, VERDICTS=views.VERDICTS, Scope=Scope)

    def route(self, path: str, work: Shown, *, methods: tuple[str, ...] = ("GET",)) -> Route:
        """Return a route for those who are signed in."""

        async def endpoint(request: Request) -> Response:
            response, error = await outcome_of(self._visited(request, work))
            return response if response is not None else await self.failed(request, error)

        return Route(path, endpoint, methods=list(methods))

    async def _visited(self, request: Request, work: Shown) -> Response:
        token = await self.sign_in.token(request)
        if token is None and "hx-request" in request.headers:
            facts = {
                "title": "You are signed out",
                "words": "Sign in again in another window; what you typed stays here.",
            }
            return self.answer(request, None, "failure.part.html", facts)
        if token is None:
            wanted = f"{request.url.path}?{request.url.query}".rstrip("?")
            back = f"?{urlencode({'to': wanted})}" if request.method == "GET" and own_path(wanted) == wanted else ""
            return RedirectResponse(f"/sign-in{back}", 303)
        data = FormData()
        if request.method == "POST":
            refuse_foreign(request)
            data = await request.form(max_files=10, max_fields=2000)
        session = self.host.acting_by(token)
        return await work(Visit(request, token, session, data, await session.preferences.get()))

    async def failed(self, request: Request, error: Exception | None) -> Response:
        """Return a window that says what went wrong; a fault is logged by the server."""
        if isinstance(error, Problem):
            problem = error
        elif isinstance(error, ConnectorHostError):
            problem = problem_of(error)
        elif isinstance(error, HTTPException):
            problem = Problem("too-large" if error.status_code == HTTP_TOO_LARGE else "invalid", str(error.detail))
        else:
            problem = Problem("fault", f"It is in the server's log: {self.server.noted(error or RuntimeError())}.")
        words = problem.detail or problem.kind.explained
        token = await self.sign_in.token(request)
        name = "failure.part.html" if "hx-request" in request.headers else "failure.html"
        facts = {"title": problem.kind.title, "words": words, "status": problem.kind.status}
        return self.answer(request, token, name, facts, 200 if "hx-request" in request.headers else problem.kind.status)

    def show(self, visit: Visit, name: str, status: int = 200, /, **facts: Any) -> Response:
        """Return a template, filled in."""
        return self.answer(visit.request, visit.token, name, {"times": visit.times, **facts}, status)

    def answer(
        self, request: Request, token: Token | None, name: str, facts: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Return a template for whoever is signed in, if anybody; nobody keeps it, and nothing foreign runs in it."""
        nonce = secrets.token_hex(12)  # of each answer its own: hx-csp makes that of a part the page's
        windows = [(path, title) for path, title, scope in WINDOWS if token is not None and token.allows(scope)]
        now = self.host.clock.now()
        shown = {"nonce": nonce, "token": token, "windows": windows, "path": _address(request), "now": now, **facts}
        shown["exact"] = partial(views.exact, facts.get("times", DateTimeSetting()))
        text = self.templates.get_template(name).render(shown)
        headers = {"Content-Security-Policy": views.policy(nonce), "Cache-Control": "no-store"}
        return HTMLResponse(text.encode("utf-8", "replace"), status, headers)  # a plugin may give half a character


def _address(request: Request) -> str:
    """Return the path as a browser writes it: a slash within a part of it is no divider."""
    return quote(request.scope["path"], safe="/").replace(quote(SLASH), "%2F")
