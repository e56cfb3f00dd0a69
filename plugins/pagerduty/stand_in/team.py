"""The stand-in's REST API for single incidents: changes, notes, responders, log entries, what is like them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .account import Account
from .keys import Refusal, invalid
from .objects import incident_of, new_id, now, reference
from .rest import RestApi, as_json, body_of

STATUSES = {"acknowledged", "resolved", "triggered"}


class TeamApi:
    """What people and playbooks do with incidents, users, schedules and services."""

    def __init__(self, account: Account, api: RestApi) -> None:
        self._account = account
        self._api = api

    async def create_incident(self, request: Request) -> Response:
        sender = self._sender(request)
        asked = await _object(request, "incident")
        service = self._account.services.get(_id_of(asked.get("service")))
        if not asked.get("title") or service is None:
            raise invalid("Title can't be blank." if not asked.get("title") else "Service not found.")
        key = asked.get("incident_key") or new_id("K")
        opened = [one.data for one in self._account.incidents.values() if one.data["status"] != "resolved"]
        if key in {one["incident_key"] for one in opened}:
            raise invalid("Open incident with matching dedup key already exists on this service.")
        number = len(self._account.incidents) + 1
        incident = incident_of(new_id("Q"), number, asked["title"], key, now(), service.data)
        incident |= {name: asked[name] for name in ("urgency", "body") if name in asked}
        incident |= {name: asked[name] for name in ("escalation_policy", "conference_bridge") if asked.get(name)}
        incident["assignments"] = _assignments(asked)
        if "priority" in asked:
            priority = self._account.priorities.get(_id_of(asked["priority"]))
            if priority is None:
                raise invalid("Priority not found.")
            incident["priority"] = priority.data
        incident["alert_counts"] = {"all": 0, "triggered": 0, "resolved": 0}
        stored = self._account.add_incident(incident, [], self._account.referred(sender))
        return as_json({"incident": stored.data}, 201)

    async def update_incident(self, request: Request) -> Response:
        sender, incident = self._sender(request), self._api.one(self._account.incidents, request)
        asked = await _object(request, "incident")
        status = asked.get("status")
        if status is not None and status not in STATUSES:
            raise invalid("Status must be acknowledged, resolved or triggered.")
        if status == "resolved" and incident.data["status"] == "resolved":
            raise Refusal(400, 1001, "Incident Already Resolved")
        changes: dict[str, Any] = {name: asked[name] for name in ("title", "urgency", "status") if name in asked}
        if asked.get("assignments"):
            changes["assignments"] = _assignments(asked)
        if "escalation_policy" in asked:
            changes["escalation_policy"] = asked["escalation_policy"]
        changes |= {name: asked[name] for name in ("priority", "conference_bridge") if name in asked}
        if status in {"acknowledged", "resolved"}:
            self._account.change_incidents([{"id": incident.data["id"], "status": status}], sender)
        incident.change(**changes)
        if status not in {"acknowledged", "resolved"}:
            self._account.log(incident, "assign" if asked.get("assignments") else "annotate", self._user_of(sender))
        return as_json({"incident": incident.data})

    async def merge(self, request: Request) -> Response:
        sender, incident = self._sender(request), self._api.one(self._account.incidents, request)
        sources = (await body_of(request)).get("source_incidents")
        ids = [_id_of(one) for one in sources] if isinstance(sources, list) else []
        if not ids or any(one not in self._account.incidents for one in ids):
            raise Refusal(404, 2100, "Not Found")
        self._account.change_incidents([{"id": one, "status": "resolved"} for one in ids], sender)
        return as_json({"incident": reference(incident.data, "incident_reference")})

    async def snooze(self, request: Request) -> Response:
        self._sender(request)
        incident, seconds = self._api.one(self._account.incidents, request), (await body_of(request)).get("duration")
        if not isinstance(seconds, int) or not 1 <= seconds <= 604_800:
            raise invalid("Duration must be between 1 and 604800.")
        until = datetime.fromtimestamp(datetime.now(UTC).timestamp() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        incident.change(status="acknowledged", pending_actions=[{"type": "unacknowledge", "at": until}])
        return as_json({"incident": incident.data}, 201)

    async def notes(self, request: Request) -> Response:
        incident = self._api.one(self._account.incidents, request)
        return as_json({"notes": self._account.notes.get(incident.data["id"], [])})

    async def add_note(self, request: Request) -> Response:
        user, incident = self._user_of(self._sender(request)), self._api.one(self._account.incidents, request)
        content = (await _object(request, "note")).get("content")
        if not content:
            raise invalid("Content can't be blank.")
        note = {"id": new_id("N"), "user": user, "channel": {"summary": "The PagerDuty website or APIs"}}
        note |= {"content": content, "created_at": now()}
        self._account.notes.setdefault(incident.data["id"], []).append(note)
        return as_json({"note": note})

    async def log_entries(self, request: Request) -> Response:
        named = "id" in request.path_params
        incident = self._api.one(self._account.incidents, request).data["id"] if named else None
        return self._api.page(request, "log_entries", self._account.find_log_entries(request.query_params, incident))

    async def log_entry(self, request: Request) -> Response:
        entry = self._api.one(self._account.log_entries, request).data
        return as_json({"log_entry": self._api.shown(request, entry)})

    async def add_responders(self, request: Request) -> Response:
        incident, asked = self._api.one(self._account.incidents, request), await body_of(request)
        targets = asked.get("responder_request_targets")
        requester = self._account.users.get(str(asked.get("requester_id")))
        if requester is None or not isinstance(targets, list) or not targets:
            raise invalid("Requester or targets are missing.")
        users = [self._account.users.get(_id_of(one.get("responder_request_target"))) for one in targets]
        if None in users:
            raise Refusal(404, 2100, "Not Found")
        references = [reference(one.data, "user_reference") for one in users if one]
        wanted = [{"responder_request_target": {**one, "incidents_responders": []}} for one in references]
        answer: dict[str, Any] = {"incident": reference(incident.data, "incident_reference"), "requested_at": now()}
        answer |= {"requester": reference(requester.data, "user_reference"), "message": asked.get("message", "")}
        answer["responder_request_targets"] = wanted
        return as_json({"responder_request": answer})

    async def send_status_update(self, request: Request) -> Response:
        user, asked = self._user_of(self._sender(request)), await body_of(request)
        self._api.one(self._account.incidents, request)
        if not asked.get("message"):
            raise invalid("Message can't be blank.")
        update = {"id": new_id("S"), "message": asked["message"], "created_at": now(), "sender": user}
        update |= {name: asked[name] for name in ("subject", "html_message") if asked.get(name)}
        return as_json({"status_update": update})

    async def past_incidents(self, request: Request) -> Response:
        incident = self._api.one(self._account.incidents, request).data
        found = [
            {"incident": {name: one.data[name] for name in ("id", "created_at", "self", "title")}, "score": 40}
            for one in self._account.incidents.values()
            if one.data["id"] != incident["id"] and one.data["service"]["id"] == incident["service"]["id"]
        ]
        limit = int(request.query_params.get("limit", "5"))
        return as_json({"past_incidents": found[:limit], "total": len(found), "limit": limit})

    async def related_incidents(self, request: Request) -> Response:
        incident = self._api.one(self._account.incidents, request).data
        others = [one.data for one in self._account.incidents.values() if one.data["status"] != "resolved"]
        found = [
            {
                "incident": {name: one[name] for name in ("id", "created_at", "self", "title", "service")},
                "relationships": [{"type": "service_dependency", "metadata": {}}],
            }
            for one in others
            if one["service"]["id"] != incident["service"]["id"]
        ]
        return as_json({"related_incidents": found})

    async def start_workflow(self, request: Request) -> Response:
        asked = await _object(request, "incident_workflow_instance")
        incident = self._account.incidents.get(_id_of(asked.get("incident")))
        if incident is None or request.path_params["id"] not in self._account.workflows:
            raise Refusal(404, 2100, "Not Found")
        made: dict[str, Any] = {"id": new_id("W"), "type": "incident_workflow_instance", "summary": "Workflow instance"}
        made |= {"self": None, "html_url": None, "incident": reference(incident.data, "incident_reference")}
        return as_json({"incident_workflow_instance": made}, 201)

    def _sender(self, request: Request) -> str:
        return self._api.sender(request)

    def _user_of(self, email: str) -> dict[str, Any]:
        return self._account.referred(email)


def _assignments(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"at": now(), "assignee": one.get("assignee")} for one in asked.get("assignments", [])]


async def _object(request: Request, name: str) -> dict[str, Any]:
    found = (await body_of(request)).get(name)
    if not isinstance(found, dict):
        raise invalid(f"{name.capitalize()} is missing.")
    return found


def _id_of(thing: Any) -> str:
    return str(thing.get("id")) if isinstance(thing, dict) else ""
