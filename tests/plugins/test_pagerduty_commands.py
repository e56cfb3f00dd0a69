"""The ten commands, each against the stand-in over real HTTP."""

import datetime as dt
import json
from typing import Any

import pytest

from connector_host.model.result import Status
from tests.world import INTEGRATION_KEY, Sandbox, World, http, pagerduty_sandbox, raw_server

NOW = dt.datetime.now(dt.UTC)
RANGE = {
    "start_time": (NOW - dt.timedelta(days=60)).isoformat(),
    "end_time": (NOW + dt.timedelta(days=1)).isoformat(),
}
EVENT = {"summary": "Disk full", "severity": "Critical", "source": "db1"}


def test_create_event_opens_an_incident_with_an_alert(prod: World, sandbox: Sandbox) -> None:
    details = {"ping time": "1500ms", "load avg": 0.75}
    more = {"component": "Postgres", "group": "db", "class": "Deploy", "custom_details": details}
    result = prod.run("create_event", {**EVENT, **more, "timestamp": "2026-01-31 08:00"})
    assert result.status is Status.PASSED
    [event] = sandbox.account.events
    assert event["routing_key"] == INTEGRATION_KEY
    assert event["dedup_key"] == result.raw_data["dedup_key"] == result.key_fields["DedupKey"][0]
    assert event["payload"] == {
        "summary": "Disk full",
        "severity": "critical",
        "source": "db1",
        "component": "Postgres",
        "group": "db",
        "class": "Deploy",
        "custom_details": details,
        "timestamp": "2026-01-31T08:00:00Z",
    }
    assert any(stored.data["title"] == "Disk full" for stored in sandbox.account.incidents.values())


def test_create_event_takes_custom_details_as_json_text(prod: World, sandbox: Sandbox) -> None:
    prod.run("create_event", {**EVENT, "custom_details": '{"load avg":0.75}'})
    assert sandbox.account.events[0]["payload"]["custom_details"] == {"load avg": 0.75}


def test_a_retried_event_opens_one_incident_only(prod: World, sandbox: Sandbox) -> None:
    before = len(sandbox.account.incidents)
    sandbox.faults.status, sandbox.faults.left = 500, 2
    result = prod.run("create_event", EVENT)
    assert result.status is Status.PASSED
    assert len(sandbox.requests) == 3
    assert len(sandbox.account.incidents) == before + 1


def test_a_repeat_with_the_same_dedup_key_updates_the_alert(prod: World, sandbox: Sandbox) -> None:
    before = len(sandbox.account.incidents)
    for summary in ("first", "second"):
        assert prod.run("create_event", {**EVENT, "summary": summary, "dedup_key": "k"}).status is Status.PASSED
    assert len(sandbox.account.incidents) == before + 1


def test_an_event_over_512_kb_is_not_sent(prod: World, sandbox: Sandbox) -> None:
    result = prod.run("create_event", {**EVENT, "custom_details": {"x": "y" * 600_000}})
    assert result.status is Status.FAILED
    assert "524288" in result.errors[0].message
    assert sandbox.requests == []


@pytest.mark.parametrize(("command", "status"), [("acknowledge_event", "acknowledged"), ("resolve_event", "resolved")])
def test_changing_an_event_is_verified_where_asked(prod: World, sandbox: Sandbox, command: str, status: str) -> None:
    key = prod.run("create_event", EVENT).raw_data["dedup_key"]
    result = prod.run(command, {"dedup_key": key, "verify": True})
    assert (result.status, result.raw_data["confirmed"]) == (Status.PASSED, True)
    [incident] = [stored for stored in sandbox.account.incidents.values() if stored.data["incident_key"] == key]
    assert incident.data["status"] == status


def test_acknowledge_event_acknowledges(prod: World, sandbox: Sandbox) -> None:
    prod.run("acknowledge_event", {"dedup_key": "k"})
    assert sandbox.account.events[0]["event_action"] == "acknowledge"


def test_an_unverified_change_says_accepted_only(prod: World) -> None:
    result = prod.run("resolve_event", {"dedup_key": "nobody-has-this"})
    assert result.status is Status.PASSED
    assert "accepted the event" in result.notes[0]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("acknowledge_event", "Acknowledge Event failed. Status Code: 2100. Message: Incident ID Not Found."),
        ("resolve_event", "Resolve Event failed. Status Code: 2100. Message: Not Found."),
    ],
)
def test_an_alert_that_is_not_there_is_not_found(prod: World, command: str, sentence: str) -> None:
    result = prod.run(command, {"dedup_key": "nobody-has-this", "verify": True, "verify_seconds": 2})
    assert result.status is Status.FAILED
    assert result.raw_data["confirmed"] is False
    assert result.effect == "done"
    assert str(result.errors[0]).startswith(sentence)
    assert "accepted, not confirmed" in result.errors[0].detail


def test_an_effect_that_came_late_is_not_confirmed(prod: World, sandbox: Sandbox) -> None:
    key = prod.run("create_event", EVENT).raw_data["dedup_key"]
    sandbox.account.open_alerts.clear()  # PagerDuty has not handled the event yet
    result = prod.run("acknowledge_event", {"dedup_key": key, "verify": True, "verify_seconds": 1})
    assert result.status is Status.PARTIAL
    assert "accepted, not confirmed: after 1 seconds the alert is triggered" in result.errors[0].message


def test_several_integration_keys_share_the_events_by_dedup_key(world: World, sandbox: Sandbox) -> None:
    keys = {"alpha": "a" * 32, "beta": "b" * 32, "gamma": "c" * 32}
    world.add(sandbox.base, secrets={"integration_key": None, "integration_keys": keys})
    for number in range(30):
        for command, more in (("create_event", EVENT), ("acknowledge_event", {}), ("resolve_event", {})):
            assert world.run(command, {**more, "dedup_key": f"k{number}"}).status is Status.PASSED
    by_dedup_key: dict[str, set[str]] = {}
    for event in sandbox.account.events:
        by_dedup_key.setdefault(event["dedup_key"], set()).add(event["routing_key"])
    assert all(len(used) == 1 for used in by_dedup_key.values())
    assert {key for used in by_dedup_key.values() for key in used} == set(keys.values())


def test_an_event_may_name_its_integration_key(world: World, sandbox: Sandbox) -> None:
    world.add(sandbox.base, secrets={"integration_keys": {"beta": "b" * 32}})
    assert world.run("create_event", {**EVENT, "integration_key_name": "beta"}).status is Status.PASSED
    assert sandbox.account.events[0]["routing_key"] == "b" * 32
    refused = world.run("create_event", {**EVENT, "integration_key_name": "delta"})
    assert str(refused.errors[0]).startswith(
        "Create Event failed. Status Code: 2001. Message: The value for parameter (Integration Key Name) is invalid."
    )


def test_events_without_an_integration_key_say_what_to_do(world: World, sandbox: Sandbox) -> None:
    world.add(sandbox.base, secrets={"integration_key": None})
    result = world.run("create_event", EVENT)
    assert "(Integration Key) is invalid" in result.errors[0].message
    assert "--secret integration_key" in result.errors[0].assistance


def test_fetch_incident_gives_the_newest_first_and_maps_them(prod: World) -> None:
    result = prod.run("fetch_incident", RANGE)
    incidents = result.raw_data["incidents"]
    assert result.status is Status.PASSED
    assert [one["created_at"] for one in incidents] == sorted((one["created_at"] for one in incidents), reverse=True)
    assert result.intake is not None
    event, incident = result.intake["events"][0], incidents[0]
    assert event == {
        "Unique Event Key": incident["id"],
        "Start Time": incident["created_at"],
        "Event Type": "incident",
        "Description": incident["description"],
        "Status": incident["status"],
        "Urgency": incident["urgency"],
        "Priority": None,
        "Title": incident["title"],
        "IncidentNumber": incident["incident_number"],
        "IncidentKey": incident["incident_key"],
        "AlertCounts": incident["alert_counts"]["all"],
    }
    assert result.intake["incidents"][0]["Severity"] == "Low"


def test_fetch_incident_returns_twenty_unless_told_otherwise(world: World) -> None:
    with pagerduty_sandbox(incidents=30) as sandbox:
        world.add(sandbox.base)
        result = world.run("fetch_incident", RANGE)
        assert (result.status, len(result.raw_data["incidents"])) == (Status.PASSED, 20)
        assert result.completeness is not None
        assert (result.completeness.complete, result.completeness.limited) == (False, True)
        assert "there are older ones" in (result.completeness.stopped_because or "")
        five = world.run("fetch_incident", {**RANGE, "top_recent_incident_number": 5})
        assert five.raw_data["incidents"] == result.raw_data["incidents"][:5]
        exactly = world.run("fetch_incident", {**RANGE, "top_recent_incident_number": 30})
        assert exactly.completeness is not None
        assert exactly.completeness.stopped_because is None


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_fetch_incident_sends_what_the_search_condition_says(prod: World, sandbox: Sandbox, form: Any) -> None:
    condition = {"include[]": "first_trigger_log_entries,acknowledges", "time_zone": "UTC", "urgencies": ["high"]}
    result = prod.run("fetch_incident", {**RANGE, "search_condition": form(condition)})
    assert result.status is Status.PASSED
    [request] = sandbox.requests
    for part in ("include%5B%5D=first_trigger_log_entries", "include%5B%5D=acknowledgers", "urgencies%5B%5D=high"):
        assert part in request
    assert all(one["urgency"] == "high" for one in result.raw_data["incidents"])


def test_the_urgency_suppressed_matches_nothing_and_says_so(prod: World, sandbox: Sandbox) -> None:
    result = prod.run("fetch_incident", {**RANGE, "search_condition": {"urgencies[]": "suppressed"}})
    assert (result.status, result.raw_data) == (Status.PASSED, {"incidents": []})
    assert "suppressed" in result.notes[0]
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"urgency[]": "high"}, "unknown key 'urgency[]'"),
        ({"urgencies[]": "enormous"}, "does not allow 'enormous'"),
        ({"statuses[]": "open"}, "does not allow 'open'"),
        ({"include[]": "everything"}, "does not allow 'everything'"),
        ({"include[]": []}, "must be text or a list"),
        ({"time_zone": "Mars/Olympus"}, "not a time zone"),
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
    ],
)
def test_search_condition_is_checked_key_by_key(prod: World, sandbox: Sandbox, condition: Any, reason: str) -> None:
    result = prod.run("fetch_incident", {**RANGE, "search_condition": condition})
    assert str(result.errors[0]).startswith(
        "Fetch Incident failed. Status Code: 2001. Message: The value for parameter (Search Condition) is invalid."
    )
    assert reason in result.errors[0].detail
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("start", "end", "parameter"),
    [
        ("2026-01-10 00:00", "2026-01-10 00:00", "End Time"),
        ("2026-01-10 00:00", "2026-07-10 00:01", "Start Time"),
        ("yesterday", "2026-07-10 00:01", "Start Time"),
        ("2026-01-10 00:00", "2026-02-30 00:00", "End Time"),
    ],
)
def test_fetch_incident_checks_the_time_range(
    prod: World, sandbox: Sandbox, start: str, end: str, parameter: str
) -> None:
    result = prod.run("fetch_incident", {"start_time": start, "end_time": end})
    assert result.errors[0].message == f"The value for parameter ({parameter}) is invalid."
    assert sandbox.requests == []


def test_six_months_are_six_months(prod: World) -> None:
    assert prod.run("fetch_incident", {"start_time": "2025-08-31 00:00", "end_time": "2026-02-28 00:00"}).errors == ()


def test_get_all_schedules_lists_both_kinds_where_there_are(world: World) -> None:
    with pagerduty_sandbox(v3_schedules=True) as sandbox:
        world.add(sandbox.base)
        result = world.run("get_all_schedules")
        kinds = [one["type"] for one in result.raw_data["schedules"]]
        assert kinds == ["schedule", "schedule", "schedule_v3_reference"]
        assert (result.status, result.notes) == (Status.PASSED, ())


def test_get_all_schedules_without_the_new_kind_passes_with_a_note(prod: World) -> None:
    result = prod.run("get_all_schedules")
    assert result.status is Status.PASSED
    assert len(result.raw_data["schedules"]) == 2
    assert "404" in result.notes[0]


def test_get_incident_alerts_answers_for_each_incident(prod: World, sandbox: Sandbox) -> None:
    ids = list(sandbox.account.incidents)[:2]
    result = prod.run("get_incident_alerts", {"incident_ids": [ids[0], "QNOBODY", ids[1]]})
    assert result.status is Status.PARTIAL
    assert [one["item"] for one in result.context_data] == ids
    assert result.key_fields["DedupKeys"] == ["seed-0-0", "seed-1-0", "seed-1-1"]
    [entry] = result.errors
    assert (entry.item, entry.http_status) == ("QNOBODY", 404)
    assert str(entry).startswith("Get Incident Alerts failed. Status Code: 2100. Message: Not Found.")


def test_get_user_contact_methods_answers_for_each_user(prod: World) -> None:
    result = prod.run("get_user_contact_methods", {"user_ids": ["PU00001", "PNOBODY"]})
    assert result.status is Status.PARTIAL
    assert [one["address"] for one in result.raw_data["contact_methods"]] == ["kyler.kuhn@example.com", "5550000001"]
    assert str(result.errors[0]).startswith(
        "Get User Contact Methods failed. Status Code: 2100. Message: User ID not found."
    )


def test_list_users_filters(prod: World, sandbox: Sandbox) -> None:
    assert len(prod.run("list_users").raw_data["users"]) == 6
    found = prod.run("list_users", {"query": "Kuhn & söhne"})
    assert found.raw_data == {"users": []}
    assert "query=Kuhn+%26+s%C3%B6hne" in sandbox.requests[-1]
    assert prod.run("list_users", {"query": "kyler"}).key_fields["UserIDs"] == ["PU00001"]


def test_resolve_incidents_answers_for_each(prod: World, sandbox: Sandbox) -> None:
    ids = list(sandbox.account.incidents)
    result = prod.run("resolve_incidents", {"incident_ids": [ids[0], "QNOBODY", ids[1], ids[0]]})
    assert result.status is Status.PARTIAL
    assert result.key_fields["IncidentIDs"] == ids[:2]
    assert {sandbox.account.incidents[one].data["status"] for one in ids[:2]} == {"resolved"}
    assert {alert.data["status"] for alert in sandbox.account.alerts[ids[0]]} == {"resolved"}
    [entry] = result.errors
    assert str(entry).startswith("Resolve Incidents failed. Status Code: 2100. Message: Incident Not Found.")
    assert entry.item == "QNOBODY"


def test_one_bad_id_among_many_costs_few_requests(world: World) -> None:
    with pagerduty_sandbox(incidents=600) as sandbox:
        world.add(sandbox.base)
        ids = list(sandbox.account.incidents)
        result = world.run("resolve_incidents", {"incident_ids": [*ids[:300], "QNOBODY", *ids[300:]]})
        assert len(result.raw_data["incidents"]) == 600
        assert [entry.item for entry in result.errors] == ["QNOBODY"]
        assert len(sandbox.requests) <= 20


def test_resolve_incidents_takes_from_from_the_call_before_the_connection(world: World, sandbox: Sandbox) -> None:
    world.add(sandbox.base, parameters={"default_from": "nobody@example.com"})
    incident = next(iter(sandbox.account.incidents))
    refused = world.run("resolve_incidents", {"incident_ids": [incident, "QNOBODY"]})
    assert {entry.status_code for entry in refused.errors} == {"1008"}
    assert len(sandbox.requests) == 1  # who asks is wrong, not an id: no halving
    result = world.run("resolve_incidents", {"incident_ids": [incident], "from": "kyler.kuhn@example.com"})
    assert result.status is Status.PASSED


def test_resolve_incidents_without_any_from(world: World, sandbox: Sandbox) -> None:
    world.add(sandbox.base, parameters={"default_from": None})
    result = world.run("resolve_incidents", {"incident_ids": ["Q1"]})
    assert result.errors[0].message == "The value for parameter (From) is invalid."
    assert sandbox.requests == []


def test_connection_reports_each_capability(world: World) -> None:
    with pagerduty_sandbox(integration_key=INTEGRATION_KEY) as sandbox:
        world.add(sandbox.base, secrets={"integration_keys": {"wrong": "w" * 31}})
        quick = world.run("test_connection")
        assert quick.status is Status.PASSED
        states = [one["state"] for one in quick.raw_data["capabilities"]]
        assert states == [*["accepted"] * 2, *["not checked"] * 2, "known at first use"]
        assert not [note for note in quick.notes if note.startswith("Commands:")]
        thorough = world.run("test_connection", {"probe_integration_keys": True})
        assert thorough.status is Status.PARTIAL
        assert [entry.item for entry in thorough.errors] == ["Integration key 'wrong'"]
        assert "should be 32 characters" in thorough.errors[0].detail


ACCOUNTS_KEY = "Commands: 23 of 57 may be run; 34 are known at first use."
LOOKING_ON = "Commands: 23 of 57 may be run; 19 may not: Resolve Incidents (incidents.write), Create Incident ("


@pytest.mark.parametrize(
    ("options", "words", "role"),
    [
        ({}, ACCOUNTS_KEY, "which reveals no role"),
        ({"role": "user"}, ACCOUNTS_KEY, "whose rights differ by team and object"),
        ({"role": "admin"}, "Commands: 53 of 57 may be run; 4 are", "Global Admin"),
        ({"role": "read_only_user"}, LOOKING_ON, "Full Stakeholder"),
        ({"role": "admin", "denied": "services"}, "Commands: 20 of 57 may be run; 3 may not: List Services", "Global"),
        (
            {"denied": "services,teams"},
            "19 of 57 may be run; 4 may not: List Services (services.read)",
            "no role",
        ),
    ],
)
def test_which_commands_a_key_may_run_is_told_on_evidence(
    world: World, options: dict[str, str], words: str, role: str
) -> None:
    with pagerduty_sandbox(**options) as sandbox:
        world.add(sandbox.base)
        result = world.run("test_connection", {"probe_rights": True})
        told = {one["capability"]: one for one in result.raw_data["capabilities"]}
        assert (result.status, role in told["Role"]["detail"]) == (Status.PASSED, True)
        [note] = [note for note in result.notes if note.startswith("Commands:")]
        assert words in note, note
        if options.get("role") == "read_only_user":  # and so it is
            refused = world.run("create_incident", {"title": "x", "service_id": "P1"})
            assert refused.errors[0].kind == "access_denied"


def test_what_a_probe_cannot_tell_is_neither_granted_nor_denied(world: World) -> None:
    def answer(status: str, body: bytes) -> bytes:
        return http(status, body, "Content-Type: application/json")

    gone = answer("404 Not Found", b'{"error": {"code": 2100, "message": "Not Found"}}')
    lacking = answer("402 Payment Required", b'{"error": {"code": 2014, "message": "Account lacks the ability."}}')
    abilities = answer("200 OK", b'{"abilities": []}')
    odd = answer("200 OK", b'{"user": []}')
    with raw_server(abilities, gone, lacking, *[gone] * 6, odd) as (base, received):
        world.add(base, secrets={"integration_key": None})
        result = world.run("test_connection", {"probe_rights": True})
    told = {one["capability"]: one for one in result.raw_data["capabilities"]}
    assert (result.status, told["incidents.read"]["state"]) == (Status.PASSED, "not checked")
    assert "Account lacks the ability." in told["users.read"]["detail"]
    assert not [note for note in result.notes if note.startswith("Commands:")]
    assert told["Role"]["state"] == "not checked"
    assert {request.split()[0] for request in received} == {b"GET"}


def test_connection_with_a_wrong_key(world: World) -> None:
    with pagerduty_sandbox(api_key="another") as sandbox:
        world.add(sandbox.base)
        result = world.run("test_connection")
        assert str(result.errors[0]).startswith(
            "Test Connection failed. Failed to check the connector. Status Code: 2006. Message: You shall not pass."
        )
        assert "Region" in result.errors[0].assistance
