"""Lists that come twice, half or with nothing; key fields that line up; tables that show what a person looks for."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector_host import Status
from connector_host.host.key_fields import KeyFields
from tests.own import own, run
from tests.world import Sandbox, World, http, pagerduty_sandbox, raw_server, serving_app

HOST = [sys.executable, "-m", "connector_host"]
JSON = "Content-Type: application/json"


@contextmanager
def pages(answer: Callable[[dict[str, str]], tuple[int, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Serve a list: the answer to a query."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    asked: list[str] = []

    async def serve(request: Request) -> Response:
        asked.append(f"{request.url.path}?{request.url.query}")
        status, body = answer({**request.query_params, "path": request.url.path})
        return Response(status_code=204) if status == 204 else JSONResponse(body, status)

    with serving_app(Starlette(routes=[Route("/{path:path}", serve, methods=["GET"])])) as base:
        yield base, asked


LIST = "  go: {title: Go, request: {server: api, path: /go, collect: items, paging: PAGING}}\n"


def listed(tmp_path: Path, paging: str, answer: Callable[[dict[str, str]], tuple[int, Any]]) -> Any:
    with pages(answer) as (base, _):
        return run(own(tmp_path, LIST.replace("PAGING", paging), base), "go")


def ids(result: Any) -> list[Any]:
    return [one["id"] for one in result.raw_data["items"]]


OFFSET = "{style: offset, size: 5, more: $.more}"
CURSOR = "{style: cursor, size: 5, next: $.next, position_parameter: cursor}"


def test_a_record_that_comes_twice_on_short_pages_stands_once_and_the_list_is_not_called_whole(tmp_path: Path) -> None:
    def answer(query: dict[str, str]) -> tuple[int, Any]:
        offset = int(query.get("offset", 0))
        shifted = [{"id": "new"}, *({"id": str(number)} for number in range(12))]
        found = shifted if offset else shifted[1:]
        return 200, {"items": found[offset : offset + 5], "more": offset + 5 < len(found)}

    result = listed(tmp_path, OFFSET, answer)
    assert ids(result) == [str(number) for number in range(12)]
    assert [note for note in result.notes if "came twice" in note]
    assert result.status is Status.PARTIAL
    assert result.completeness.complete is False


def test_doubles_of_a_list_by_marks_stand_once_and_it_is_whole(tmp_path: Path) -> None:
    def answer(query: dict[str, str]) -> tuple[int, Any]:
        at = int(query.get("cursor", 0))
        return 200, {"items": [{"id": n} for n in range(at, at + 5)], "next": None if at >= 8 else str(at + 4)}

    result = listed(tmp_path, CURSOR, answer)
    assert ids(result) == list(range(13))
    assert result.status is Status.PASSED
    assert "2 records came twice" in result.notes[0]


def test_doubles_within_a_page_stand_once(tmp_path: Path) -> None:
    result = listed(tmp_path, OFFSET, lambda _query: (200, {"items": [{"id": 1}, {"id": 2}, {"id": 1}], "more": False}))
    assert ids(result) == [1, 2]
    assert "1 record came twice" in result.notes[0]


def test_records_without_an_id_are_kept_all(tmp_path: Path) -> None:
    with pages(lambda _query: (200, {"items": [{"a": 1}, {"a": 1}]})) as (base, _):
        result = run(
            own(tmp_path, "  go: {title: Go, request: {server: api, path: /go, collect: items}}\n", base), "go"
        )
    assert result.raw_data == {"items": [{"a": 1}, {"a": 1}]}
    assert result.notes == ()


def test_no_content_is_an_empty_list(tmp_path: Path) -> None:
    result = listed(tmp_path, OFFSET, lambda _query: (204, None))
    assert (result.status, result.raw_data) == (Status.PASSED, {"items": []})
    assert result.completeness.complete


@pytest.mark.parametrize(
    ("status", "outcome", "whole"),
    [(403, "Partially Successful", False), (500, "Partially Successful", False), (404, "Passed", True)],
)
def test_half_a_list_that_failed_is_named(world: World, status: int, outcome: str, whole: bool) -> None:
    def answer(query: dict[str, str]) -> tuple[int, Any]:
        if query["path"].startswith("/v3/"):
            return status, {"error": {"code": 2010, "message": "No"}}
        return 200, {"schedules": [{"id": "S1", "summary": "One", "type": "schedule"}], "more": False}

    with pages(answer) as (base, _):
        world.add(base)
        result = world.run("get_all_schedules", timeout=60)
    assert result.status == outcome
    assert result.completeness is not None
    assert result.completeness.complete is whole
    told = f"{result.notes} {result.completeness.stopped_because} {result.errors}"
    assert "Shift-based schedules are not listed" in told
    assert [one["id"] for one in result.raw_data["schedules"]] == ["S1"]


@pytest.mark.parametrize(
    "command", ["get_schedule", "list_users_on_call", "list_schedule_overrides", "create_schedule_override"]
)
def test_a_shift_based_schedule_is_asked_for_at_its_own_address(world: World, command: str) -> None:
    times = {"since": "2035-01-01 00:00", "until": "2035-01-02 00:00"}
    with pagerduty_sandbox(v3_schedules=True) as sandbox:
        world.add(sandbox.base)
        schedule = next(
            one["id"] for one in world.run("get_all_schedules").raw_data["schedules"] if one["id"] == "PSHIFT1"
        )
        inputs: dict[str, Any] = {"schedule_id": schedule, **times}
        if command == "create_schedule_override":
            inputs = {
                "schedule_id": schedule,
                "user_id": "PU00001",
                "start_time": times["since"],
                "end_time": times["until"],
            }
        result = world.run(command, inputs)
        paths = [one.split("?")[0] for one in sandbox.requests[-2:]]
    assert result.status is Status.PASSED, result.errors
    assert paths[0].removeprefix("GET /").removeprefix("POST /").startswith("schedules/PSHIFT1")
    assert "/v3/schedules/PSHIFT1" in paths[1]


def test_another_refusal_is_not_asked_again(prod: World, sandbox: Sandbox) -> None:
    assert prod.run("get_schedule", {"schedule_id": "PNOBODY"}).errors[0].kind == "not_found"
    assert len(sandbox.requests) == 1


# Key fields


@pytest.mark.parametrize(
    ("paths", "raw", "wanted"),
    [
        ({"IDs": "$.a[*].id"}, {"a": [{"id": 1}, {"id": None}, {"id": 1}, {}, {"id": 2}]}, {"IDs": [1, 2]}),
        ({"A": "$.a[*].x", "B": "$.a[*].y.z"}, {"a": [{"x": 1, "y": {"z": 2}}, {"x": 3, "y": None}, {"x": 1, "y": {"z": 2}}, {}]},
         {"A": [1, 3], "B": [2, ""]}),
        ({"A": "$[*].x", "B": "$[*].y"}, [{"x": 1, "y": 2}, {"y": 3}], {"A": [1, ""], "B": [2, 3]}),
        ({"A": "$.a.id", "B": "$.b.id"}, {"a": {"id": 1}}, {"A": [1], "B": []}),
        ({"A": "$.a[*].id", "B": "$.b[*].id"}, {"a": [{"id": 1}], "b": [{"id": 1}, {"id": 2}]}, {"A": [1], "B": [1, 2]}),
        ({"A": "$.id"}, {"id": None}, {"A": []}),
    ],
)  # fmt: skip
def test_key_fields_line_up_and_hold_no_nulls(paths: dict[str, str], raw: Any, wanted: dict[str, Any]) -> None:
    assert KeyFields(paths).of(raw) == wanted


def test_the_alerts_keys_line_up(world: World) -> None:
    alerts = [
        {"id": "A1", "alert_key": "k1", "body": {"cef_details": {"dedup_key": "k1"}}},
        {"id": "A2", "alert_key": "k2", "body": None},
        {"id": "A3", "alert_key": None, "body": {"cef_details": {"dedup_key": None}}},
    ]
    with pages(lambda _query: (200, {"alerts": alerts, "more": False})) as (base, _):
        world.add(base)
        found = world.run("get_incident_alerts", {"incident_ids": ["Q1"]}).key_fields
    assert found == {"AlertIDs": ["A1", "A2", "A3"], "DedupKeys": ["k1", "k2", ""], "CefDedupKeys": ["k1", "", ""]}


# What is done, and what comes without its wrapper


def test_a_removal_says_whom(world: World) -> None:
    with raw_server(http("204 No Content", b"")) as (base, _):
        world.add(base)
        result = world.run("delete_user", {"user_ids": ["P1", "P2"]})
    assert result.raw_data == [{"id": "P1", "deleted": True}, {"id": "P2", "deleted": True}]
    assert result.key_fields == {"DeletedIDs": ["P1", "P2"]}


@pytest.mark.parametrize(
    ("command", "inputs"), [("get_user", {"user_ids": ["P1"]}), ("get_incident", {"incident_ids": ["I1"]})]
)
def test_a_reply_without_its_wrapper_is_kept(world: World, command: str, inputs: dict[str, Any]) -> None:
    with raw_server(http("200 OK", b'{"id": "I1", "summary": "s"}', JSON)) as (base, _):
        world.add(base)
        result = world.run(command, inputs)
    assert result.raw_data == [{"id": "I1", "summary": "s"}]


def test_intake_takes_the_priority_by_its_name(world: World) -> None:
    incident = {
        "id": "Q1",
        "title": "t",
        "created_at": "2024-01-01T00:00:00Z",
        "priority": {"id": "PP1", "summary": "P1"},
    }
    body = json.dumps({"incidents": [incident], "more": False}).encode()
    with raw_server(http("200 OK", body, JSON)) as (base, _):
        world.add(base)
        result = world.run("fetch_incident", {"start_time": "2024-01-01 00:00", "end_time": "2024-01-02 00:00"})
    assert result.intake is not None
    assert result.intake["events"][0]["Priority"] == "P1"


# Tables


def shown(*words: str) -> list[str]:
    command = [*HOST, "test-command", "pagerduty", *words, "--connection", "prod"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (["list-on-calls"], ["User", "Level", "Schedule", "Escalation Policy", "Until"]),
        (
            ["list-incidents", "--all-times"],
            ["ID", "Title", "Status", "Urgency", "Service", "Assignee", "Priority", "Created"],
        ),
    ],
)
def test_a_table_shows_what_a_person_on_call_looks_for(prod: World, words: list[str], columns: list[str]) -> None:
    lines = shown(*words)
    head = next(line for line in lines if line.startswith(columns[0]))
    places = [head.index(column) for column in columns]
    assert places == sorted(places)
    assert "{" not in "".join(lines[lines.index(head) : lines.index(head) + 4])
    assert "_reference" not in "".join(lines[lines.index(head) : lines.index(head) + 4])


def test_alerts_overrides_and_notes_say_what_and_who(prod: World, sandbox: Sandbox) -> None:
    incident = next(iter(sandbox.account.incidents))
    alerts = shown("get-incident-alerts", "--incident-ids", incident)
    assert any(line.startswith("Item") and "Severity" in line and "Created" in line for line in alerts)
    prod.run("add_incident_note", {"incident_id": incident, "content": "look", "from": "earline.greenholt@example.com"})
    notes = shown("list-incident-notes", "--incident-id", incident)
    assert any("Earline" in line and "look" in line for line in notes)


def test_an_empty_list_says_so(prod: World) -> None:
    assert any("no records" in line for line in shown("list-users", "--query", "nobodyatall"))
    done = subprocess.run([*HOST, "sites", "list"], capture_output=True, text=True, timeout=60)
    assert "(none)" in done.stdout
