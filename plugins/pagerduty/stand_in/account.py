"""The state of a stand-in account: users, schedules, services, incidents and their alerts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from .objects import alert_of, incident_of, log_entry_of, new_id, now, reference

DEFAULT_RANGE = timedelta(days=30)
SELECTING = ["statuses[]", "urgencies[]", "service_ids[]", "team_ids[]", "user_ids[]"]
SELECTING += ["incident_key", "since", "until", "date_range", "sort_by"]
ACTIONS = {"acknowledge": "acknowledged", "resolve": "resolved"}


class Query(Protocol):
    """The query of a request: single and repeated keys."""

    def get(self, key: str, /) -> str | None: ...
    def getlist(self, key: str, /) -> Sequence[str]: ...


class Stored:
    """One object, and the user whose it is; its JSON text is kept until it changes."""

    __slots__ = ("_json", "data", "owner")

    def __init__(self, data: dict[str, Any], owner: str = "") -> None:
        self.data = data
        self.owner = owner
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
        self.contact_methods: dict[str, Stored] = {}
        self.rules: dict[str, Stored] = {}
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
        self.log_entries: dict[str, Stored] = {}
        self.events: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self._keys: dict[str, str] = {}  # services by their integration keys
        self._found: tuple[Any, list[Stored]] | None = None

    def add_user(self, user: dict[str, Any], contact_methods: Iterable[dict[str, Any]]) -> None:
        """Keep a user."""
        self.users[user["id"]] = Stored(user)
        self.emails.add(user["email"].casefold())
        for method in contact_methods:
            self.contact_methods[method["id"]] = Stored(method, user["id"])

    def add_incident(
        self, incident: dict[str, Any], alerts: Iterable[dict[str, Any]], agent: Mapping[str, Any] | None = None
    ) -> Stored:
        """Keep an incident that was triggered, by its service or by who is named, and its alerts."""
        self._found = None
        if not incident["assignments"]:
            on_call = self.on_call(incident["escalation_policy"]["id"])
            incident["assignments"] = [{"at": incident["created_at"], "assignee": user} for user in on_call[:1]]
        stored = self.incidents[incident["id"]] = Stored(incident)
        self.alerts[incident["id"]] = [Stored(alert) for alert in alerts]
        entry = self.log(stored, "trigger", agent or incident["service"], incident["created_at"])
        incident["first_trigger_log_entry"] = reference(entry, "trigger_log_entry_reference")
        return stored

    def on_call(self, policy_id: str) -> list[dict[str, Any]]:
        """Return references to the users whom the first level of an escalation policy names."""
        policy = self.policies.get(policy_id)
        rules = policy.data["escalation_rules"] if policy else []
        users: list[dict[str, Any]] = []
        for target in rules[0]["targets"] if rules else []:
            schedule = self.schedules.get(target["id"])
            users += schedule.data["users"] if schedule else [target]
        return users

    def log(self, incident: Stored, kind: str, agent: Mapping[str, Any], at: str | None = None) -> dict[str, Any]:
        """Write into an incident's log."""
        entry = log_entry_of(incident.data, kind, agent, at or now())
        self.log_entries[entry["id"]] = Stored(entry)
        return entry

    def find_log_entries(self, query: Query, incident: str | None) -> list[Stored]:
        """Return the entries of a time range, newest first; those of one incident alone where it is named."""
        since, until = _range(query) if incident is None else ("", "9999")
        found = [
            one
            for one in self.log_entries.values()
            if since <= one.data["created_at"] < until and incident in (None, one.data["incident"]["id"])
        ]
        return sorted(found, key=lambda one: str(one.data["created_at"]), reverse=True)

    def thing(self, thing_id: str) -> dict[str, Any] | None:
        """Return whatever has an id."""
        places = (self.users, self.services, self.policies, self.teams, self.priorities, self.schedules)
        for place in (*places, self.incidents, self.log_entries, self.contact_methods, self.rules):
            if thing_id in place:
                return place[thing_id].data
        return None

    def referred(self, email: str) -> dict[str, Any]:
        """Return a reference to the user of an email address."""
        user = next(one.data for one in self.users.values() if one.data["email"].casefold() == email.casefold())
        return reference(user, "user_reference")

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
            and (key is None or self._has_key(stored, key))
            and _concerns(stored.data, query)
            and since <= stored.data["created_at"] < until
        ]
        field, _, way = (query.get("sort_by") or "created_at:asc").partition(",")[0].partition(":")
        return sorted(found, key=lambda stored: stored.data.get(field) or "", reverse=way == "desc")

    def _has_key(self, incident: Stored, key: str) -> bool:
        """Whether an incident, or an alert of it, has a key."""
        alerts = self.alerts.get(incident.data["id"], [])
        return incident.data["incident_key"] == key or any(alert.data["alert_key"] == key for alert in alerts)

    def change_incidents(self, changes: Sequence[Mapping[str, Any]], sender: str) -> list[Stored] | str:
        """Change all, or none and the first id that is not there."""
        for change in changes:
            if change["id"] not in self.incidents:
                return str(change["id"])
        return [self._change(self.incidents[change["id"]], str(change["status"]), sender) for change in changes]

    def _change(self, incident: Stored, status: str, sender: str) -> Stored:
        self._found = None
        moment = now()
        known = sender.casefold() in self.emails
        changed_by = self.referred(sender) if known else {"id": sender, "type": "user_reference", "summary": sender}
        self.log(incident, status.removesuffix("d"), changed_by)
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
            self._change_by_event(alert, ACTIONS[event["event_action"]])

    def _change_by_event(self, alert: Stored, status: str) -> None:
        """Acknowledge an alert's incident, or resolve the alert: the incident with the last of its alerts."""
        incident = self.incidents[alert.data["incident"]["id"]]
        if status == "resolved":
            self._found = None
            alert.change(status="resolved")
            self.open_alerts = {place: one for place, one in self.open_alerts.items() if one is not alert}
        alerts = self.alerts[incident.data["id"]]
        if status != "resolved" or all(one.data["status"] == "resolved" for one in alerts):
            self._change(incident, status, "Events API")

    def _service_of(self, routing_key: str) -> dict[str, Any]:
        """Return the service of an integration key: each new one is the next service's."""
        names = list(self.services)
        name = self._keys.setdefault(routing_key, names[len(self._keys) % len(names)])
        return self.services[name].data

    def _open(self, place: tuple[str, str], event: dict[str, Any]) -> None:
        payload, moment = event["payload"], now()
        incident_id, alert_id = new_id("Q"), new_id("A")
        service = self._service_of(event["routing_key"])
        incident = incident_of(
            incident_id, len(self.incidents) + 1, payload["summary"], event["dedup_key"], moment, service
        )
        alert = alert_of(alert_id, incident, payload, event["dedup_key"])
        self.add_incident(incident, [alert])
        self.open_alerts[place] = self.alerts[incident_id][0]


def _concerns(incident: Mapping[str, Any], query: Query) -> bool:
    """Whether an incident is of the services, teams and users that are asked for, where any are."""
    ids = {
        "service_ids[]": [incident["service"]],
        "team_ids[]": incident["teams"],
        "user_ids[]": [one["assignee"] for one in incident["assignments"]],
    }
    asked = {name: set(query.getlist(name)) for name in ids}
    return all(not wanted or wanted & {one["id"] for one in ids[name]} for name, wanted in asked.items())


def of_user(place: Mapping[str, Stored], user_id: str) -> list[dict[str, Any]]:
    """Return a user's contact methods, or notification rules."""
    return [one.data for one in place.values() if one.owner == user_id]


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
