"""The stand-in against the real thing's clients and documents, where those are at hand."""

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector_host.model.result import Status
from tests.certificates import write_certificate
from tests.plugins.judge import judged, present, recorded
from tests.plugins.test_pagerduty_commands import RANGE
from tests.world import API_KEY, INTEGRATION_KEY, SENDER, Sandbox, World, pagerduty_sandbox


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Sandbox, ssl.SSLContext]]:
    certificate, key = write_certificate(tmp_path)
    with pagerduty_sandbox(certificate=str(certificate), key=str(key), users=130) as sandbox:
        yield sandbox, ssl.create_default_context(cafile=str(certificate))


def test_pagerdutys_own_rest_client_works_unchanged(secure: tuple[Sandbox, ssl.SSLContext]) -> None:
    import pagerduty

    sandbox, trust = secure
    with pagerduty.RestApiV2Client(API_KEY, default_from=SENDER, base_url=sandbox.base, verify=trust) as client:
        assert len(client.list_all("users")) == 130
        found = client.find("users", "kyler.kuhn@example.com", attribute="email")
        assert found is not None
        assert found["id"] == "PU00001"
        incidents = client.list_all("incidents", params={"date_range": "all"})
        assert [one["type"] for one in incidents] == ["incident"] * 4
        resolved = client.rput(
            "incidents", json=[{"id": incidents[0]["id"], "type": "incident_reference", "status": "resolved"}]
        )
        assert resolved[0]["status"] == "resolved"
        assert client.rget(f"incidents/{incidents[0]['id']}")["status"] == "resolved"
        with pytest.raises(pagerduty.Error):
            client.rget("users/PNOBODY")


def test_pagerdutys_own_rest_client_counts_and_pages_unchanged(secure: tuple[Sandbox, ssl.SSLContext]) -> None:
    import pagerduty

    sandbox, trust = secure
    with pagerduty.RestApiV2Client(API_KEY, default_from=SENDER, base_url=sandbox.base, verify=trust) as client:
        assert client.get_total("users") == 130
        assert client.get_total("incidents", params={"date_range": "all"}) == 4
        assert len(list(client.iter_all("users", page_size=7))) == 130
        until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
        entries = list(client.iter_history("log_entries", until - dt.timedelta(days=30), until))
        assert [one["type"] for one in entries] == ["trigger_log_entry"] * 4
        assert all(one["self"].endswith(f"?incident_id={one['incident']['id']}") for one in entries)
        assert client.rget(f"log_entries/{entries[0]['id']}") == entries[0]
        [alert, *_] = client.list_all(f"incidents/{entries[0]['incident']['id']}/alerts")
        assert client.rget(f"incidents/{entries[0]['incident']['id']}/alerts/{alert['id']}") == alert
        assert (client.find("services", "Database") or {})["name"] == "Database"
        [method, _] = client.rget("users/PU00001/contact_methods")
        assert client.rget(f"users/PU00001/contact_methods/{method['id']}") == method
        made = client.rpost("teams", json={"team": {"type": "team", "name": "Night"}})
        assert (client.find("teams", "Night") or {})["id"] == made["id"]
        client.rdelete(f"teams/{made['id']}")
        assert client.find("teams", "Night") is None


def test_pagerdutys_own_events_client_works_unchanged(secure: tuple[Sandbox, ssl.SSLContext]) -> None:
    import pagerduty

    sandbox, trust = secure
    with pagerduty.EventsApiV2Client(INTEGRATION_KEY, base_url=sandbox.base, verify=trust) as client:
        key = client.trigger("Disk full", "db1", severity="critical", custom_details={"a": 1})
        client.acknowledge(key)
        client.resolve(key)
    [incident] = [one for one in sandbox.account.incidents.values() if one.data["incident_key"] == key]
    assert incident.data["status"] == "resolved"


REFUSED_EVENTS: list[tuple[Any, str]] = [
    ({}, "'routing_key' is missing"),
    ({"routing_key": "k", "event_action": "explode"}, "'event_action'"),
    ({"routing_key": "k", "event_action": "resolve"}, "'dedup_key' is missing"),
    ({"routing_key": "k", "event_action": "trigger"}, "'payload' is missing"),
    (
        {
            "routing_key": "k",
            "event_action": "trigger",
            "payload": {"summary": "s" * 1025, "source": "s", "severity": "info"},
        },
        "'summary' is too long",
    ),
    (
        {"routing_key": "k", "event_action": "trigger", "payload": {"summary": "s", "source": "s", "severity": "Info"}},
        "'payload.severity' is invalid",
    ),
    ([1], "JSON parse error"),
]


@pytest.mark.parametrize(("event", "words"), REFUSED_EVENTS)
def test_the_stand_in_refuses_events_as_pagerduty_does(sandbox: Sandbox, event: Any, words: str) -> None:
    reply = httpx2.post(f"{sandbox.base}/v2/enqueue", json=event)
    assert reply.status_code == 400
    assert words in " ".join(reply.json()["errors"])
    assert sandbox.account.events == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("GET", "/users", {}, None, 401, 2006),
        ("GET", "/users?offset=9990&limit=20", {"Authorization": "Token token=k"}, None, 400, 2002),
        ("GET", "/users?limit=many", {"Authorization": "Bearer k"}, None, 400, 2001),
        ("GET", "/users/me", {"Authorization": "Token token=k"}, None, 400, 2001),
        ("GET", "/users/PNOBODY", {"Authorization": "Token token=k"}, None, 404, 2100),
        ("GET", "/bogus", {"Authorization": "Token token=k"}, None, 404, 2100),
        ("PUT", "/incidents", {"Authorization": "Token token=k"}, {"incidents": []}, 400, 2016),
        (
            "PUT",
            "/incidents",
            {"Authorization": "Token token=k", "From": "nobody@example.com"},
            {"incidents": []},
            400,
            1008,
        ),
        ("PUT", "/incidents", {"Authorization": "Token token=k", "From": SENDER}, [], 400, 2001),
        (
            "PUT",
            "/incidents",
            {"Authorization": "Token token=k", "From": SENDER},
            {"incidents": [{"id": "Q", "status": "odd"}]},
            400,
            2001,
        ),
        (
            "PUT",
            "/incidents",
            {"Authorization": "Token token=k", "From": SENDER},
            {"incidents": [{"id": "Q", "status": "resolved"}] * 251},
            413,
            2001,
        ),
    ],
)
def test_the_stand_in_refuses_requests_as_pagerduty_does(
    sandbox: Sandbox, method: str, path: str, headers: dict[str, str], body: Any, status: int, code: int
) -> None:
    reply = httpx2.request(method, f"{sandbox.base}{path}", headers=headers, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_the_stand_in_limits_the_rate() -> None:
    headers = {"Authorization": "Token token=k"}
    with pagerduty_sandbox(rate_limit=2) as sandbox:
        replies = [httpx2.get(f"{sandbox.base}/abilities", headers=headers) for _ in range(3)]
        other = httpx2.get(f"{sandbox.base}/abilities", headers={"Authorization": "Token token=other"})
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[0].headers["ratelimit-remaining"] == "1"
    assert replies[2].json()["error"]["code"] == 2020
    assert 1 <= int(replies[2].headers["ratelimit-reset"]) <= 61
    assert other.status_code == 200


def test_the_stand_in_is_slow_and_broken_on_request(world: World) -> None:
    import time

    with pagerduty_sandbox(latency=300) as sandbox:
        begun = time.monotonic()
        httpx2.get(f"{sandbox.base}/abilities", headers={"Authorization": "Token token=k"})
        assert time.monotonic() - begun >= 0.3
    with pagerduty_sandbox(garbage=True) as sandbox:
        world.add(sandbox.base)
        assert world.run("list_users").errors[0].message == "The server's answer is not JSON."


WRITTEN = {("GET", "/incidents"), ("PUT", "/incidents"), ("GET", "/incidents/{id}/alerts"), ("GET", "/users"), ("GET", "/users/{id}/contact_methods"), ("GET", "/schedules"), ("GET", "/v3/schedules"), ("GET", "/abilities"), ("POST", "/enqueue")}  # fmt: skip


@present
def test_requests_and_answers_keep_to_pagerdutys_published_documents(world: World) -> None:
    """Run all ten commands; a recorder between plugin and stand-in hands every exchange to the documents' judge."""
    with recorded(v3_schedules=True) as (base, exchanges):
        world.add(base)
        run_all(world)
    assert {judged(exchange) for exchange in exchanges} == WRITTEN


def run_all(world: World) -> None:
    event: dict[str, Any] = {
        "summary": "s",
        "severity": "Info",
        "source": "s",
        "custom_details": {"a": 1},
        "client": "c",
        "client_url": "https://c.example",
    }
    event |= {
        "links": [{"href": "https://l.example"}],
        "images": [{"src": "https://i.example/x.png"}],
        "timestamp": dt.datetime.now(dt.UTC).isoformat(),
    }
    key = world.run("create_event", event).raw_data["dedup_key"]
    condition = {
        "include[]": ["users", "acknowledges"],
        "statuses[]": "triggered",
        "urgencies[]": ["high", "low"],
        "time_zone": "UTC",
    }
    fetched = world.run("fetch_incident", {**RANGE, "search_condition": condition})
    ids = fetched.key_fields["IncidentIDs"]
    results = [
        world.run("acknowledge_event", {"dedup_key": key, "verify": True}),
        world.run("resolve_event", {"dedup_key": key, "verify": True}),
        world.run("get_all_schedules"),
        world.run("get_incident_alerts", {"incident_ids": ids}),
        world.run(
            "get_user_contact_methods", {"user_ids": world.run("list_users", {"query": "a"}).key_fields["UserIDs"]}
        ),
        world.run("resolve_incidents", {"incident_ids": ids[:2]}),
        world.run("test_connection", {"probe_integration_keys": True}),
    ]
    assert {result.status for result in results} == {Status.PASSED}


def test_the_stand_in_shows_whole_what_is_included(sandbox: Sandbox) -> None:
    def get(path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Token token={API_KEY}"}
        return httpx2.get(f"{sandbox.base}{path}", params=query, headers=headers).json()

    [plain, *_] = get("/incidents", date_range="all")["incidents"]
    assert plain["first_trigger_log_entry"]["type"] == "trigger_log_entry_reference"
    assert plain["service"]["type"] == "service_reference"
    [whole, *_] = get("/incidents", **{"date_range": "all", "include[]": ["first_trigger_log_entries", "services"]})[
        "incidents"
    ]
    assert (whole["first_trigger_log_entry"]["type"], whole["service"]["status"]) == ("trigger_log_entry", "active")
    assert get(f"/incidents/{plain['id']}", **{"include[]": "assignees"})["incident"]["assignments"][0]["assignee"][
        "email"
    ]
    assert get("/incidents", date_range="all", limit=1)["total"] is None
    assert get("/incidents", date_range="all", limit=1, total="true")["total"] == 4


def test_the_stand_in_has_what_alerts_and_schedules_have(sandbox: Sandbox, prod: World) -> None:
    details = {"disk": "sda1"}
    event = {"summary": "Full", "severity": "critical", "source": "db1", "component": "disk", "custom_details": details}
    key = prod.run("create_event", event).raw_data["dedup_key"]
    [incident] = prod.run("find_incident", {"dedup_key": key}).raw_data["incidents"]
    assert incident["assignments"], "a triggered incident is somebody's"
    [alert] = prod.run("get_incident_alerts", {"incident_ids": [incident["id"]]}).raw_data["alerts"]
    common = alert["body"]["cef_details"]
    assert (common["dedup_key"], common["source_origin"], common["details"]) == (key, "db1", details)
    schedule = prod.run("get_all_schedules").raw_data["schedules"][0]["id"]
    week = {"schedule_id": schedule, "since": "2035-01-08T00:00:00Z", "until": "2035-01-22T00:00:00Z"}

    def turns() -> list[tuple[str, str]]:
        shown = prod.run("get_schedule", week).raw_data["schedule"]["final_schedule"]["rendered_schedule_entries"]
        return [(one["start"][:10], one["user"]["id"]) for one in shown]

    (_, first), (_, second) = turns()
    assert first != second, "users take turns"
    over = {
        "schedule_id": schedule,
        "user_id": "PU00005",
        "start_time": "2035-01-10 00:00",
        "end_time": "2035-01-11 00:00",
    }
    prod.run("create_schedule_override", over)
    assert turns() == [
        *[("2035-01-08", first), ("2035-01-10", "PU00005"), ("2035-01-11", first)],
        ("2035-01-15", second),
    ]


def test_a_routing_key_of_another_length_is_refused(sandbox: Sandbox) -> None:
    event = {"routing_key": "x" * 31, "event_action": "resolve", "dedup_key": "d"}
    answer = httpx2.post(f"{sandbox.base}/v2/enqueue", json=event)
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        ["Length of 'routing_key' is incorrect (should be 32 characters)"],
    )


def test_incidents_are_listed_without_times_and_over_years(prod: World, sandbox: Sandbox) -> None:
    for number, created in enumerate(("2019-03-01", "2021-06-01", "2022-01-01")):
        one = dict(next(iter(sandbox.account.incidents.values())).data)
        one |= {
            "id": f"QOLD{number}",
            "created_at": f"{created}T00:00:00Z",
            "urgency": "low",
            "incident_number": 90 + number,
        }
        sandbox.account.add_incident(one, [])

    def listed(**inputs: Any) -> tuple[list[str], Any]:
        result = prod.run("list_incidents", inputs)
        assert result.status is Status.PASSED, result.errors
        return [one["id"] for one in result.raw_data["incidents"]], result.completeness

    recent, _ = listed()
    assert len(recent) == 4, "those of the last month"
    everything, completeness = listed(all_times=True)
    assert everything == [*recent, "QOLD2", "QOLD1", "QOLD0"]
    assert completeness.complete
    found, completeness = listed(all_times=True, limit=5)
    assert found == everything[:5]
    assert (completeness.complete, completeness.limited) == (False, True)
    assert listed(all_times=True, sort_by="incident_number:desc", limit=2)[0] == ["QOLD2", "QOLD1"]
    assert listed(since="2021-01-01", until="2022-02-01")[0] == ["QOLD2", "QOLD1"]
    assert listed(all_times=True, urgencies=["high"], statuses=["triggered"])[0] == [
        one for one in recent if sandbox.account.incidents[one].data["urgency"] == "high"
    ]
