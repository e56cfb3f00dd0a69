"""Creates an incident once, also where an answer is lost: by a key that is chosen before the first attempt."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from connector_host import ApiError, AsyncCall, ConnectionLost, DeadlinePassed, TimedOut, UnexpectedReply

from .shapes import object_of

SERVER_ERROR = 500
LOST = (ApiError, ConnectionLost, TimedOut, UnexpectedReply)  # after which the incident may be there
LOOKS = (1, 2, 4)  # seconds before each look for an incident that a list may show late
SKEW = timedelta(minutes=5)  # between PagerDuty's clock and ours


def referred(thing_id: str | None, kind: str) -> dict[str, str] | None:
    """Return a reference to an object, where one is named."""
    return None if thing_id is None else {"id": thing_id, "type": f"{kind}_reference"}


async def created(call: AsyncCall, given: Mapping[str, Any], sender: str | None) -> Any:
    """Create an incident of what is given; where its answer is lost it is looked for, and was made where it is found.

    PagerDuty refuses a second open incident with the same key on a service, so a request with a key of our own may be
    repeated; one with somebody else's may not: whose the open incident is could not be told then.
    """
    own = given.get("incident_key") is None
    incident = {"type": "incident", **_without_none(given)}
    incident.setdefault("incident_key", f"connector-host-{uuid4()}")
    begun, headers = call.now(), {"From": sender} if sender else None
    try:
        return await call.request("POST", "/incidents", headers=headers, json={"incident": incident}, idempotent=own)
    except LOST as error:
        found = None
        if _may_be_made(error, own=own):
            with suppress(*LOST):  # what is told is why the answer is missing
                found = await _found(call, incident, begun, own=own)
        if found is None:
            raise
    call.settled(happened=True)
    call.note("PagerDuty's answer was lost; the incident was found by its incident key.")
    return {"incident": found}


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is there of what may be given, to any depth; what is empty then is not there."""
    plain = {name: _without_none(value) if isinstance(value, Mapping) else value for name, value in given.items()}
    return {name: value for name, value in plain.items() if value not in (None, {}, [])}


def _may_be_made(error: Exception, *, own: bool) -> bool:
    """Whether the incident may be there: no answer tells, or one refuses the key that our first try alone can have."""
    if isinstance(error, DeadlinePassed):
        return False
    if not isinstance(error, ApiError):
        return True
    key_is_used = "dedup key" in error.failure.detail or "incident_key" in error.failure.detail
    return (error.failure.http_status or 0) >= SERVER_ERROR or (own and key_is_used)


async def _found(call: AsyncCall, incident: Mapping[str, Any], begun: datetime, *, own: bool) -> Any:
    query = {"incident_key": incident["incident_key"], "service_ids[]": [incident["service"]["id"]]}
    for seconds in LOOKS:
        await call.sleep(seconds)
        answer = await call.request("GET", "/incidents", query={**query, "sort_by": "created_at:desc"})
        listed = object_of(answer).get("incidents")
        for one in map(object_of, listed if isinstance(listed, list) else []):
            if (own and one) or (one.get("title") == incident["title"] and _since(one, begun - SKEW)):
                return one
    return None


def _since(incident: Mapping[str, Any], moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(incident.get("created_at"))) >= moment
    except ValueError:
        return False
