"""The PagerDuty commands whose logic is real; the others are declared in the manifest."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from connector_host import AsyncCall, InvocationError, Item, Page, command

from .capabilities import capability, fault_of_events_server, rights
from .changes import changed
from .changing_events import change_event
from .creating import created, referred
from .events import Event, present, send, send_change, triggered, with_details
from .incidents import newest_first, ordered, ranges_of
from .integration_keys import integration_keys
from .schedules import both_kinds
from .search import query_of, time_ranges
from .shapes import list_in


@command
async def acknowledge_event(
    call: AsyncCall,
    dedup_key: str,
    verify: bool,
    verify_seconds: int,
    integration_key_name: str | None = None,
) -> AsyncIterator[Item]:
    """Acknowledge the alert of a dedup key."""
    event = Event("acknowledge", dedup_key, integration_key_name)
    async for item in change_event(call, event, verify_seconds if verify else 0):
        yield item


@command
async def resolve_event(
    call: AsyncCall,
    dedup_key: str,
    verify: bool,
    verify_seconds: int,
    integration_key_name: str | None = None,
) -> AsyncIterator[Item]:
    """Resolve the alert of a dedup key."""
    event = Event("resolve", dedup_key, integration_key_name)
    async for item in change_event(call, event, verify_seconds if verify else 0):
        yield item


@command
async def create_event(
    call: AsyncCall,
    summary: str,
    severity: str,
    source: str,
    component: str | None = None,
    group: str | None = None,
    class_: str | None = None,
    custom_details: Mapping[str, Any] | str | None = None,
    dedup_key: str | None = None,
    timestamp: str | None = None,
    client: str | None = None,
    client_url: str | None = None,
    links: list[Any] | None = None,
    images: list[Any] | None = None,
    integration_key_name: str | None = None,
) -> AsyncIterator[Item]:
    """Trigger an event; its dedup key is chosen before the first attempt, so that a retry opens no second alert.

    Whatever becomes of it, the result names the key: a repeat with it is the same event.
    """
    payload = {
        "summary": summary,
        "severity": severity.lower(),
        "source": source,
        "component": component,
        "group": group,
        "class": class_,
        "custom_details": custom_details,
        "timestamp": timestamp,
    }
    extras = {"client": client, "client_url": client_url, "links": links, "images": images}
    yield await triggered(call, Event.trigger(dedup_key, integration_key_name, payload, extras))


@command
async def send_change_event(
    call: AsyncCall,
    summary: str,
    source: str | None = None,
    timestamp: str | None = None,
    custom_details: Mapping[str, Any] | None = None,
    links: list[Any] | None = None,
    integration_key_name: str | None = None,
) -> Any:
    """Record a change with the service of an integration key; of several keys one is named, or the single one is it."""
    given = {"summary": summary, "source": source, "timestamp": timestamp, "custom_details": custom_details}
    return await send_change(call, integration_key_name, {"payload": with_details(given), **present({"links": links})})


@command
async def create_incident(
    call: AsyncCall,
    title: str,
    service_id: str,
    urgency: str | None = None,
    details: str | None = None,
    incident_key: str | None = None,
    priority_id: str | None = None,
    escalation_policy_id: str | None = None,
    assignee_ids: list[str] | None = None,
    conference_number: str | None = None,
    conference_url: str | None = None,
    from_: str | None = None,
) -> Any:
    """Open an incident, once."""
    given = {
        "title": title,
        "service": referred(service_id, "service"),
        "urgency": urgency,
        "body": details and {"type": "incident_body", "details": details},
        "incident_key": incident_key,
        "priority": referred(priority_id, "priority"),
        "escalation_policy": referred(escalation_policy_id, "escalation_policy"),
        "assignments": [{"assignee": referred(one, "user")} for one in assignee_ids or ()],
        "conference_bridge": {"conference_number": conference_number, "conference_url": conference_url},
    }
    return await created(call, given, from_)


@command
async def fetch_incident(
    call: AsyncCall,
    start_time: str,
    end_time: str,
    top_recent_incident_number: int,
    search_condition: Mapping[str, Any] | str | None = None,
) -> AsyncIterator[Page]:
    """Read the newest incidents of a time range, beyond PagerDuty's 10,000 too, by moving the range's end."""
    ranges = time_ranges(start_time, end_time, call.zones)
    query, nothing_can_match = query_of(search_condition)
    for sentence in nothing_can_match.notes:
        call.note(sentence)
    if nothing_can_match.all:
        call.stopped(None, complete=True)
        yield Page([])
        return
    async for page in newest_first(call, query, ranges, top_recent_incident_number, []):
        yield page


@command
async def list_incidents(
    call: AsyncCall,
    all_times: bool,
    sort_by: str,
    statuses: list[str] | None = None,
    urgencies: list[str] | None = None,
    service_ids: list[str] | None = None,
    team_ids: list[str] | None = None,
    user_ids: list[str] | None = None,
    incident_key: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    include: list[str] | None = None,
) -> AsyncIterator[Page]:
    """List incidents; those of another order than by time are read whole, and ordered here."""
    query: dict[str, Any] = {"statuses[]": statuses, "urgencies[]": urgencies, "incident_key": incident_key}
    query |= {"service_ids[]": service_ids, "team_ids[]": team_ids, "user_ids[]": user_ids, "include[]": include}
    ranges = await ranges_of(call, query, since, until, all_times=all_times)
    if sort_by == "created_at:desc":
        async for page in newest_first(call, query, ranges, limit, []):
            yield page
        return
    cut: list[str] = []
    found = [one async for page in newest_first(call, query, ranges, None, cut) for one in page.records]
    if limit is not None and len(found) > limit:
        words = f"The first {limit} of {len(found)} were asked for."
        call.stopped(" ".join([*dict.fromkeys(cut), words]), complete=False, limited=not cut)
    yield Page(ordered(found, sort_by)[:limit])


@command
async def get_all_schedules(call: AsyncCall, query: str | None = None) -> AsyncIterator[Page]:
    """Read both kinds of schedules; an account without the newer kind is told so in a note."""
    async for page in both_kinds(call, query):
        yield page


@command
async def resolve_incidents(call: AsyncCall, incident_ids: list[str], from_: str | None = None) -> AsyncIterator[Item]:
    """Resolve many in few requests and answer for each."""
    async for item in changed(call, incident_ids, "resolved", from_):
        yield item


@command
async def acknowledge_incidents(
    call: AsyncCall, incident_ids: list[str], from_: str | None = None
) -> AsyncIterator[Item]:
    """Acknowledge many in few requests and answer for each."""
    async for item in changed(call, incident_ids, "acknowledged", from_):
        yield item


@command
async def test_connection(call: AsyncCall, probe_integration_keys: bool, probe_rights: bool) -> AsyncIterator[Item]:
    """Check the REST key and, where asked, each integration key and the rights; report on each."""
    region = call.connection.get("region", "US")
    abilities = list_in(await call.request("GET", "/abilities"), "abilities")
    yield Item(
        "REST API key",
        capability("REST API key", "accepted", f"The account has {len(abilities)} abilities."),
    )
    yield Item(
        "Region",
        capability("Region", "accepted", f"The key belongs to {call.connection['server_url']} ({region})."),
    )
    keys = integration_keys(call)
    if not keys:
        needless = "The connection has no integration key that needs it."
        yield Item("Events server", capability("Events server", "not checked", needless))
    elif fault := await fault_of_events_server(call):
        yield Item("Events server", fault)
    async for item in _checked_keys(call, keys, probe_integration_keys):
        yield item
    if probe_rights:
        async for item in rights(call):
            yield item
    else:
        advice = "Use Probe Rights to see which of them the key may run."
        yield Item("Commands", capability("Commands", "known at first use", advice, probe="probe_rights"))


async def _checked_keys(call: AsyncCall, keys: Iterable[str], probe: bool) -> AsyncIterator[Item]:
    for name in keys:
        what = f"Integration key '{name}'"
        if not probe:
            advice = "The events server is there; use Probe Integration Keys to check the key."
            yield Item(what, capability(what, "not checked", advice, probe="probe_integration_keys"))
            continue
        try:
            await send(call, Event.probe(name))
        except InvocationError as error:
            yield Item(what, error)
        else:
            told = "A resolve of a random dedup key was accepted, without effect."
            yield Item(what, capability(what, "accepted", told, grants=["integration_key"]))
