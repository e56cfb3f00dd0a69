"""The stand-in's REST API v2: authentication, rate limit, lists, and changes of incidents."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .account import Account, Stored, of_user
from .included import included
from .keys import Keys, Refusal, invalid

Handler = Callable[[Request], Awaitable[Response]]
PAGE, LARGEST_PAGE, WINDOW, BATCH = 25, 100, 10_000, 250
BEYOND_WINDOW = (
    f"Offset+limit exceeds maximum allowed value of {WINDOW}. Please try to refine your search to reduce the "
    "returned set of records below this number, like adding a date range."
)


async def content_of(request: Request) -> Any:
    """Return the JSON that was sent; raises Refusal for what is none."""
    try:
        return json.loads(await request.body())
    except ValueError:
        raise invalid("params must be a Hash") from None


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent; raises Refusal."""
    body = await content_of(request)
    if not isinstance(body, dict):
        raise invalid("params must be a Hash")
    return body


class RestApi:
    """The REST API v2, as far as this plugin and PagerDuty's own client need it."""

    def __init__(self, account: Account, options: Mapping[str, Any]) -> None:
        self._account = account
        self._options = options
        self._keys = Keys(options)

    def guarded(self, handler: Handler) -> Handler:
        """Return the handler behind authentication and the rate limit; refusals become error bodies."""

        async def handle(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                headers = self._keys.admitted(request)
                response = await handler(request)
            except Refusal as refusal:
                response = as_json(refusal.body, refusal.status)
                headers |= refusal.headers
            response.headers.update(headers)
            return response

        return handle

    async def abilities(self, _: Request) -> Response:
        return as_json({"abilities": ["teams", "urgencies", "event_rules", "read_only_users", "service_support_hours"]})

    async def users(self, request: Request) -> Response:
        query = request.query_params.get("query", "").casefold()
        users = self._account.users.values()
        found = (
            [user for user in users if query in f"{user.data['name']}\n{user.data['email']}".casefold()]
            if query
            else list(users)
        )
        return self.page(request, "users", _of_teams(request, found))

    async def me(self, _: Request) -> Response:
        role, first = self._options["role"], next(iter(self._account.users.values()), None)
        if not role or first is None:
            raise invalid("This endpoint requires a user-level API key.")
        return as_json({"user": {**first.data, "role": role}})

    async def user(self, request: Request) -> Response:
        return as_json({"user": self.shown(request, self.one(self._account.users, request).data)})

    async def contact_methods(self, request: Request) -> Response:
        user = self.one(self._account.users, request)
        return as_json({"contact_methods": of_user(self._account.contact_methods, user.data["id"])})

    async def schedules(self, request: Request) -> Response:
        query = request.query_params.get("query", "").casefold()
        found = [one for one in self._account.schedules.values() if query in str(one.data["summary"]).casefold()]
        return self.page(request, "schedules", found)

    async def v3_schedules(self, request: Request) -> Response:
        if not self._options["v3_schedules"]:
            raise Refusal(404, 2100, "Not Found")
        return self.page(request, "schedules", list(self._account.v3_schedules.values()))

    async def incidents(self, request: Request) -> Response:
        return self.page(request, "incidents", self._account.find_incidents(request.query_params))

    async def incident(self, request: Request) -> Response:
        return as_json({"incident": self.shown(request, self.one(self._account.incidents, request).data)})

    async def alerts(self, request: Request) -> Response:
        incident = self.one(self._account.incidents, request)
        wanted = set(request.query_params.getlist("statuses[]"))
        found = self._account.alerts.get(incident.data["id"], [])
        key = request.query_params.get("alert_key")
        shown = [one for one in found if not wanted or one.data["status"] in wanted]
        return self.page(request, "alerts", [one for one in shown if key is None or one.data["alert_key"] == key])

    async def alert(self, request: Request) -> Response:
        incident = self.one(self._account.incidents, request)
        alerts = {one.data["id"]: one for one in self._account.alerts[incident.data["id"]]}
        return as_json({"alert": self.one(alerts, request, "alert_id").data})

    async def resolve_incidents(self, request: Request) -> Response:
        sender = self.sender(request)
        changes = await _changes(request)
        if len(changes) > BATCH:
            raise Refusal(413, 2001, "Invalid Input Provided", [f"At most {BATCH} incidents can be updated at once."])
        changed = self._account.change_incidents(changes, sender)
        if isinstance(changed, str):
            raise Refusal(404, 2100, "Not Found", [f"Incident {changed} was not found."])
        return as_json({"incidents": [stored.data for stored in changed]})

    def shown(self, request: Request, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an object with what `include[]` names whole, in place of the references to it."""
        names = request.query_params.getlist("include[]")
        return included(self._account.thing, data, names) if names else data

    def sender(self, request: Request) -> str:
        """Return who acts; raises Refusal where nobody is named, or nobody knows them."""
        sender = request.headers.get("from", "")
        if not sender:
            raise Refusal(
                400,
                2016,
                'You must specify a user\'s email address in the "From" header to perform this action',
            )
        if sender.casefold() not in self._account.emails:
            raise Refusal(400, 1008, "Requester User Not Found")
        return sender

    @staticmethod
    def one(things: Mapping[str, Stored], request: Request, name: str = "id") -> Stored:
        """Return what the path names; raises Refusal."""
        found = things.get(request.path_params[name])
        if found is None:
            raise Refusal(404, 2100, "Not Found")
        return found

    def page(self, request: Request, name: str, found: list[Stored]) -> Response:
        """Return the page of a list that is asked for."""
        limit, offset = _whole(request, "limit", PAGE), _whole(request, "offset", 0)
        limit = min(max(limit, 1), LARGEST_PAGE)
        if offset + limit > WINDOW:
            raise Refusal(
                400,
                2002,
                "Arguments Caused Error",
                [BEYOND_WINDOW],
            )
        chosen = found[offset : offset + limit]
        more = offset + limit < len(found) or bool(self._options["endless"])
        total = len(found) if request.query_params.get("total") == "true" else None
        head = json.dumps({"limit": limit, "offset": offset, "total": total, "more": more})[:-1]
        if request.query_params.getlist("include[]"):
            body = ",".join(json.dumps(self.shown(request, stored.data)) for stored in chosen).encode()
        else:
            body = b",".join(stored.json for stored in chosen)
        return Response(b'%s,"%s":[%s]}' % (head.encode(), name.encode(), body), media_type="application/json")


def _of_teams(request: Request, found: list[Stored]) -> list[Stored]:
    """Return those of the teams that are asked for, where any are."""
    wanted = set(request.query_params.getlist("team_ids[]"))
    return [one for one in found if not wanted or wanted & {team["id"] for team in one.data["teams"]}]


async def _changes(request: Request) -> list[Mapping[str, Any]]:
    """Return the incidents of a PUT, checked as PagerDuty checks them."""
    if "json" not in request.headers.get("content-type", ""):
        raise invalid("params must be a Hash")
    body = await content_of(request)
    changes = body.get("incidents") if isinstance(body, dict) else None
    if not isinstance(changes, list) or not all(isinstance(change, dict) and change.get("id") for change in changes):
        raise invalid("Incidents must be a list of objects with an id.")
    if any(change.get("status") not in {"resolved", "acknowledged"} for change in changes):
        raise invalid("Status must be acknowledged or resolved.")
    return changes


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdigit():
        raise invalid(f"{name.capitalize()} must be an integer.")
    return int(text)


def as_json(value: Any, status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(json.dumps(value), status_code=status, media_type="application/json")
