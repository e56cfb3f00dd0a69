"""The stand-in's schedules: who is on call when, with overrides."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .account import Account, Stored
from .keys import invalid
from .objects import new_id, reference
from .rest import Handler, RestApi, as_json, body_of

TURN = timedelta(days=7)
BEGIN = datetime(2021, 1, 4, tzinfo=UTC)  # a Monday, from which turns count
LONGEST = timedelta(days=92)  # that is rendered at once
MOST_OVERRIDES = 100


class SchedulesApi:
    """Schedules, overrides and on-calls; users take turns of a week."""

    def __init__(self, account: Account, api: RestApi) -> None:
        self._account = account
        self._api = api

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path and handler of each operation."""
        return [
            ("GET", "/oncalls", self.oncalls),
            ("GET", "/schedules/{id}", self.schedule),
            ("GET", "/schedules/{id}/users", self.users),
            ("GET", "/schedules/{id}/overrides", self.overrides),
            ("POST", "/schedules/{id}/overrides", self.create_override),
            ("GET", "/v3/schedules/{id}", self.shift_based),
            ("GET", "/v3/schedules/{id}/users", self.shift_based_users),
            ("GET", "/v3/schedules/{id}/overrides", self.overrides),
            ("POST", "/v3/schedules/{id}/overrides", self.create_override),
        ]

    def _one(self, request: Request) -> dict[str, Any]:
        """Return what the path names; raises Refusal for a schedule of the other kind."""
        shift_based, asked = self._account.v3_schedules, request.path_params["id"]
        if request.url.path.startswith("/v3/"):
            return self._api.one(shift_based, request).data
        if asked in shift_based:
            raise invalid("This is a shift-based schedule. Ask for it at /v3/schedules.")
        return self._api.one(self._account.schedules, request).data

    async def shift_based(self, request: Request) -> Response:
        return as_json({"schedule": self._one(request)})

    async def shift_based_users(self, request: Request) -> Response:
        users = self._one(request).get("users", [])
        return as_json({"users": [self._account.users[one["id"]].data for one in users]})

    async def schedule(self, request: Request) -> Response:
        schedule = self._one(request)
        rendered: list[dict[str, Any]] = []
        if {"since", "until"} & request.query_params.keys():
            since, until = _range(request.query_params)
            rendered = list(self._rendered(schedule, since, until))
        layer: dict[str, Any] = {"id": f"L{schedule['id']}", "name": "Layer 1", "start": _text(BEGIN)}
        layer["rotation_virtual_start"] = layer["start"]
        layer |= {"rotation_turn_length_seconds": int(TURN.total_seconds()), "restrictions": []}
        layer |= {"users": [{"user": user} for user in schedule["users"]], "rendered_schedule_entries": rendered}
        overrides = self._account.overrides.get(schedule["id"], [])
        final = {"name": "Final Schedule", **({"rendered_coverage_percentage": 100.0} if rendered else {})}
        shown = {
            **schedule,
            "schedule_layers": [layer],
            "overrides_subschedule": {"name": "Overrides", "rendered_schedule_entries": overrides},
            "final_schedule": {**final, "rendered_schedule_entries": rendered},
        }
        return as_json({"schedule": self._api.shown(request, shown)})

    async def users(self, request: Request) -> Response:
        schedule = self._one(request)
        return as_json({"users": [self._account.users[one["id"]].data for one in schedule["users"]]})

    async def overrides(self, request: Request) -> Response:
        schedule = self._one(request)["id"]
        if not {"since", "until"} <= request.query_params.keys():
            raise invalid("since and until are required.")
        since, until = request.query_params["since"], request.query_params["until"]
        kept = self._account.overrides.get(schedule, [])
        return as_json({"overrides": [one for one in kept if one["start"] < until and one["end"] > since]})

    async def create_override(self, request: Request) -> Response:
        """Answer for each override by itself, as PagerDuty does: the whole is 201."""
        schedule = self._one(request)["id"]
        asked = (await body_of(request)).get("overrides")
        if not isinstance(asked, list) or not asked or len(asked) > MOST_OVERRIDES:
            raise invalid("Overrides must be a list of at most 100.")
        return as_json([self._override(schedule, one) for one in asked], 201)

    def _override(self, schedule: str, asked: Any) -> dict[str, Any]:
        asked = asked if isinstance(asked, dict) else {}
        user = self._account.users.get(str((asked.get("user") or {}).get("id")))
        start, end = str(asked.get("start", "")), str(asked.get("end", ""))
        reasons = [] if user else ["User is invalid."]
        if not start < end:
            reasons.append("Override must end after its start.")
        elif _is_past(end):
            reasons.append("Override must end in the future")
        if user is None or reasons:
            return {"status": 400, "errors": reasons, "override": asked}
        made = {"id": new_id("O"), "start": start, "end": end, "user": reference(user.data, "user_reference")}
        self._account.overrides.setdefault(schedule, []).append(made)
        return {"status": 201, "override": made}

    async def oncalls(self, request: Request) -> Response:
        query = request.query_params
        wanted = {name: set(query.getlist(f"{name}_ids[]")) for name in ("schedule", "user", "escalation_policy")}
        found = [
            Stored(one)
            for one in self._oncalls(*_range(query))
            if all(not ids or one[name]["id"] in ids for name, ids in wanted.items())
        ]
        return self._api.page(request, "oncalls", found)

    def _oncalls(self, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        for policy in self._account.policies.values():
            for level, rule in enumerate(policy.data["escalation_rules"], 1):
                for target in rule["targets"]:
                    schedule = self._account.schedules.get(target["id"])
                    if schedule is None:
                        continue
                    whose: dict[str, Any] = {"escalation_policy": reference(policy.data, "escalation_policy_reference")}
                    whose |= {"schedule": reference(schedule.data, "schedule_reference"), "escalation_level": level}
                    for turn in self._rendered(schedule.data, since, until):
                        yield {**whose, **turn}

    def _rendered(self, schedule: Mapping[str, Any], since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """Return whose turn it is, piece by piece; an override takes the place of what stands under it."""
        overrides = [
            (_moment(one["start"]), _moment(one["end"]), one["user"])
            for one in self._account.overrides.get(schedule["id"], [])
        ]
        users, at = schedule["users"], since
        while users and at < until:
            number = (at - BEGIN) // TURN
            edges = [until, BEGIN + TURN * (number + 1)]
            edges += [edge for start, stop, _ in overrides for edge in (start, stop)]
            end = min(edge for edge in edges if edge > at)
            instead = [user for start, stop, user in overrides if start <= at < stop]
            user = instead[-1] if instead else users[number % len(users)]
            yield {"start": _text(at), "end": _text(end), "user": user}
            at = end


def _range(query: Mapping[str, str]) -> tuple[datetime, datetime]:
    since = _moment(query["since"]) if "since" in query else datetime.now(UTC)
    until = _moment(query["until"]) if "until" in query else since + timedelta(seconds=1)
    if not since < until <= since + LONGEST:
        raise invalid("The time range must be forwards, and of 3 months at most.")
    return since, until


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"'{text[:40]}' is no time.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_past(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) <= datetime.now(UTC)
