"""Opsgenie's stand-in: the Alert API with state, its asynchronous requests, error bodies and limits.

Shapes, codes and limits follow Opsgenie's public Alert API reference. Any non-empty key is accepted unless `api_key`
says which.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .sandbox_alerts import Alerts, Refused

OPTIONS: Mapping[str, Any] = {
    "alerts": {
        "title": "Alerts",
        "description": "How many alerts there are.",
        "type": "integer",
        "default": 4,
        "minimum": 0,
    },
    "api_key": {"title": "API Key", "description": "The one API key that is accepted.", "type": "string"},
    "processing": {
        "title": "Processing",
        "description": "How often a request is said not to be processed yet.",
        "type": "integer",
        "default": 0,
        "minimum": 0,
    },
}
PAGE, LARGEST_PAGE, WINDOW = 20, 100, 20_000
Handler = Callable[[Request], Awaitable[Response]]


def build(**given: Any) -> Starlette:
    """Return the app; options as OPTIONS describes them. `app.state` lets a test see and change them."""
    options = {name: spec.get("default") for name, spec in OPTIONS.items()} | given
    alerts = Alerts(options["alerts"])
    api = AlertApi(alerts, options)
    app = Starlette(routes=api.routes(), exception_handlers={404: _no_path, 405: _no_path})
    app.state.alerts, app.state.options = alerts, options
    return app


class AlertApi:
    """What can be done with alerts; changes are requests that are worked off, and whose state can be asked for."""

    def __init__(self, alerts: Alerts, options: Mapping[str, Any]) -> None:
        self._alerts = alerts
        self._options = options
        self._requests: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """Return all paths; `{key}` is an alert's id, alias or tiny id, as `identifierType` says."""
        one = "/v2/alerts/{key}"
        reads = [
            ("/v2/alerts", self.listed),
            ("/v2/alerts/count", self.count),
            ("/v2/alerts/requests/{request}", self.request),
            (one, self.alert),
            (f"{one}/notes", self._part("notes")),
            (f"{one}/logs", self._part("logs")),
            (f"{one}/recipients", self._part("recipients")),
        ]
        found = [Route(path, self._guarded(handler)) for path, handler in reads]
        found.append(Route("/v2/alerts", self._guarded(self.create), methods=["POST"]))
        for method, what in Alerts.CHANGES:
            path = f"{one}/{what}" if what else one
            found.append(Route(path, self._guarded(self._changing(method, what)), methods=[method]))
        return found

    def _guarded(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                self._authenticate(request)
                return await handler(request)
            except Refused as refused:
                errors = {"errors": refused.errors} if refused.errors else {}
                return _answer({"message": refused.message, **errors}, refused.status)

        return handle

    def _authenticate(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "GenieKey" or not key:
            raise Refused(401, "Could not authenticate")
        if self._options["api_key"] not in (None, key):
            raise Refused(403, "You are not authorized for this operation")

    async def listed(self, request: Request) -> Response:
        """Return one page, with the addresses of the next and the others."""
        query = dict(request.query_params)
        limit, offset = _whole(query, "limit", PAGE), _whole(query, "offset", 0)
        if not 1 <= limit <= LARGEST_PAGE or offset + limit > WINDOW:
            raise Refused(422, "Request parameters are not valid.", {"limit": "Limit or offset is out of range."})
        found = self._alerts.find(query.get("query", ""), query.get("sort", "createdAt"), query.get("order", "desc"))
        paging = {"first": _address(request, query, 0)}
        if offset + limit < len(found):
            paging["next"] = _address(request, query, offset + limit)
        return _answer({"data": found[offset : offset + limit], "paging": paging})

    async def count(self, request: Request) -> Response:
        return _answer({"data": {"count": len(self._alerts.find(request.query_params.get("query", "")))}})

    async def alert(self, request: Request) -> Response:
        return _answer({"data": self._one(request)})

    async def create(self, request: Request) -> Response:
        body = await _body(request)
        return self._accepted("Create", self._alerts.create(body), "Created alert")

    async def request(self, request: Request) -> Response:
        """Say what became of a request."""
        key = request.path_params["request"]
        self._asked[key] = self._asked.get(key, 0) + 1
        if key not in self._requests or self._asked[key] <= self._options["processing"]:
            raise Refused(404, "Request not found. It might not be processed yet.")
        return _answer({"data": self._requests[key]})

    def _part(self, name: str) -> Handler:
        async def read(request: Request) -> Response:
            return _answer({"data": self._alerts.parts(self._one(request)["id"], name)})

        return read

    def _changing(self, method: str, what: str) -> Handler:
        async def change(request: Request) -> Response:
            body = {**request.query_params, **request.path_params, **await _body(request)}
            alert = self._one(request)
            action, status = self._alerts.change(alert["id"], method, what, body)
            return self._accepted(action, alert, status)

        return change

    def _one(self, request: Request) -> dict[str, Any]:
        kind = request.query_params.get("identifierType", "id")
        return self._alerts.one(request.path_params["key"], kind)

    def _accepted(self, action: str, alert: Mapping[str, Any], status: str) -> Response:
        done = {"success": True, "isSuccess": True, "action": action, "status": status}
        request = str(uuid.uuid4())
        self._requests[request] = {**done, "alertId": alert["id"], "alias": alert["alias"]}
        return _answer({"result": "Request will be processed", "requestId": request}, 202)


def _address(request: Request, query: Mapping[str, str], offset: int) -> str:
    return str(request.url.include_query_params(**{**query, "offset": offset}))


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise Refused(422, "Request parameters are not valid.", {name: "It must be a number."})
    return int(text)


async def _body(request: Request) -> dict[str, Any]:
    content = await request.body()
    try:
        body = json.loads(content) if content else {}
    except ValueError:
        raise Refused(400, "Could not parse the request body.") from None
    if not isinstance(body, dict):
        raise Refused(422, "Request body is not processable. Please check the errors.")
    return body


def _answer(body: Mapping[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse({"requestId": str(uuid.uuid4()), "took": 0.01, **body}, status)


async def _no_path(_: Request, __: Exception) -> Response:
    return _answer({"message": "No handler found"}, 404)
