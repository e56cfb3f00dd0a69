"""Fills a stand-in account with believable users, schedules, services and incidents."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .account import Account, Stored
from .objects import alert_of, incident_of, new_id, reference

FIRST = ("Earline", "Kyler", "Priya", "Tomasz", "Aisha", "Mateo", "Ingrid", "Kenji", "Zola", "Declan")
LAST = ("Greenholt", "Kuhn", "Raman", "Nowak", "Diallo", "Alvarez", "Lindqvist", "Sato", "Mbeki", "Byrne")
ROLES = ("admin", "user", "limited_user", "observer")
ZONES = ("America/Lima", "Asia/Hong_Kong", "Europe/Warsaw", "UTC")
TROUBLES = (
    ("DISK at 99% on machine prod-datapipe03.example.com", "critical", "high"),
    ("Latency of the checkout service above 1500 ms", "warning", "low"),
    ("Database replica lag above 300 s", "error", "high"),
    ("Certificate of www.example.com expires in 7 days", "info", "low"),
)
BARE = 1400  # bytes of an incident without a body
STEP = timedelta(minutes=7)


def populate(account: Account, *, users: int, incidents: int, incident_bytes: int, v3_schedules: bool) -> None:
    """Fill an empty account; the newest incident is a few minutes old."""
    people = list(_users(users))
    for user, contact_methods in people:
        settle(account, user, contact_methods)
    schedules = [
        _schedule(name, [user for user, _ in people[:2]]) for name in ("Daily Engineering Rotation", "Weekend Cover")
    ]
    account.schedules |= {schedule["id"]: Stored(schedule) for schedule in schedules}
    for name in ("Database", "Checkout"):
        service, policy = _service(name, schedules[0])
        account.services[service["id"]] = Stored(service)
        account.policies[policy["id"]] = Stored(policy)
    for name in ("Engineering", "Support"):
        account.teams[f"P{name.upper()}"] = _named("team", "teams", name)
    for name in ("P1", "P2"):
        account.priorities[f"P{name}"] = _named("priority", "priorities", name)
    if v3_schedules:
        summary = "Night Shift"
        one = {
            "id": "PSHIFT1",
            "type": "schedule_v3_reference",
            "summary": summary,
            **links("schedules", "PSHIFT1"),
        }
        account.v3_schedules["PSHIFT1"] = Stored(one)
    _incidents(account, incidents, incident_bytes)


def settle(account: Account, user: dict[str, Any], contact_methods: list[dict[str, Any]]) -> None:
    """Add a user who is notified at once, by the first of the contact methods."""
    account.add_user(user, contact_methods)
    for rule in _rules(user["id"], contact_methods[0]):
        account.rules[rule["id"]] = Stored(rule, user["id"])


def mail_method(user_id: str, email: str) -> dict[str, Any]:
    """Return the contact method that each user has."""
    whose = {"id": f"C{user_id}", "type": "email_contact_method", "label": "Work", "address": email}
    return {**whose, "send_short_email": False, "summary": "Work", "self": None, "html_url": None}


def _users(count: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for number in range(count):
        first, last = FIRST[number % 10], LAST[number // 10 % 10 if number >= 10 else number % 10]
        suffix = "" if number < 10 else str(number)
        email = f"{first}.{last}{suffix}@example.com".lower()
        user_id = f"PU{number:05d}"
        user = {
            "id": user_id,
            "type": "user",
            "summary": f"{first} {last}",
            **links("users", user_id),
            "name": f"{first} {last}",
            "email": email,
            "time_zone": ZONES[number % 4],
            "color": "green",
            "role": ROLES[number % 4],
            "avatar_url": f"https://acme.pagerduty.com/avatars/{user_id}.png",
            "description": None,
            "invitation_sent": False,
            "created_via_sso": number % 2 == 0,
            "job_title": "Engineer",
            "teams": [],
            "contact_methods": [{"id": f"C{user_id}", "type": "email_contact_method_reference", "summary": "Work"}],
            "notification_rules": [],
        }
        yield user, _contact_methods(user_id, email, number)


def _contact_methods(user_id: str, email: str, number: int) -> list[dict[str, Any]]:
    phone = {
        "id": f"D{user_id}",
        "type": "phone_contact_method",
        "label": "Mobile",
        "address": f"5550{number:06d}",
        "country_code": 1,
    }
    return [mail_method(user_id, email), {**phone, "summary": "Mobile", "self": None, "html_url": None}]


def _rules(user_id: str, method: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for urgency in ("high", "low"):
        rule_id = f"R{user_id}{urgency}"
        yield {
            "id": rule_id,
            "type": "assignment_notification_rule",
            "summary": f"0 minutes: {method['summary']}",
            "self": f"https://api.pagerduty.com/users/{user_id}/notification_rules/{rule_id}",
            "html_url": None,
            "start_delay_in_minutes": 0,
            "urgency": urgency,
            "contact_method": reference(method, f"{method['type']}_reference"),
        }


def _named(kind: str, place: str, name: str) -> Stored:
    thing_id = f"P{name.upper()}"
    one = {"id": thing_id, "type": kind, "summary": name, **links(place, thing_id)}
    return Stored({**one, "name": name, "description": f"{name} of Acme"})


def _service(name: str, schedule: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a service and its escalation policy, whose first level is a schedule."""
    service_id, policy_id = new_id("P"), new_id("P")
    rule = {"id": new_id("P"), "escalation_delay_in_minutes": 30}
    rule |= {"targets": [reference(schedule, "schedule_reference")]}
    policy = {
        "id": policy_id,
        "type": "escalation_policy",
        "summary": f"{name} Escalation",
        **links("escalation_policies", policy_id),
        "name": f"{name} Escalation",
        "description": f"Who helps with {name}",
        "num_loops": 0,
        "escalation_rules": [rule],
        "services": [],
        "teams": [],
    }
    service = {
        "id": service_id,
        "type": "service",
        "summary": name,
        **links("service-directory", service_id),
        "name": name,
        "status": "active",
        "description": f"The {name.lower()} service",
        "escalation_policy": reference(policy, "escalation_policy_reference"),
        "teams": [],
        "integrations": [],
    }
    return service, policy


def _schedule(name: str, users: list[dict[str, Any]]) -> dict[str, Any]:
    schedule_id = new_id("P")
    return {
        "id": schedule_id,
        "type": "schedule",
        "summary": name,
        **links("schedules", schedule_id),
        "name": name,
        "time_zone": "UTC",
        "description": f"{name} of the engineering team",
        "escalation_policies": [],
        "users": [reference(user, "user_reference") for user in users],
        "teams": [],
    }


def _incidents(account: Account, count: int, size: int) -> None:
    services = [stored.data for stored in account.services.values()]
    newest = datetime.now(UTC) - timedelta(minutes=3)
    step = min(STEP, timedelta(days=25) / max(count, 1))
    for number in range(count):
        title, severity, urgency = TROUBLES[number % 4]
        created_at = (newest - step * (count - 1 - number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        incident = incident_of(
            f"Q{number:013d}",
            number + 1,
            title,
            f"seed-{number}",
            created_at,
            services[number % len(services)],
        )
        incident["urgency"] = urgency
        if size:
            incident["body"] = {"type": "incident_body", "details": _details(number, max(0, size - BARE))}
        payload = {
            "summary": title,
            "severity": severity,
            "source": "prod-datapipe03.example.com",
            "custom_details": {"load avg": 0.75, "number": number},
        }
        alerts = [
            alert_of(f"A{number:012d}{index}", incident, payload, f"seed-{number}-{index}")
            for index in range(1 + number % 3)
        ]
        incident["alert_counts"] = {"all": len(alerts), "triggered": len(alerts), "resolved": 0}
        account.add_incident(incident, alerts)


_LINE = (
    '08:15:{:02d} ERROR [worker-{}] gateway \u2014 "charge" refused, order {}\n'
    "\tat C:\\svc\\pay\\gateway.py, line 212\r\n"
)


def _details(number: int, size: int) -> str:
    """Return a text as monitoring tools send it: line feeds, quotes, backslashes."""
    text = "".join(_LINE.format(line % 60, number % 16, number + line) for line in range(size // 80 + 1))
    return text[:size]


def links(kind: str, thing_id: str) -> dict[str, str]:
    """Return the URLs of an object."""
    return {
        "self": f"https://api.pagerduty.com/{kind}/{thing_id}",
        "html_url": f"https://acme.pagerduty.com/{kind}/{thing_id}",
    }
