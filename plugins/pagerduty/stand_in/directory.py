"""The stand-in's directory: users, services, teams, priorities and maintenance windows."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .account import Account, Stored, of_user
from .keys import invalid
from .objects import new_id, reference
from .people import links, mail_method, settle
from .rest import RestApi, as_json, body_of

ROLES = {"admin", "limited_user", "observer", "owner", "read_only_user", "restricted_access", "user"}
ROLES |= {"read_only_limited_user"}


class DirectoryApi:
    """Who and what there is."""

    def __init__(self, account: Account, api: RestApi) -> None:
        self._account = account
        self._api = api

    async def create_user(self, request: Request) -> Response:
        self._api.sender(request)
        asked = await self._user_asked(request)
        if asked["email"].casefold() in self._account.emails:
            raise invalid("Email has already been taken.")
        user_id = new_id("P")
        user = {"id": user_id, "type": "user", "summary": asked["name"], **links("users", user_id)}
        user |= {"time_zone": "UTC", "color": "green", "role": "user", "avatar_url": "", "description": None}
        user |= {
            "invitation_sent": True,
            "job_title": None,
            "teams": [],
            "contact_methods": [],
            "notification_rules": [],
        }
        user |= {name: value for name, value in asked.items() if name != "type"}
        settle(self._account, user, [mail_method(user_id, user["email"])])
        return as_json({"user": user}, 201)

    async def update_user(self, request: Request) -> Response:
        user = self._api.one(self._account.users, request)
        asked = await self._user_asked(request)
        user.change(**{name: value for name, value in asked.items() if name != "type"}, summary=asked["name"])
        return as_json({"user": user.data})

    async def delete_user(self, request: Request) -> Response:
        user = self._api.one(self._account.users, request)
        del self._account.users[user.data["id"]]
        self._account.emails.discard(user.data["email"].casefold())
        return Response(status_code=204)

    async def notification_rules(self, request: Request) -> Response:
        user = self._api.one(self._account.users, request).data
        urgency = request.query_params.get("urgency", "all")
        rules = of_user(self._account.rules, user["id"])
        return as_json({"notification_rules": [one for one in rules if urgency in {"all", one["urgency"]}]})

    async def service(self, request: Request) -> Response:
        service = self._api.one(self._account.services, request).data
        return as_json({"service": self._api.shown(request, service)})

    async def services(self, request: Request) -> Response:
        return self._named(request, "services", self._account.services)

    async def escalation_policies(self, request: Request) -> Response:
        return self._named(request, "escalation_policies", self._account.policies)

    async def teams(self, request: Request) -> Response:
        return self._named(request, "teams", self._account.teams)

    async def priorities(self, request: Request) -> Response:
        return self._named(request, "priorities", self._account.priorities)

    async def maintenance_windows(self, request: Request) -> Response:
        return self._named(request, "maintenance_windows", self._account.windows)

    async def create_maintenance_window(self, request: Request) -> Response:
        self._api.sender(request)
        asked = (await body_of(request)).get("maintenance_window", {})
        services = [self._account.services.get(str(one.get("id"))) for one in asked.get("services", [])]
        if not services or None in services or not asked.get("start_time", "") < asked.get("end_time", ""):
            raise invalid("End time must be after start time, and services must be there.")
        window_id, words = new_id("M"), asked.get("description") or "Maintenance"
        window = {"id": window_id, "type": "maintenance_window", "summary": words}
        window |= {**links("maintenance_windows", window_id), "description": words, "teams": []}
        window |= {name: asked[name] for name in ("start_time", "end_time")}
        window["services"] = [reference(one.data, "service_reference") for one in services if one]
        self._account.windows[window_id] = Stored(window)
        return as_json({"maintenance_window": window}, 201)

    def _named(self, request: Request, name: str, things: Mapping[str, Stored]) -> Response:
        query = request.query_params.get("query", "").casefold()
        found = [one for one in things.values() if query in str(one.data["summary"]).casefold()]
        return self._api.page(request, name, found)

    async def _user_asked(self, request: Request) -> dict[str, Any]:
        asked = (await body_of(request)).get("user", {})
        if not asked.get("name") or "@" not in asked.get("email", ""):
            raise invalid("Name and email must be given.")
        if asked.get("role", "user") not in ROLES:
            raise invalid("Role is invalid.")
        return dict(asked)
