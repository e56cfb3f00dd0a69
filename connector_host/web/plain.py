"""Routes that are no part of the API: what the server says of itself."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector_host.host.host import Host
from connector_host.model.token import Scope, Token
from connector_host.web.asking import answer
from connector_host.web.metrics import Metrics
from connector_host.web.problems import KINDS, Problem

_NO_STORE = {"Cache-Control": "no-store"}

Answered = Callable[[Request, Callable[[], Awaitable[Response]]], Awaitable[Response]]


class Plain:
    """The routes; /healthz, /readyz and /problems are for everybody."""

    def __init__(
        self,
        host: Host,
        metrics: Metrics,
        answered: Answered,
        known: Callable[[Request], Awaitable[Token]],
        document: Callable[[Sequence[str]], Any],
    ) -> None:
        self._host, self._metrics = host, metrics
        self._answered, self._known, self._document = answered, known, document

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/healthz", self._alive, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/openapi.json", self._described, methods=["GET"]),
            Route("/metrics", self._counted, methods=["GET"]),
            Route("/problems/{slug}", explained, methods=["GET"]),
        ]

    async def _alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_NO_STORE)

    async def _ready(self, _request: Request) -> Response:
        reason = await self._host.why_not_ready()
        if reason:
            return PlainTextResponse(f"{reason}\n", 503, _NO_STORE)
        return PlainTextResponse("ready\n", headers=_NO_STORE)

    async def _described(self, request: Request) -> Response:
        async def work() -> Response:
            await self._known(request)
            wanted = [one for one in request.query_params.get("plugins", "").split(",") if one]
            return answer(self._document(wanted))

        return await self._answered(request, work)

    async def _counted(self, request: Request) -> Response:
        async def work() -> Response:
            if not (await self._known(request)).allows(Scope.ADMIN):
                raise Problem("forbidden", "The token lacks the scope 'admin'.")
            return PlainTextResponse(self._metrics.text(), headers=_NO_STORE)

        return await self._answered(request, work)


async def explained(request: Request) -> Response:
    """Explain a kind of problem, for people."""
    kind = KINDS.get(request.path_params["slug"])
    if kind is None:
        return PlainTextResponse("There is no problem of that kind.\n", 404)
    return PlainTextResponse(f"{kind.title} ({kind.status})\n\n{kind.explained}\n")
