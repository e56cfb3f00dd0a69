"""The state of a stand-in account: users, schedules, services, incidents and their alerts."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

DEFAULT_RANGE = timedelta(days=30)
SELECTING = ("statuses[]", "urgencies[]", "incident_key", "since", "until", "date_range", "sort_by")
ACTIONS = {"acknowledge": "acknowledged", "resolve": "resolved"}


class Query(Protocol):
    """The query of a request: single and repeated keys."""

    def get(self, key: str, /) -> str | None: ...
    def getlist(self, key: str, /) -> Sequence[str]: ...


class Stored:
    """One object, with its JSON text kept until it changes."""

    __slots__ = ("_json", "data")

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        """The object as JSON."""
        if self._json is None:
            self._json = json.dumps(self.data, separators=(",", ":")).encode()
        return self._json

    def change(self, **fields: Any) -> None:
        """Set fields."""
        self.data.update(fields)
        self._json = None


class Account:
    def __init__(self) -> None:
        self.users: dict[str, Stored] = {}
        self.emails: set[str] = set()
        self.contact_methods: dict[str, list[dict[str, Any]]] = {}
        self.schedules: dict[str, Stored] = {}
        self.v3_schedules: dict[str, Stored] = {}
        self.services: dict[str, Stored] = {}
        self.incidents: dict[str, Stored] = {}
        self.alerts: dict[str, list[Stored]] = {}
        self.open_alerts: dict[tuple[str, str], Stored] = {}
        self.policies: dict[str, Stored] = {}
        self.teams: dict[str, Stored] = {}
        self.priorities: dict[str, Stored] = {}
        self.windows: dict[str, Stored] = {}
        self.workflows = {"PWORKFLOW"}
        self.overrides: dict[str, list[dict[str, Any]]] = {}
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.log_entries: list[Stored] = []
        self.events: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self._found: tuple[Any, list[Stored]] | None = None

    def add_user(self, user: dict[str, Any], contact_methods: list[dict[str, Any]]) -> None:
        """Keep a user."""
        self.users[user["id"]] = Stored(user)
        self.emails.add(user["email"].casefold())
        self.contact_methods[user["id"]] = contact_methods

    def add_incident(self, incident: dict[str, Any], alerts: Iterable[dict[str, Any]]) -> Stored:
        """Keep an incident and its alerts."""
        self._found = None
        stored = self.incidents[incident["id"]] = Stored(incident)
        self.alerts[incident["id"]] = [Stored(alert) for alert in alerts]
        return stored

    def find_incidents(self, query: Query) -> list[Stored]:
        """Return the incidents a GET /incidents asks for; the answer is kept for the pages that follow."""
        asked = tuple((key, tuple(query.getlist(key))) for key in SELECTING)
        if self._found is None or self._found[0] != asked:
            self._found = asked, self._select(query)
        return self._found[1]

    def _select(self, query: Query) -> list[Stored]:
        statuses, urgencies = set(query.getlist("statuses[]")), set(query.getlist("urgencies[]"))
        key = query.get("incident_key")
        since, until = _range(query)
        found = [
            stored
            for stored in self.incidents.values()
            if (not statuses or stored.data["status"] in statuses)
            and (not urgencies or stored.data["urgency"] in urgencies)
            and (key is None or stored.data["incident_key"] == key)
            and since <= stored.data["created_at"] < until
        ]
        sort = query.get("sort_by") or "created_at:asc"
        return sorted(found, key=lambda stored: str(stored.data["created_at"]), reverse=sort.endswith(":desc"))

    def change_incidents(self, changes: Sequence[Mapping[str, Any]], sender: str) -> list[Stored] | str:
        """Change all, or none and the first id that is not there."""
        for change in changes:
            if change["id"] not in self.incidents:
                return str(change["id"])
        return [self._change(self.incidents[change["id"]], str(change["status"]), sender) for change in changes]

    def _change(self, incident: Stored, status: str, sender: str) -> Stored:
        self._found = None
        moment = now()
        changed_by = {"id": sender, "type": "user_reference", "summary": sender}
        resolved = {"resolved_at": moment, "assignments": []} if status == "resolved" else {}
        incident.change(
            status=status,
            last_status_change_at=moment,
            updated_at=moment,
            last_status_change_by=changed_by,
            **resolved,
        )
        if status == "resolved":
            for alert in self.alerts.get(incident.data["id"], []):
                alert.change(status="resolved")
            self._close_alerts(incident.data["id"])
            count = len(self.alerts.get(incident.data["id"], []))
            incident.change(alert_counts={"all": count, "triggered": 0, "resolved": count})
        return incident

    def _close_alerts(self, incident_id: str) -> None:
        for place in [
            place for place, alert in self.open_alerts.items() if alert.data["incident"]["id"] == incident_id
        ]:
            del self.open_alerts[place]

    def take(self, event: dict[str, Any]) -> None:
        """Handle an event: a trigger opens or updates an alert, the others change an open one or are dropped."""
        self.events.append(event)
        place = (event["routing_key"], event["dedup_key"])
        alert = self.open_alerts.get(place)
        if event["event_action"] == "trigger":
            if alert is None:
                self._open(place, event)
            else:
                alert.change(summary=event["payload"]["summary"])
        elif alert is not None:
            self._change(self.incidents[alert.data["incident"]["id"]], ACTIONS[event["event_action"]], "Events API")

    def _open(self, place: tuple[str, str], event: dict[str, Any]) -> None:
        payload, moment = event["payload"], now()
        incident_id, alert_id = new_id("Q"), new_id("A")
        service = next(iter(self.services.values())).data
        incident = incident_of(
            incident_id, len(self.incidents) + 1, payload["summary"], event["dedup_key"], moment, service
        )
        alert = alert_of(alert_id, incident, payload, event["dedup_key"])
        self.add_incident(incident, [alert])
        self.open_alerts[place] = self.alerts[incident_id][0]


def incident_of(
    incident_id: str, number: int, title: str, key: str, created_at: str, service: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a triggered incident with one alert."""
    return {
        "id": incident_id,
        "type": "incident",
        "summary": f"[#{number}] {title}",
        "self": f"https://api.pagerduty.com/incidents/{incident_id}",
        "html_url": f"https://acme.pagerduty.com/incidents/{incident_id}",
        "incident_number": number,
        "title": title,
        "description": title,
        "created_at": created_at,
        "updated_at": created_at,
        "status": "triggered",
        "incident_key": key,
        "service": reference(service, "service_reference"),
        "assignments": [],
        "assigned_via": "escalation_policy",
        "last_status_change_at": created_at,
        "resolved_at": None,
        "alert_counts": {"all": 1, "triggered": 1, "resolved": 0},
        "is_mergeable": True,
        "escalation_policy": service["escalation_policy"],
        "teams": [],
        "pending_actions": [],
        "acknowledgements": [],
        "priority": None,
        "urgency": "high",
    }


def alert_of(alert_id: str, incident: Mapping[str, Any], payload: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the alert of an incident."""
    return {
        "id": alert_id,
        "type": "alert",
        "summary": payload["summary"],
        "self": f"https://api.pagerduty.com/incidents/{incident['id']}/alerts/{alert_id}",
        "html_url": f"https://acme.pagerduty.com/alerts/{alert_id}",
        "created_at": incident["created_at"],
        "status": "triggered",
        "alert_key": key,
        "service": incident["service"],
        "body": {"type": "alert_body", "contexts": [], "details": payload.get("custom_details") or {}},
        "incident": {"id": incident["id"], "type": "incident_reference", "summary": incident["summary"]},
        "suppressed": False,
        "severity": payload["severity"],
        "integration": {
            "id": "PINTEGR",
            "type": "events_api_v2_inbound_integration_reference",
            "summary": "Events API V2",
        },
    }


def reference(thing: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a reference to an object."""
    return {
        "id": thing["id"],
        "type": kind,
        "summary": thing["summary"],
        "self": thing["self"],
        "html_url": thing["html_url"],
    }


def new_id(letter: str) -> str:
    """Return an id in PagerDuty's style."""
    return letter + uuid.uuid4().hex[:13].upper()


def now() -> str:
    """Return the time as PagerDuty writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _range(query: Query) -> tuple[str, str]:
    """Return the time range as text that compares like created_at; a month back unless told otherwise."""
    if query.get("date_range") == "all":
        return "", "9999"
    until = _moment(query.get("until")) or datetime.now(UTC) + timedelta(seconds=1)
    since = _moment(query.get("since")) or until - DEFAULT_RANGE
    return since.strftime("%Y-%m-%dT%H:%M:%SZ"), until.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
