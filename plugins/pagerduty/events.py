"""Events API v2: what an event is, and how it is sent; the dedup key makes a repeat harmless."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_host import AsyncCall, Failed, InvalidInput, InvocationError, Item, url

from .integration_keys import ONLY, integration_keys, key_named
from .shapes import json_object


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
        rest = {"payload": with_details(payload), **present(extras)}
        return cls("trigger", dedup_key or str(uuid.uuid4()), key_name, rest)

    @classmethod
    def probe(cls, key_name: str) -> "Event":
        """Return a resolve of an alert that nobody has: a wrong key answers 400, a right one drops it."""
        return cls("resolve", f"connector-host-probe-{uuid.uuid4()}", key_name)


def present(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given, without what is not."""
    return {name: value for name, value in given.items() if value is not None}


def with_details(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload's values that are given, custom details as an object."""
    details = payload.get("custom_details")
    if isinstance(details, str):
        details = json_object("Custom Details", details, '{"ping time": "1500ms"}')
    return present({**payload, "custom_details": details})


async def send(call: AsyncCall, event: Event) -> dict[str, Any]:
    """Send the event through its key. The answer always names the dedup key."""
    _, key = key_named(call, event.key_name, event.dedup_key)
    body = {"routing_key": key, "event_action": event.action, "dedup_key": event.dedup_key, **event.rest}
    path = url("/{}/enqueue", call.connection.get("api_version", "v2"))
    answer = await call.request("POST", path, server="events", json=body, idempotent=True)
    return {"dedup_key": event.dedup_key, **_taken(answer, event.dedup_key)}


def _taken(answer: Any, dedup_key: str | None) -> dict[str, Any]:
    """Return an answer that says that this event was taken; raises Failed for one that does not say so."""
    told = answer if isinstance(answer, dict) else {}
    taken, key = told.get("status") == "success", told.get("dedup_key")
    if not taken or (dedup_key is not None and key not in (None, dedup_key)):
        what = f"is about another alert: {key}" if taken else "does not say that the event was taken"
        raise Failed(
            f"The server's answer {what}.",
            kind="unexpected_reply",
            assistance="Check the Event URL, and look in PagerDuty whether it is there.",
            effect="unknown",
        )
    return present(told)


async def triggered(call: AsyncCall, event: Event) -> Item:
    """Send a trigger; whatever becomes of it, the item names its dedup key: a repeat with it is the same event."""
    key_named(call, event.key_name, event.dedup_key)  # what has no key is refused before there is something to tell
    try:
        return Item(None, await send(call, event))
    except InvocationError as error:
        advice = f"To repeat it safely, give the Dedup Key {event.dedup_key}: an open alert is updated then."
        if error.failure.effect == "unknown":
            error.amended(assistance=advice)
        return Item(event.dedup_key, {"dedup_key": event.dedup_key}, error)


async def send_change(call: AsyncCall, key_name: str | None, change: Mapping[str, Any]) -> Any:
    """Record a change with the service of an integration key; where there are several, one is named or the single."""
    keys = integration_keys(call)
    name = key_name or (ONLY if ONLY in keys or len(keys) != 1 else next(iter(keys)))
    if len(keys) > 1 and name not in keys:
        names = ", ".join(sorted(keys))
        raise InvalidInput("Integration Key Name", f"A change belongs to one service. The connection has: {names}.")
    _, key = key_named(call, name if keys else None, "")
    body = {"routing_key": key, **change}
    return _taken(await call.request("POST", "/v2/change/enqueue", server="events", json=body), None)
