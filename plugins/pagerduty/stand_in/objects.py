"""The objects of a stand-in account, as PagerDuty writes them."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def incident_of(
    incident_id: str, number: int, title: str, key: str, created_at: str, service: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a triggered incident with one alert, assigned to nobody yet."""
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
        "body": {
            "type": "alert_body",
            "contexts": [],
            "details": payload.get("custom_details") or {},
            "cef_details": _common(payload, key),
        },
        "incident": {"id": incident["id"], "type": "incident_reference", "summary": incident["summary"]},
        "suppressed": False,
        "severity": payload["severity"],
        "integration": {
            "id": "PINTEGR",
            "type": "events_api_v2_inbound_integration_reference",
            "summary": "Events API V2",
        },
    }


def _common(payload: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an event in PagerDuty's common format, as alerts of the Events API v2 carry it."""
    return {
        "contexts": [],
        "dedup_key": key,
        "description": payload["summary"],
        "details": payload.get("custom_details") or {},
        "event_class": payload.get("class"),
        "message": payload["summary"],
        "mutations": [],
        "service_group": payload.get("group"),
        "severity": payload["severity"],
        "source_component": payload.get("component"),
        "source_origin": payload.get("source"),
        "version": "1.0",
    }


def reference(thing: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a reference to an object."""
    return {
        "id": thing["id"],
        "type": kind,
        "summary": thing["summary"],
        "self": thing.get("self"),
        "html_url": thing.get("html_url"),
    }


def new_id(letter: str) -> str:
    """Return an id in PagerDuty's style."""
    return letter + uuid.uuid4().hex[:13].upper()


def now() -> str:
    """Return the time as PagerDuty writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def log_entry_of(incident: Mapping[str, Any], kind: str, agent: Mapping[str, Any], created_at: str) -> dict[str, Any]:
    """Return an entry of an incident's log; `kind` is trigger, acknowledge, resolve and so on."""
    entry_id = new_id("R")
    return {
        "id": entry_id,
        "type": f"{kind}_log_entry",
        "summary": f"{kind.capitalize()}{'d' if kind.endswith('e') else 'ed'} through the API",
        "self": f"https://api.pagerduty.com/log_entries/{entry_id}?incident_id={incident['id']}",
        "html_url": f"{incident['html_url']}/log_entries/{entry_id}",
        "created_at": created_at,
        "agent": agent,
        "channel": {"type": "api"},
        "service": incident["service"],
        "incident": reference(incident, "incident_reference"),
        "teams": incident["teams"],
        "contexts": [],
        "event_details": {},
    }
