"""A refusal that comes with a good status is a refusal; an answer that does not say is told as one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host import Change, Result, Status
from tests.world import API_KEY, INTEGRATION_KEY, SENDER, World, http, raw_server

DENIED = {"error": {"message": "Denied", "code": 2010, "errors": ["no right"]}}
EVENT = {"summary": "disk full", "severity": "critical", "source": "db1", "dedup_key": "k"}
IDS = {"incident_ids": ["A", "B"]}


def answered(tmp_path: Path, command: str, inputs: dict[str, Any], *answers: tuple[str, Any]) -> Result:
    replies = [http(status, b"" if body is None else json.dumps(body).encode()) for status, body in answers]
    with raw_server(*replies) as (base, _):
        where = {"server_url": base, "event_url": base, "default_from": SENDER}
        secrets = {"api_key": API_KEY, "integration_key": INTEGRATION_KEY}
        world = World(tmp_path)
        world.use(lambda host: host.connections.add("prod", "pagerduty", Change({}, where, secrets)))
        found: Result = world.run(command, inputs)
        return found


@pytest.mark.parametrize("command", ["delete_team", "delete_user", "delete_schedule", "delete_service"])
def test_a_delete_that_is_refused_is_no_delete(tmp_path: Path, command: str) -> None:
    ids = {f"{command.removeprefix('delete_')}_ids": ["P1"]}
    result = answered(tmp_path, command, ids, ("200 OK", DENIED))
    assert (result.status, result.effect.value) == (Status.FAILED, "none")
    assert "Denied" in result.errors[0].message + result.errors[0].detail
    assert result.errors[0].status_code == "2010"


@pytest.mark.parametrize(
    ("command", "inputs"),
    [
        ("create_incident", {"title": "t", "service_id": "P1"}),
        ("snooze_incident", {"incident_id": "P1"}),
        ("merge_incidents", {"incident_id": "A", "source_incident_ids": ["B"]}),
        ("get_incident", {"incident_ids": ["A"]}),
    ],
)
def test_an_error_in_a_good_answer_is_the_products_word(tmp_path: Path, command: str, inputs: dict[str, Any]) -> None:
    result = answered(tmp_path, command, inputs, ("200 OK", DENIED))
    assert (result.status, result.effect.value) == (Status.FAILED, "none")
    assert "Denied" in result.errors[0].message + result.errors[0].detail


@pytest.mark.parametrize("command", ["create_event", "resolve_event", "acknowledge_event", "send_change_event"])
@pytest.mark.parametrize(
    ("body", "effect", "words"),
    [
        (
            {"status": "invalid event", "message": "Event object is invalid", "errors": ["routing_key is missing"]},
            "none",
            "Event object is invalid",
        ),
        ({"status": "throttled"}, "none", "throttled"),
        (DENIED, "none", "Denied"),
        ({}, "unknown", "does not say"),
        ([], "unknown", "does not say"),
        ("ok", "unknown", "does not say"),
        (7, "unknown", "does not say"),
        (None, "unknown", "does not say"),
    ],
)
def test_an_event_is_taken_where_the_answer_says_so(
    tmp_path: Path, command: str, body: Any, effect: str, words: str
) -> None:
    inputs = {"resolve_event": {"dedup_key": "k"}, "acknowledge_event": {"dedup_key": "k"}}.get(command, EVENT)
    inputs = {"summary": "deployed"} if command == "send_change_event" else inputs
    result = answered(tmp_path, command, inputs, ("202 Accepted", body))
    assert result.status is not Status.PASSED
    assert words in f"{result.errors[0].message} {result.errors[0].detail}", result.errors
    assert (result.errors[0].effect == "none") is (effect == "none"), result.errors


def test_an_answer_about_another_alert_takes_no_event(tmp_path: Path) -> None:
    other = {"status": "success", "message": "Event processed", "dedup_key": "OTHER"}
    result = answered(tmp_path, "create_event", EVENT, ("202 Accepted", other))
    assert result.status is not Status.PASSED
    assert "OTHER" in result.errors[0].message


@pytest.mark.parametrize("command", ["resolve_incidents", "acknowledge_incidents"])
@pytest.mark.parametrize("answer", [("200 OK", {"incidents": None}), ("204 No Content", None), ("200 OK", [])])
def test_what_was_sent_is_not_told_as_not_tried(tmp_path: Path, command: str, answer: tuple[str, Any]) -> None:
    result = answered(tmp_path, command, IDS, answer)
    assert result.status is Status.FAILED
    assert [(one.item, one.effect) for one in result.errors] == [("A", "unknown"), ("B", "unknown")]
    assert not any("not tried" in one.message for one in result.errors)


def test_each_incident_is_judged_by_what_is_said_of_it(tmp_path: Path) -> None:
    said = [
        {"id": "A", "error": {"message": "denied"}},
        {"id": "B", "errors": ["no"]},
        {"id": "C", "status": "resolved"},
        {"id": "D"},
    ]
    result = answered(
        tmp_path, "resolve_incidents", {"incident_ids": ["A", "B", "C", "D"]}, ("200 OK", {"incidents": said})
    )
    assert result.status is Status.PARTIAL
    told = {one.item: (one.effect, one.message) for one in result.errors}
    assert told.keys() == {"A", "B", "D"}
    assert told["A"] == ("none", "denied.")
    assert told["B"] == ("none", "no.")
    assert told["D"][0] == "unknown"


@pytest.mark.parametrize("body", [[{}], [{"override": None}], {}, [], None])
def test_an_override_of_which_nothing_is_said_may_be_there(tmp_path: Path, body: Any) -> None:
    when = {"start_time": "2099-01-10 00:00", "end_time": "2099-01-11 00:00"}
    result = answered(
        tmp_path, "create_schedule_override", {"schedule_id": "S", "user_id": "U", **when}, ("201 Created", body)
    )
    assert result.status is not Status.PASSED
    assert all(one.effect != "none" for one in result.errors), result.errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("connections: []\nconnections: []\n", "'connections' stands twice, on line 1 and on line 2"),
        ("connections: [{name: a, active: true, active: false}]", "'active' stands twice"),
        ("[" * 50_000, "nested beyond all use"),
        ("a: [", "no file of connections"),
    ],
)
def test_nothing_of_an_exported_file_is_lost_in_silence(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "export.yaml"
    file.write_text(text)
    program = [sys.executable, "-m", "connector_host", "connections", "import", str(file), "--yes"]
    around = {**os.environ, "CONNECTOR_HOST_HOME": str(tmp_path / "home")}
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, env=around)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
