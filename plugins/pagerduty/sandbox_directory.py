"""The stand-in's directory: users, on-calls, schedules, services, teams, priorities and maintenance windows."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .sandbox_account import Account, Stored, new_id, reference
from .sandbox_people import links
from .sandbox_rest import RestApi, as_json, body_of, invalid

ROLES = {"admin", "limited_user", "observer", "owner", "read_only_user", "restricted_access", "user"}
ROLES |= {"read_only_limited_user"}
WHEN = {"start": "2022-01-10T00:00:00Z", "end": "2022-01-17T00:00:00Z"}


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
        self._account.add_user(user, [])
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
        rules = [_rule(user["id"], level) for level in ("high", "low") if urgency in {"all", level}]
        return as_json({"notification_rules": rules})

    async def oncalls(self, request: Request) -> Response:
        schedules, users = (request.query_params.getlist(f"{name}_ids[]") for name in ("schedule", "user"))
        found = []
        for schedule in self._account.schedules.values():
            for user in schedule.data["users"]:
                if (not schedules or schedule.data["id"] in schedules) and (not users or user["id"] in users):
                    policy = next(iter(self._account.policies.values())).data
                    whose = {"user": user, "schedule": reference(schedule.data, "schedule_reference")}
                    whose |= {"escalation_policy": reference(policy, "escalation_policy_reference")}
                    found.append(Stored({**whose, "escalation_level": 1, **WHEN}))
        return self._api.page(request, "oncalls", found)

    async def schedule(self, request: Request) -> Response:
        return as_json({"schedule": self._api.one(self._account.schedules, request).data})

    async def schedule_users(self, request: Request) -> Response:
        schedule = self._api.one(self._account.schedules, request)
        return as_json({"users": [self._account.users[one["id"]].data for one in schedule.data["users"]]})

    async def overrides(self, request: Request) -> Response:
        schedule = self._api.one(self._account.schedules, request).data["id"]
        if not {"since", "until"} <= request.query_params.keys():
            raise invalid("since and until are required.")
        since, until = request.query_params["since"], request.query_params["until"]
        kept = self._account.overrides.get(schedule, [])
        return as_json({"overrides": [one for one in kept if one["start"] < until and one["end"] > since]})

    async def create_override(self, request: Request) -> Response:
        schedule = self._api.one(self._account.schedules, request).data["id"]
        body = await body_of(request)
        answers = []
        for asked in body.get("overrides", []):
            user = self._account.users.get(str(asked.get("user", {}).get("id")))
            if user is None or not asked.get("start", "") < asked.get("end", ""):
                raise invalid("Override must end after its start, and name a user.")
            made = {"id": new_id("O"), "start": asked["start"], "end": asked["end"]}
            made["user"] = reference(user.data, "user_reference")
            self._account.overrides.setdefault(schedule, []).append(made)
            answers.append({"status": 201, "override": made})
        return as_json(answers, 201)

    async def service(self, request: Request) -> Response:
        return as_json({"service": self._api.one(self._account.services, request).data})

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


def _rule(user_id: str, urgency: str) -> dict[str, Any]:
    rule_id = f"R{user_id}{urgency}"
    contact = {"id": f"C{user_id}", "type": "email_contact_method_reference", "summary": "Work"}
    return {
        "id": rule_id,
        "type": "assignment_notification_rule",
        "summary": f"0 minutes: channel {user_id}",
        "self": f"https://api.pagerduty.com/users/{user_id}/notification_rules/{rule_id}",
        "html_url": None,
        "start_delay_in_minutes": 0,
        "urgency": urgency,
        "contact_method": {**contact, "self": None, "html_url": None},
    }
