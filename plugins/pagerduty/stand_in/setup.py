"""The stand-in's settings, made and removed: services, policies, teams, schedules, contact methods and rules."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .account import Account, Stored, of_user
from .keys import Refusal, invalid
from .objects import new_id, reference
from .people import links
from .rest import Handler, RestApi, as_json, body_of

CONTACTS = {f"{kind}_contact_method" for kind in ("email", "phone", "sms", "push_notification")}


class SetupApi:
    """What administrators set up."""

    def __init__(self, account: Account, api: RestApi) -> None:
        self._account = account
        self._api = api

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path and handler of each operation."""
        account, method, rule = self._account, "/users/{id}/contact_methods", "/users/{id}/notification_rules"
        return [
            ("POST", "/services", self.create_service),
            ("DELETE", "/services/{id}", self._deleting(account.services)),
            ("POST", "/escalation_policies", self.create_policy),
            ("DELETE", "/escalation_policies/{id}", self._deleting(account.policies)),
            ("POST", "/teams", self.create_team),
            ("DELETE", "/teams/{id}", self._deleting(account.teams)),
            ("POST", "/schedules", self.create_schedule),
            ("DELETE", "/schedules/{id}", self._deleting(account.schedules)),
            ("POST", method, self.create_contact_method),
            ("GET", f"{method}/{{one}}", self._reading(account.contact_methods, "contact_method")),
            ("DELETE", f"{method}/{{one}}", self._deleting(account.contact_methods, "one")),
            ("POST", rule, self.create_rule),
            ("GET", f"{rule}/{{one}}", self._reading(account.rules, "notification_rule")),
            ("DELETE", f"{rule}/{{one}}", self._deleting(account.rules, "one")),
        ]

    async def create_service(self, request: Request) -> Response:
        asked = await _asked(request, "service")
        policy = self._account.policies.get(_id_of(asked.get("escalation_policy")))
        if policy is None:
            raise invalid("Escalation policy can't be blank.")
        service = self._named(asked, "service", "service-directory", self._account.services)
        service |= {"status": "active", "teams": [], "integrations": []}
        service["escalation_policy"] = reference(policy.data, "escalation_policy_reference")
        return _kept(self._account.services, "service", service)

    async def create_policy(self, request: Request) -> Response:
        asked = await _asked(request, "escalation_policy")
        rules = asked.get("escalation_rules")
        targets = [one for rule in rules for one in rule.get("targets", [])] if isinstance(rules, list) else []
        if not targets or any(self._account.thing(_id_of(one)) is None for one in targets):
            raise invalid("Escalation rules must name users or schedules.")
        policy = self._named(asked, "escalation_policy", "escalation_policies", self._account.policies)
        policy |= {"num_loops": asked.get("num_loops", 0), "services": [], "teams": []}
        policy["escalation_rules"] = [
            {"id": new_id("P"), **rule, "targets": self._targets(rule)} for rule in rules or []
        ]
        return _kept(self._account.policies, "escalation_policy", policy)

    def _targets(self, rule: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = [self._account.thing(_id_of(one)) for one in rule["targets"]]
        return [reference(one, f"{one['type']}_reference") for one in found if one]

    async def create_team(self, request: Request) -> Response:
        asked = await _asked(request, "team")
        return _kept(self._account.teams, "team", self._named(asked, "team", "teams", self._account.teams))

    async def create_schedule(self, request: Request) -> Response:
        asked = await _asked(request, "schedule")
        layers = asked.get("schedule_layers")
        users = [one.get("user") for one in layers[0].get("users", [])] if isinstance(layers, list) and layers else []
        known = [self._account.users.get(_id_of(one)) for one in users]
        if not known or None in known or not asked.get("time_zone"):
            raise invalid("Schedule must have a time zone, and a layer with users.")
        schedule = self._named(asked, "schedule", "schedules", self._account.schedules)
        schedule |= {"time_zone": asked["time_zone"], "escalation_policies": [], "teams": []}
        schedule["users"] = [reference(one.data, "user_reference") for one in known if one]
        return _kept(self._account.schedules, "schedule", schedule)

    async def create_contact_method(self, request: Request) -> Response:
        user, asked = self._api.one(self._account.users, request).data, await _asked(request, "contact_method")
        if asked.get("type") not in CONTACTS or not asked.get("address"):
            raise invalid("Contact method must have a type and an address.")
        known = of_user(self._account.contact_methods, user["id"])
        if any((one["type"], one["address"]) == (asked["type"], asked["address"]) for one in known):
            raise invalid("Contact method must be unique.")
        made = {"id": new_id("C"), "summary": asked.get("label", ""), "self": None, "html_url": None, **asked}
        return _kept(self._account.contact_methods, "contact_method", made, user["id"])

    async def create_rule(self, request: Request) -> Response:
        user, asked = self._api.one(self._account.users, request).data, await _asked(request, "notification_rule")
        method = self._account.contact_methods.get(_id_of(asked.get("contact_method")))
        if method is None or method.owner != user["id"] or asked.get("urgency") not in {"high", "low"}:
            raise invalid("Notification rule must have an urgency and a contact method of the user's.")
        delay = asked.get("start_delay_in_minutes", 0)
        made: dict[str, Any] = {
            "id": new_id("R"),
            "type": "assignment_notification_rule",
            "self": None,
            "html_url": None,
        }
        made |= {"summary": f"{delay} minutes: {method.data['summary']}", "start_delay_in_minutes": delay}
        made |= {
            "urgency": asked["urgency"],
            "contact_method": reference(method.data, f"{method.data['type']}_reference"),
        }
        return _kept(self._account.rules, "notification_rule", made, user["id"])

    def _named(self, asked: Mapping[str, Any], kind: str, place: str, known: Mapping[str, Stored]) -> dict[str, Any]:
        name = asked.get("name")
        if not name or any(one.data["summary"] == name for one in known.values()):
            raise invalid("Name has already been taken." if name else "Name can't be blank.")
        thing_id = new_id("P")
        made = {"id": thing_id, "type": kind, "summary": name, **links(place, thing_id), "name": name}
        return {**made, "description": asked.get("description")}

    def _reading(self, things: Mapping[str, Stored], name: str) -> Handler:
        async def read(request: Request) -> Response:
            return as_json({name: self._of_user(things, request).data})

        return read

    def _deleting(self, things: dict[str, Stored], parameter: str = "id") -> Handler:
        async def delete(request: Request) -> Response:
            found = self._of_user(things, request) if parameter == "one" else self._api.one(things, request)
            if found.data["type"] == "escalation_policy" and self._uses(found.data["id"]):
                raise invalid("The escalation policy is used by a service.")
            del things[found.data["id"]]
            return Response(status_code=204)

        return delete

    def _uses(self, policy: str) -> bool:
        return any(one.data["escalation_policy"]["id"] == policy for one in self._account.services.values())

    def _of_user(self, things: Mapping[str, Stored], request: Request) -> Stored:
        user, found = self._api.one(self._account.users, request), self._api.one(things, request, "one")
        if found.owner != user.data["id"]:
            raise Refusal(404, 2100, "Not Found")
        return found


async def _asked(request: Request, name: str) -> dict[str, Any]:
    found = (await body_of(request)).get(name)
    if not isinstance(found, dict):
        raise invalid(f"{name.capitalize()} is missing.")
    return found


def _kept(things: dict[str, Stored], name: str, made: dict[str, Any], owner: str = "") -> Response:
    things[made["id"]] = Stored(made, owner)
    return as_json({name: made}, 201)


def _id_of(thing: Any) -> str:
    return str(thing.get("id")) if isinstance(thing, dict) else ""
