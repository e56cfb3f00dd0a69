"""Intake over HTTP: the feed, schedules, field mappings; and what happens, as a stream."""

import json
import threading
from typing import Any

import httpx2

from connector_host.model.token import Scope
from tests.plugins.test_pagerduty_commands import RANGE
from tests.web.conftest import Web
from tests.web.conftest import web as web  # noqa: PLC0414 - the fixture

MAPPING = "/api/v1/connections/prod/mappings/fetch_incident"
SCHEDULE = "/api/v1/connections/prod/schedules/fetch-incident"


def taken_in(web: Web) -> None:
    web.world.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod", RANGE))


def test_the_feed_is_read_and_acknowledged(web: Web) -> None:
    taken_in(web)
    client = web.client()
    page = client.get("/api/v1/intake?limit=2").json()
    assert len(page["items"]) == 2
    assert (page["items"][0]["connection"], page["items"][0]["site"]) == ("prod", "hq")
    assert page["items"][0]["mapped"]["incident"]["Title"]
    rest = client.get(f"/api/v1/intake?after={page['next']}&limit=1000").json()
    assert page["items"][1]["unique_key"] not in [one["unique_key"] for one in rest["items"]]
    body = {"reader": "soar", "cursor": rest["next"]}
    assert client.post("/api/v1/intake/acknowledge", json=body).status_code == 204
    assert client.get("/api/v1/intake?reader=soar").json()["items"] == []
    assert web.client("away reader", Scope.READ, user="bob", site="away").get("/api/v1/intake").json()["items"] == []


def test_attack_29_cursors_forged_and_of_others(web: Web) -> None:
    taken_in(web)
    mine = web.client().get("/api/v1/intake?limit=1").json()["next"]
    other = web.client("hq reader", Scope.READ, user="ann", site="hq")
    for cursor in (mine, "AAAA", "1 or 1=1", "-1", mine[:-1]):
        assert other.get("/api/v1/intake", params={"after": cursor}).status_code == 422
    run = web.client().post(
        "/api/v1/invocations", json={"plugin": "pagerduty", "command": "list_users", "connection": "prod"}
    )
    for after in (run.json()["invocation_id"], "x", "'--"):
        assert other.get("/api/v1/invocations", params={"after": after}).status_code == 422
    for query in ("limit=-1", "limit=1e9", "limit=0", "limit=5000", "since=yesterday", "limit=1&limit=2"):
        assert other.get(f"/api/v1/invocations?{query}").status_code == 422, query
        assert query.startswith("since") or other.get(f"/api/v1/intake?{query}").status_code == 422, query


def test_history_is_searched_page_by_page(web: Web) -> None:
    client = web.client()
    for number in range(3):
        client.post(
            "/api/v1/invocations",
            json={
                "plugin": "pagerduty",
                "command": "list_teams",
                "connection": "prod",
                "inputs": {"query": str(number)},
            },
            headers={"X-Request-Id": f"search-{number}"},
        )
    query = "/api/v1/invocations?command=list_teams&connection=prod&limit=2"
    first = client.get(query).json()
    assert [one["request_id"] for one in first["items"]] == ["search-2", "search-1"]
    second = client.get(f"{query}&after={first['next']}").json()
    assert second["items"][0]["request_id"] == "search-0"
    assert client.get("/api/v1/invocations?text=no-such-error").json() == {"items": [], "next": None}


def test_a_schedule_is_put_listed_and_removed(web: Web) -> None:
    client = web.client()
    kept = client.put(SCHEDULE, json={"interval_minutes": 15, "begin": "2026-01-31T08:00:00Z"}).json()
    assert (kept["command"], kept["interval_minutes"], kept["last_run"]) == ("fetch_incident", 15, None)
    assert [one["connection"] for one in client.get("/api/v1/schedules").json()["items"]] == ["prod"]
    for wrong in ({"interval_minutes": 0}, {"interval_minutes": True}, {"nothing": 1}, {"begin": "soon"}):
        assert client.put(SCHEDULE, json=wrong).status_code == 422, wrong
    assert client.delete(SCHEDULE).status_code == 204
    assert client.delete(SCHEDULE).status_code == 404
    assert client.put("/api/v1/connections/prod/schedules/list_users", json={}).status_code == 422


def test_a_mapping_is_changed_tried_and_reset(web: Web) -> None:
    taken_in(web)
    client = web.client()
    found = client.get(MAPPING)
    assert (found.headers["ETag"], found.json()["version"]) == ('"0"', 0)
    tables = {**found.json(), "incident_fields": [{"field": "Service", "source": ".service.summary"}]}
    del tables["version"], tables["own"]
    tried = client.post(f"{MAPPING}/preview", json={"tables": tables}).json()
    assert (tried["incident"][0]["field"], tried["incident"][0]["found"]) == ("Service", tried["samples"])
    assert client.put(MAPPING, json=tables).status_code == 428
    kept = client.put(MAPPING, json=tables, headers={"If-Match": '"0"'})
    assert (kept.status_code, kept.headers["ETag"]) == (200, '"1"')
    assert client.put(MAPPING, json=tables, headers={"If-Match": '"0"'}).status_code == 412
    assert client.delete(MAPPING, headers={"If-Match": '"0"'}).status_code == 412
    assert client.delete(MAPPING, headers={"If-Match": '"1"'}).status_code == 204
    assert (client.get(MAPPING).json()["own"], client.get(MAPPING).json()["version"]) == (False, 2)


def test_what_is_wrong_with_a_mapping_is_told_by_its_place(web: Web) -> None:
    client = web.client()
    wrong: list[tuple[Any, str]] = [
        ({"incident_fields": [{"field": "A", "secret": 1}], "event_sources": []}, "/incident_fields/0/secret"),
        ({"incident_fields": [7], "event_sources": []}, "/incident_fields/0"),
        ({"incident_fields": [{"source": ".a"}], "event_sources": []}, "/incident_fields/0"),
        ({"incident_fields": [], "event_sources": [{"name": 5}]}, "/event_sources/0/name"),
        ({"incident_fields": [], "event_sources": [{"name": "A"}]}, "/event_sources/0"),
        ({"incident_fields": []}, ""),
    ]
    for body, pointer in wrong:
        found = client.put(MAPPING, json=body, headers={"If-Match": '"0"'})
        assert (found.status_code, found.json()["errors"][0]["pointer"]) == (422, pointer), found.text


def test_events_are_streamed_to_whom_they_concern(web: Web) -> None:
    reader = web.client("event reader", Scope.READ, user="cara", site="hq")
    theirs: list[str] = []
    ready = threading.Event()

    def read() -> None:
        with reader.stream("GET", "/api/v1/events?names=connection.changed,invocation.finished") as stream:
            ready.set()
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    theirs.append(json.loads(line[5:])["connection"])
                    return

    thread = threading.Thread(target=read)
    thread.start()
    assert ready.wait(10)
    operator = web.client()
    operator.post("/api/v1/invocations", json={"plugin": "pagerduty", "command": "list_users", "connection": "prod"})
    for name in ("theirs", "prod"):
        etag = operator.get(f"/api/v1/connections/{name}").headers["ETag"]
        change = {"description": f"changed {etag}"}
        assert operator.patch(f"/api/v1/connections/{name}", json=change, headers={"If-Match": etag}).status_code == 200
    thread.join(10)
    assert theirs == ["prod"]  # neither the run of another, nor the connection of another site
    assert operator.get("/api/v1/events?names=nonsense").status_code == 422


def test_attack_31_streams_are_bounded(web: Web) -> None:
    watcher = web.client("watcher", Scope.READ, user="wil", site="hq")
    watcher.timeout = httpx2.Timeout(10)
    opened = []
    for _ in range(20):
        stream = watcher.stream("GET", "/api/v1/events")
        opened.append((stream, stream.__enter__()))
    assert {one.status_code for _, one in opened} == {200}
    assert watcher.get("/api/v1/events").status_code == 429
    for stream, _ in opened:
        stream.__exit__(None, None, None)
