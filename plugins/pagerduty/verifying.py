"""Sees whether an acknowledge or a resolve took effect: by the alert of its dedup key, not by its incident.

`GET /incidents?incident_key=` finds incidents by the keys of their alerts, and one incident may hold several; alerts
have no state but triggered and resolved, so that an acknowledge shows on the incident alone (REST API reference:
listIncidents, listIncidentAlerts).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from connector_host import AsyncCall, Failed, InvocationError, url

from .integration_keys import service_of
from .shapes import list_in, object_of

POLLS = (0.25, 0.5, 1.0, 2.0)
STATUS_AFTER = {"acknowledge": "acknowledged", "resolve": "resolved"}
NOT_FOUND = {"acknowledge": "Incident ID Not Found.", "resolve": "Not Found."}
MOST_INCIDENTS = 4  # whose alerts are looked at: with the list five requests a look
LATER = "Look again later; PagerDuty handles events in its own time."


@dataclass(frozen=True, slots=True)
class SeenAlert:
    """An alert of the dedup key: its service, and the state that an event gives it."""

    alert_id: str
    service: str
    status: str


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a dedup key, and whether that is all there is."""

    alerts: tuple[SeenAlert, ...] = ()
    whole: bool = True

    @property
    def services(self) -> set[str]:
        """The services that hold an alert of the key."""
        return {one.service for one in self.alerts}


async def look(call: AsyncCall, dedup_key: str) -> Look:
    """Look for the alerts of a dedup key, newest incidents first; at most five requests."""
    query = {"incident_key": dedup_key, "date_range": "all", "sort_by": "created_at:desc", "limit": MOST_INCIDENTS + 1}
    listed = list_in(await call.request("GET", "/incidents", query=query), "incidents")
    incidents = [one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), str)]
    found: list[SeenAlert] = []
    for incident in incidents[:MOST_INCIDENTS]:
        path = url("/incidents/{}/alerts", incident["id"])
        alerts = list_in(await call.request("GET", path, query={"alert_key": dedup_key}), "alerts")
        found += _seen(incident, alerts, dedup_key)
    return Look(tuple(found), len(incidents) <= MOST_INCIDENTS)


def _seen(incident: dict[str, Any], alerts: Collection[Any], dedup_key: str) -> Iterator[SeenAlert]:
    for alert in alerts:
        if isinstance(alert, dict) and alert.get("alert_key") == dedup_key:
            service = object_of(alert.get("service")) or object_of(incident.get("service"))
            open_status = incident.get("status") if incident.get("status") != "resolved" else "triggered"
            status = "resolved" if alert.get("status") == "resolved" else str(open_status)
            yield SeenAlert(str(alert.get("id")), str(service.get("id")), status)


class Verification:
    """One change of an alert, from what was there before it to what is seen after."""

    def __init__(self, call: AsyncCall, action: str, dedup_key: str) -> None:
        self._call = call
        self._action = action
        self._key = dedup_key
        self._wanted = STATUS_AFTER[action]
        self._before = Look()

    async def begin(self) -> None:
        """See which alerts the key has before the event; what cannot be seen now may be after it."""
        try:
            self._before = await look(self._call, self._key)
        except InvocationError:
            self._before = Look(whole=False)

    async def outcome(self, key_names: Collection[str], seconds: int) -> Failed | None:
        """Look until the effect is seen, for so many seconds; None, or why it was not seen."""
        services = {service_of(self._call, name) for name in key_names}
        waited, turn = 0.0, 0
        while True:
            seen = await look(self._call, self._key)
            missing = self._judged(seen, services, seconds)
            if missing is None or waited >= seconds:
                return missing
            pause = min(POLLS[min(turn, len(POLLS) - 1)], seconds - waited)
            await self._call.sleep(pause)
            waited, turn = waited + pause, turn + 1

    def _judged(self, seen: Look, services: set[str | None], seconds: int) -> Failed | None:
        named = {one for one in services if one is not None}
        known = named if None not in services else self._before.services or seen.services
        mine = [one for one in seen.alerts if one.service in known]
        if not mine:
            return (
                self._not_there(seconds) if seen.whole else self._not_confirmed("it has too many incidents to look at")
            )
        open_before = {one.alert_id for one in self._before.alerts if one.status != "resolved"}
        asked = [one for one in mine if one.alert_id in open_before] or _newest_each(mine)
        states = sorted({one.status for one in asked})
        if states == [self._wanted]:
            return None
        if self._wanted in states and len(known) > 1:
            advice = "Name the key's service in the connection (Service ID, or Service IDs) to tell them apart."
            which = f"the alerts of this key in {len(known)} services are {' and '.join(states)}"
            return self._not_confirmed(which, advice)
        return self._not_confirmed(f"after {seconds} seconds the alert is {' and '.join(states)}")

    def _not_there(self, seconds: int) -> Failed:
        return Failed(
            NOT_FOUND[self._action],
            kind="not_found",
            detail=f"The event was accepted, not confirmed: in {seconds} seconds no alert with this key was seen.",
            assistance="Check the dedup key, and that it was triggered through the same integration key.",
            effect="done",
        )

    @staticmethod
    def _not_confirmed(why: str, advice: str = LATER) -> Failed:
        return Failed(
            f"The event was accepted, not confirmed: {why}.", kind="not_confirmed", assistance=advice, effect="done"
        )


def _newest_each(alerts: list[SeenAlert]) -> list[SeenAlert]:
    """Return each service's newest alert: incidents come newest first."""
    return list({one.service: one for one in reversed(alerts)}.values())


def not_seen(error: InvocationError) -> Failed:
    """Return what a look is that failed after the event was accepted."""
    failure = error.failure
    return Failed(
        f"The event was accepted; its effect was not seen: {failure.message}",
        kind=failure.kind,
        detail=failure.detail,
        code=failure.code,
        http_status=failure.http_status,
        assistance=failure.assistance or "Look at the incident, or run the command again.",
        effect="done",
    )
