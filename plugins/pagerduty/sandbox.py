"""PagerDuty's stand-in: REST and Events API v2 on one port, with state, limits, error bodies and faults on request.

Shapes, codes and limits follow PagerDuty's public API reference; what it accepts, PagerDuty accepts, and the other
way round. Any non-empty key is accepted unless `api_key` or `integration_key` say which.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .stand_in.account import Account
from .stand_in.directory import DirectoryApi
from .stand_in.events import Judge, judge_change, judge_event
from .stand_in.faults import Faults
from .stand_in.people import populate
from .stand_in.rest import Handler, RestApi, as_json
from .stand_in.routes import rest_routes
from .stand_in.schedules import SchedulesApi
from .stand_in.setup import SetupApi
from .stand_in.team import TeamApi

OPTIONS: Mapping[str, Any] = {
    "users": {
        "title": "Users",
        "description": "How many users there are.",
        "type": "integer",
        "default": 6,
        "minimum": 0,
    },
    "incidents": {
        "title": "Incidents",
        "description": "How many incidents there are.",
        "type": "integer",
        "default": 4,
        "minimum": 0,
    },
    "incident_bytes": {
        "title": "Incident Bytes",
        "description": "Pad each incident to about this size.",
        "type": "integer",
        "default": 0,
        "minimum": 0,
    },
    "api_key": {"title": "API Key", "description": "The one API key that is accepted.", "type": "string"},
    "role": {
        "title": "Role",
        "description": "The role of the user whose the API key is, as admin; without one it is the account's.",
        "type": "string",
    },
    "denied": {
        "title": "Denied",
        "description": "Kinds of objects that the API key may not deal with, as services,teams.",
        "type": "string",
    },
    "integration_key": {
        "title": "Integration Key",
        "description": "The one integration key that is accepted.",
        "type": "string",
    },
    "rate_limit": {
        "title": "Rate Limit",
        "description": "REST requests allowed in a minute.",
        "type": "integer",
        "default": 960,
        "minimum": 1,
    },
    "latency": {
        "title": "Latency",
        "description": "Milliseconds before each answer.",
        "type": "integer",
        "default": 0,
        "minimum": 0,
    },
    "fail": {
        "title": "Fail",
        "description": "STATUS:COUNT, for example 503:2: the first COUNT requests fail so.",
        "type": "string",
    },
    "lost": {
        "title": "Lost",
        "description": "The first so many changes are done, and answered with 503 as by a gateway.",
        "type": "integer",
        "default": 0,
        "minimum": 0,
    },
    "garbage": {
        "title": "Garbage",
        "description": "Answer with bytes that are no JSON.",
        "type": "boolean",
        "default": False,
    },
    "endless": {
        "title": "Endless",
        "description": "Say that there is always another page.",
        "type": "boolean",
        "default": False,
    },
    "v3_schedules": {
        "title": "V3 Schedules",
        "description": "Have shift-based schedules (early access).",
        "type": "boolean",
        "default": False,
    },
}


def build(**given: Any) -> Starlette:
    """Return the app; options as OPTIONS describes them. `app.state` lets a test see and change them."""
    options = {name: spec.get("default") for name, spec in OPTIONS.items()} | given
    account = Account()
    populate(account, **{name: options[name] for name in ("users", "incidents", "incident_bytes", "v3_schedules")})
    api = RestApi(account, options)
    faults = Faults(options)
    routes = rest_routes(api, TeamApi(account, api), DirectoryApi(account, api))
    routes += SchedulesApi(account, api).routes() + SetupApi(account, api).routes()
    made = [Route(path, faults.around(api.guarded(handler)), methods=[method]) for method, path, handler in routes]
    made.append(
        Route(
            "/v2/change/enqueue",
            faults.around(_taking(judge_change, account.changes.append, options)),
            methods=["POST"],
        )
    )
    made.append(Route("/v2/enqueue", faults.around(_taking(judge_event, account.take, options)), methods=["POST"]))
    app = Starlette(routes=made, exception_handlers={404: _not_found, 405: _not_found})
    app.state.account = account
    app.state.faults = faults
    app.state.options = options
    return app


def _taking(judge: Judge, take: Callable[[dict[str, Any]], Any], options: Mapping[str, Any]) -> Handler:
    async def enqueue(request: Request) -> Response:
        status, answer, event = judge(await request.body(), options["integration_key"])
        if event is not None:
            take(event)
        return as_json(answer, status)

    return enqueue


async def _not_found(_: Request, __: Exception) -> Response:
    return as_json({"error": {"message": "Not Found", "code": 2100}}, 404)
