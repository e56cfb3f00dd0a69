"""The commands beyond the specification's ten: each works against the stand-in, and keeps to PagerDuty's documents."""

from typing import Any

import pytest

from connector_host.model.result import Result, Status
from tests.plugins.judge import judged, present, recorded
from tests.world import Sandbox, World, pagerduty_sandbox

RANGE = {"since": "2035-01-01T00:00:00Z", "until": "2035-02-01T00:00:00Z"}
# The documents beside this project leave these operations out.
NOT_IN_THE_DOCUMENTS = {"/past_incidents", "/related_incidents", "/instances"}
SET_UP = ("/services", "/escalation_policies", "/teams", "/schedules", "/contact_methods", "/notification_rules")


def passed(result: Result) -> Any:
    assert result.status is Status.PASSED, result.errors
    return result.raw_data


def work(world: World) -> dict[str, Any]:
    """A day's work with every command beyond the ten; the raw data of each, by command."""
    did: dict[str, Any] = {}

    def run(command: str, **inputs: Any) -> Any:
        did[command] = passed(world.run(command, inputs))
        return did[command]

    services = [one["id"] for one in run("list_services")["services"]]
    users = [one["id"] for one in passed(world.run("list_users"))["users"]]
    schedule = passed(world.run("get_all_schedules"))["schedules"][0]["id"]
    policy = run("list_escalation_policies", query="Database")["escalation_policies"][0]["id"]
    priority = run("list_priorities")["priorities"][0]["id"]
    run("list_teams")
    run("get_service", service_ids=services)
    incident = run(
        "create_incident",
        title="Disk full",
        service_id=services[0],
        urgency="High",
        priority_id=priority,
        details="sda1",
        incident_key="disk",
    )["incident"]["id"]
    other = passed(
        world.run("create_incident", {"title": "Disk fuller", "service_id": services[0], "assignee_ids": users[:1]})
    )["incident"]["id"]
    run("get_incident", incident_ids=[incident])
    run("find_incident", dedup_key="disk", statuses=["Triggered"])
    run("update_incident", incident_id=incident, status="acknowledged", title="Disk is full")
    run("acknowledge_incidents", incident_ids=[incident])
    run("reassign_incident", incident_id=incident, to="Escalation Policy", escalation_policy_id=policy)
    passed(world.run("reassign_incident", {"incident_id": incident, "assignee_ids": users[:2]}))
    run("snooze_incident", incident_id=incident, seconds=60)
    run("add_incident_note", incident_id=incident, content="Two lines\nof it")
    run("list_incident_notes", incident_id=incident)
    run("add_responders", incident_id=incident, requester_id=users[0], message="Help", user_ids=users[1:3])
    run("send_status_update", incident_id=incident, message="We are on it", subject="Disk")
    run("list_incident_log_entries", incident_id=incident, overview_only=True)
    run("list_log_entries", **RANGE)
    run("list_past_incidents", incident_id=incident)
    run("list_similar_incidents", incident_id=incident)
    run("start_incident_workflow", workflow_id="PWORKFLOW", incident_id=incident)
    run("merge_incidents", incident_id=incident, source_incident_ids=[other])
    user = run("create_user", name="Ada", email="ada@example.com", role="limited_user", job_title="Analyst")["user"][
        "id"
    ]
    run("update_user", user_id=user, name="Ada L.", email="ada@example.com", time_zone="Europe/London")
    run("get_user", user_ids=[user])
    run("list_notification_rules", user_ids=[user], urgency="high")
    run("delete_user", user_ids=[user])
    run("list_on_calls", schedule_ids=[schedule], user_ids=users[:1], earliest=True)
    run("list_users_on_call", schedule_id=schedule, **RANGE)
    run("get_schedule", schedule_id=schedule, **RANGE)
    run(
        "create_schedule_override",
        schedule_id=schedule,
        user_id=users[0],
        start_time="2035-01-10 00:00",
        end_time="2035-01-11 00:00",
    )
    run("list_schedule_overrides", schedule_id=schedule, **RANGE)
    run(
        "create_maintenance_window",
        service_ids=services,
        start_time="2022-01-10 00:00",
        end_time="2022-01-10 03:00",
        description="Disks",
    )
    set_up_and_tear_down(run, users)
    run("list_maintenance_windows", query="disks", service_ids=services[:1], filter="all")
    run(
        "send_change_event",
        summary="Deployed 4.2",
        custom_details={"build": "220"},
        links=[{"href": "https://ci.example.com"}],
    )
    return did  # fmt: skip


def set_up_and_tear_down(run: Any, users: list[str]) -> None:
    """Make one of each that administrators make, and remove it."""
    run("list_incidents", statuses=["triggered"], urgencies=["high"], all_times=True, limit=2)
    schedule = run("create_schedule", name="Nights", time_zone="UTC", start_time="2022-01-10 00:00", user_ids=users[:2])
    schedule = schedule["schedule"]["id"]
    policy = run("create_escalation_policy", name="Night Escalation", target_ids=[schedule])["escalation_policy"]["id"]
    team = run("create_team", name="Night Team", description="Awake")["team"]["id"]
    service = run("create_service", name="Night Mail", escalation_policy_id=policy)["service"]["id"]
    reach = {"type": "sms_contact_method", "address": "5550100", "country_code": 1, "label": "Pager"}
    method = run("create_contact_method", user_id=users[0], **reach)["contact_method"]["id"]
    told = {"contact_method_id": method, "contact_method_type": "sms_contact_method", "urgency": "low"}
    rule = run("create_notification_rule", user_id=users[0], **told)["notification_rule"]["id"]
    run("delete_notification_rule", user_id=users[0], notification_rule_ids=[rule])
    run("delete_contact_method", user_id=users[0], contact_method_ids=[method])
    run("delete_service", service_ids=[service])
    run("delete_team", team_ids=[team])
    run("delete_escalation_policy", escalation_policy_ids=[policy])
    run("delete_schedule", schedule_ids=[schedule])


def test_all_of_them_work(prod: World, sandbox: Sandbox) -> None:
    from connector_host.app import App

    did = work(prod)
    manifest = App().plugins.plugin("pagerduty")
    assert set(did) == set(list(manifest.commands)[10:])
    assert did["get_incident"][0]["priority"]["id"] == "PP1"
    [found] = did["find_incident"]["incidents"]
    assert (found["incident_key"], found["urgency"], found["priority"]["id"]) == ("disk", "high", "PP1")
    assert did["update_incident"]["incident"]["title"] == "Disk is full"
    assert [one["content"] for one in did["list_incident_notes"]["notes"]] == ["Two lines\nof it"]
    assert (
        did["get_user"][0] | {"name": "Ada L.", "time_zone": "Europe/London", "job_title": "Analyst"}
        == did["get_user"][0]
    )
    assert [one["id"] for one in did["list_schedule_overrides"]["overrides"]] == [
        did["create_schedule_override"][0]["override"]["id"]
    ]
    assert (
        did["list_maintenance_windows"]["maintenance_windows"][0]["id"]
        == did["create_maintenance_window"]["maintenance_window"]["id"]
    )
    assert sandbox.account.changes[0]["payload"] == {"summary": "Deployed 4.2", "custom_details": {"build": "220"}}
    assert {rule["urgency"] for rule in did["list_notification_rules"]["notification_rules"]} == {"high"}


@present
def test_all_of_them_keep_to_pagerdutys_published_documents(world: World) -> None:
    with recorded() as (base, exchanges):
        world.add(base)
        work(world)
    places, left_out = set(), set()
    for exchange in exchanges:
        try:
            places.add(judged(exchange))
        except LookupError as error:
            left_out.add("/" + str(error).strip("'").rpartition("/")[2])
        except Exception as error:
            if "not found for" in str(error) and any(one in exchange.scope["path"] for one in SET_UP):
                continue
            if any(exchange.scope["path"].endswith(one) for one in NOT_IN_THE_DOCUMENTS):
                left_out.add("/" + exchange.scope["path"].rpartition("/")[2])
            else:
                raise AssertionError(
                    f"{exchange.scope['method']} {exchange.scope['path']}: {error} {error.__cause__}"
                ) from error
    assert left_out == NOT_IN_THE_DOCUMENTS
    assert len(places) >= 34


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("get_incident", {"incident_ids": ["QNONE"]}, "Get Incident failed. Status Code: 2100. Message: Incident Not Found."),
    ("create_incident", {"title": "x", "service_id": "PNONE"}, "Create Incident failed. Status Code: 2001. Message: Invalid Input Provided."),
    ("snooze_incident", {"incident_id": "QNONE"}, "Snooze Incident failed. Status Code: 2100. Message: Not Found."),
    ("reassign_incident", {"incident_id": "Q1"}, "Message: The value for parameter (Assignee IDs) is invalid. It is required where To is users, and missing."),
    ("reassign_incident", {"incident_id": "Q1", "assignee_ids": ["P"], "escalation_policy_id": "P"}, "Message: The value for parameter (Escalation Policy ID) is invalid. It is only there where To is escalation_policy."),
    ("create_user", {"name": "x", "email": "x"}, "Message: The value for parameter (Email) is invalid."),
    ("update_incident", {"incident_id": "Q1", "from": "nobody"}, "Message: The value for parameter (From) is invalid. It must be an email address."),
    ("delete_user", {"user_ids": ["PNONE"]}, "Delete User failed. Status Code: 2100. Message: User ID not found."),
    ("start_incident_workflow", {"workflow_id": "W", "incident_id": "Q"}, "Status Code: 2100. Message: Not Found."),
]  # fmt: skip


@pytest.mark.parametrize(("command", "inputs", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refusals(prod: World, command: str, inputs: dict[str, Any], words: str) -> None:
    result = prod.run(command, inputs)
    assert result.status is Status.FAILED
    assert words in str(result.errors[0])


def test_acknowledging_many_tells_which_failed(prod: World) -> None:
    ids = prod.run("fetch_incident", {"start_time": "2020-01-01 00:00", "end_time": "2020-01-02 00:00"})
    assert ids.status is Status.PASSED
    known = [one["id"] for one in prod.run("find_incident", {"dedup_key": "seed-0"}).raw_data["incidents"]]
    result = prod.run("acknowledge_incidents", {"incident_ids": [*known, "QNONE"]})
    assert result.status is Status.PARTIAL
    assert [(entry.item, entry.message) for entry in result.errors] == [("QNONE", "Incident Not Found.")]
    assert result.raw_data["incidents"][0]["status"] == "acknowledged"


def test_a_change_event_needs_the_integration_key(world: World) -> None:
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base, secrets={"integration_key": None})
        result = world.run("send_change_event", {"summary": "x"})
    assert "The connection has none, and Send Change Event needs one." in str(result.errors[0])


def test_options_come_from_the_service(prod: World) -> None:
    async def choices(host: Any) -> Any:
        return await host.choices("pagerduty", "create_incident", "service_id", "prod")

    found: list[Any] = prod.use(choices)
    assert [one.label for one in found] == ["Database", "Checkout"]
