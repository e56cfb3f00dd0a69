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
