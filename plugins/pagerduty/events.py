"""Events API v2: which integration key an event goes through, how it is sent and how its effect is seen."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_host import AsyncCall, Failed, InvalidInput, url

from .shapes import json_object, list_in

ONLY = "default"
POLLS = (0.25, 0.5, 1.0, 2.0)
STATUS_AFTER = {"acknowledge": "acknowledged", "resolve": "resolved"}
NOT_FOUND = {"acknowledge": "Incident ID Not Found.", "resolve": "Not Found."}


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its action, the alert it is about, the integration key it names, and what else it carries."""

    action: str
    dedup_key: str
    key_name: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def trigger(
        cls,
        dedup_key: str | None,
        key_name: str | None,
        payload: Mapping[str, Any],
        extras: Mapping[str, Any],
    ) -> "Event":
        """Return a trigger; a dedup key is chosen now, so that a repeat after a time-out is the same event."""
        details = payload.get("custom_details")
        if isinstance(details, str):
            details = json_object("Custom Details", details, '{"ping time": "1500ms"}')
        present = {name: value for name, value in {**payload, "custom_details": details}.items() if value is not None}
        rest = {"payload": present, **{name: value for name, value in extras.items() if value is not None}}
        return cls("trigger", dedup_key or str(uuid.uuid4()), key_name, rest)

    @classmethod
    def probe(cls, key_name: str) -> "Event":
        """Return a resolve of an alert that nobody has: a wrong key answers 400, a right one drops it."""
        return cls("resolve", f"connector-host-probe-{uuid.uuid4()}", key_name)


def integration_keys(call: AsyncCall) -> dict[str, str]:
    """Return the connection's integration keys by name; the single one is called `default`."""
    keys = dict(call.connection.get("integration_keys") or {})
    only = call.connection.get("integration_key")
    return {ONLY: only, **keys} if only else keys


def routing_key(call: AsyncCall, event: Event) -> str:
    """Return the key an event goes through: the one it names, else the one its dedup key falls to.

    By rendezvous hashing: trigger, acknowledge and resolve of one dedup key always take the same key, and a key
    added or removed moves only the events that fall to it.
    """
    keys = integration_keys(call)
    if not keys:
        raise InvalidInput(
            "Integration Key",
            "The connection has none.",
            "Add one: connector-host connections edit NAME --secret integration_key=-",
        )
    if event.key_name is not None:
        if event.key_name not in keys:
            raise InvalidInput("Integration Key Name", f"The connection has: {', '.join(sorted(keys))}.")
        return keys[event.key_name]
    return keys[
        max(
            keys,
            key=lambda name: hashlib.sha256(f"{name}\0{event.dedup_key}".encode("utf-8", "replace")).digest(),
        )
    ]


async def send(call: AsyncCall, event: Event) -> dict[str, Any]:
    """Send the event; the dedup key makes a repeat harmless. The answer always names the dedup key."""
    body = {
        "routing_key": routing_key(call, event),
        "event_action": event.action,
        "dedup_key": event.dedup_key,
        **event.rest,
    }
    path = url("/{}/enqueue", call.connection.get("api_version", "v2"))
    answer = await call.request("POST", path, server="events", json=body, idempotent=True)
    return {"dedup_key": event.dedup_key, **(answer if isinstance(answer, dict) else {})}


async def confirmed(call: AsyncCall, event: Event, seconds: int) -> Failed | None:
    """Poll the incidents of the dedup key until the effect is seen; None, or why it was not seen in time."""
    wanted = STATUS_AFTER[event.action]
    waited, turn = 0.0, 0
    while (status := await _status(call, event.dedup_key)) != wanted:
        if waited >= seconds:
            return _not_confirmed(event, status, seconds)
        pause = min(POLLS[min(turn, len(POLLS) - 1)], seconds - waited)
        await call.sleep(pause)
        waited, turn = waited + pause, turn + 1
    return None


async def _status(call: AsyncCall, dedup_key: str) -> str | None:
    """Status of the newest incident with that key, or None where there is none."""
    query = {"incident_key": dedup_key, "date_range": "all", "sort_by": "created_at:desc", "limit": 1}
    answer = await call.request("GET", "/incidents", query=query)
    newest = next(iter(list_in(answer, "incidents")), None)
    return str(newest.get("status")) if isinstance(newest, dict) else None


def _not_confirmed(event: Event, status: str | None, seconds: int) -> Failed:
    if status is None:
        return Failed(
            NOT_FOUND[event.action],
            kind="not_found",
            detail=f"The event was accepted, not confirmed: in {seconds} seconds no incident with this key was seen.",
            assistance="Check the dedup key, and that it was triggered through the same integration key.",
        )
    return Failed(
        f"The event was accepted, not confirmed: after {seconds} seconds the incident is {status}.",
        kind="not_confirmed",
        assistance="Look again later; PagerDuty handles events in its own time.",
    )
