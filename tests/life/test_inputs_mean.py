"""Inputs mean what was typed: JSON in text, fractions, months, lists of one, what the product takes one of."""

import json
from pathlib import Path
from typing import Any

import pytest

from connector_host import InvalidInput, Options, Status, parse_json
from connector_host.host.text_values import read_text
from tests.own import HEAD, own, run
from tests.world import Sandbox, World, http, raw_server

EVENT = {"summary": "s", "severity": "Info", "source": "s"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "larger than any number"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("[" * 70 + "]" * 70, "deeper than 64"),
        ("[" * 100_000, "deeper than 64"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": [{"b": 1, "b": 2}]}', "'b' is given twice"),
        ('{"a": 1} x', "Extra data"),
    ],
)
def test_json_in_text_is_held_to_json(prod: World, sandbox: Sandbox, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(text)
    result = prod.run("create_event", {**EVENT, "custom_details": text})
    (entry,) = result.errors
    assert entry.message == "The value for parameter (Custom Details) is invalid."
    assert words in entry.detail or "JSON object" in entry.detail
    assert sandbox.requests == []


def test_numbers_that_are_none_name_their_parameter(prod: World, sandbox: Sandbox) -> None:
    for value in (float("nan"), float("inf"), "\ud800"):
        result = prod.run("create_event", {**EVENT, "custom_details": {"a": value}})
        assert result.errors[0].message == "The value for parameter (Custom Details) is invalid."
    assert sandbox.requests == []


GO = """\
  go:
    title: Go
    input: {properties: {at: {title: At, type: string, format: date-time}}}
    request: {server: api, path: /go, query: {at: $.input.at}}
"""


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2024-05-01T10:00:00.5Z", "2024-05-01T10%3A00%3A00.500Z"),
        ("2024-05-01T10:00:00.123456+02:00", "2024-05-01T08%3A00%3A00.123456Z"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10%3A00%3A00Z"),
        ("0999-05-01T10:00:00Z", "0999-05-01T10%3A00%3A00Z"),
        ("0001-01-01 00:00", "0001-01-01T00%3A00%3A00Z"),
    ],
)
def test_a_time_is_sent_as_it_was_meant(tmp_path: Path, text: str, sent: str) -> None:
    with raw_server(http("200 OK", b"{}")) as (base, received):
        assert run(own(tmp_path, GO, base), "go", {"at": text}).status is Status.PASSED
    assert f"at={sent} ".encode() in received[0]


def fetched(tmp_path: Path, zone: str, start: str, end: str) -> tuple[Any, list[str]]:
    body = b'{"incidents": [], "more": false}'
    manifest = tmp_path / "manifest.yaml"
    from connector_host.configuration import bundled

    manifest.write_text(
        f"plugins: [{bundled() / 'plugins' / 'pagerduty'}]\nsteps: [retry, limit]\ndate_time: {{time_zone: {zone}}}\n"
    )
    with raw_server(http("200 OK", body, "Content-Type: application/json")) as (base, received):
        world = World(tmp_path / "home", manifest=manifest)
        world.add(base)
        result = world.run("fetch_incident", {"start_time": start, "end_time": end})
    return result, [one.split(b" ")[1].decode() for one in received]


@pytest.mark.parametrize(
    ("zone", "start", "end", "windows"),
    [
        ("Europe/Berlin", "2024-05-01 00:00", "2024-11-01 00:00", 2),
        ("UTC", "2024-05-01 00:00", "2024-11-01 00:00", 1),
        ("UTC", "2024-05-01T00:00+02:00", "2024-11-01T00:00+01:00", 2),
        ("Europe/Berlin", "2024-05-01 00:00", "2024-11-01 00:01", 0),
        ("UTC", "2024-05-01T00:00Z", "2024-11-03T00:00Z", 0),
        ("Pacific/Auckland", "2024-08-31 00:00", "2025-02-28 00:00", 1),
    ],
)
def test_six_months_are_those_of_whoever_typed_them(
    tmp_path: Path, zone: str, start: str, end: str, windows: int
) -> None:
    result, asked = fetched(tmp_path, zone, start, end)
    assert len(asked) == windows, asked
    assert (result.status is Status.PASSED) == (windows > 0)
    if windows == 2:
        assert "incidents?" in asked[0]
        edges = [dict(pair.split("=") for pair in one.partition("?")[2].split("&")) for one in asked]
        assert edges[0]["since"] == edges[1]["until"]


@pytest.mark.parametrize(
    ("command", "inputs", "parameter"),
    [
        ("update_incident", {"incident_id": "Q1"}, "Status"),
        ("update_incident", {"incident_id": "Q1", "from": "a@b.example"}, "Status"),
        (
            "create_incident",
            {"title": "t", "service_id": "S", "assignee_ids": ["P1"], "escalation_policy_id": "E"},
            "Escalation Policy ID",
        ),
    ],
)
def test_what_changes_nothing_or_two_things_at_once_is_refused(
    prod: World, sandbox: Sandbox, command: str, inputs: dict[str, Any], parameter: str
) -> None:
    properties = prod.use(_plugin).commands[command].input["properties"]
    given = {name: value for name, value in inputs.items() if name in properties}
    required = {"user_id": "P1"} if "user_id" in properties else {}
    result = prod.run(command, {**given, **required})
    assert result.status is Status.FAILED
    assert f"({parameter}) is invalid" in str(result.errors[0])
    assert sandbox.requests == []


async def _plugin(host: Any) -> Any:
    return host._core.registry.plugin("pagerduty")


def test_ids_given_twice_run_once_and_answer_once(prod: World, sandbox: Sandbox) -> None:
    result = prod.run("get_user", {"user_ids": ["PU00001", "PU00002", "PU00001", "PU00001"]})
    assert result.status is Status.PASSED
    assert [one["id"] for one in result.raw_data] == ["PU00001", "PU00002"]
    assert [one for one in result.notes if "PU00001" in one and "more than once" in one]
    assert len(sandbox.requests) == 2
    ids = list(sandbox.account.incidents)[:2]
    bulk = prod.run("resolve_incidents", {"incident_ids": [*ids, ids[0]]})
    assert [one["id"] for one in bulk.raw_data["incidents"]] == ids
    assert any("more than once" in one for one in bulk.notes)


def test_a_users_key_needs_no_from(world: World) -> None:
    told = b'{"incidents": [{"id": "Q1", "status": "resolved"}]}'
    with raw_server(http("200 OK", told, "Content-Type: application/json")) as (base, received):
        world.add(base, parameters={"default_from": None})
        refused = world.run("resolve_incidents", {"incident_ids": ["Q1"]})
        world.add(base, "mine", parameters={"default_from": None, "key_belongs_to": "user"})
        done = world.use(lambda host: host.run("pagerduty", "resolve_incidents", "mine", {"incident_ids": ["Q1"]}))
    assert "(From) is invalid" in str(refused.errors[0])
    assert done.status is Status.PASSED
    assert b"from:" not in received[0].lower()


LIST = {"title": "IDs", "type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("text", "schema", "wanted"),
    [
        ("PU00001", LIST, ["PU00001"]),
        ('["a", "b"]', LIST, ["a", "b"]),
        ("12", LIST, ["12"]),
        ("12", {"type": "array", "items": {"type": "integer"}}, [12]),
        ("true", {"type": "boolean"}, True),
        ("1e2", {"type": "number"}, 100.0),
        ("true", {"type": "string"}, "true"),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ('{"a": 1}', {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "string"}}]}, {"a": 1}),
        ("[1]", {"oneOf": [{"type": "object"}, {"type": "array"}]}, [1]),
        ("x", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "x"),
        ("null", {"type": ["array", "null"]}, None),
    ],
)
def test_a_text_means_what_its_schema_makes_of_it(text: str, schema: dict[str, Any], wanted: Any) -> None:
    assert read_text(text, schema, "x") == wanted


def test_what_begins_as_json_and_is_none_is_told_by_its_parameter() -> None:
    with pytest.raises(InvalidInput, match="IDs"):
        read_text('["a", NaN]', LIST, "ids")
    with pytest.raises(InvalidInput, match="IDs"):
        read_text('["a"', LIST, "ids")


def test_a_program_may_hand_over_texts(prod: World, sandbox: Sandbox) -> None:
    async def run_texts(host: Any) -> Any:
        options = Options(text_inputs=True)
        inputs = {"user_ids": "PU00001"}
        first = await host.run("pagerduty", "get_user", "prod", inputs, options=options)
        second = await host.run("pagerduty", "get_user", "prod", {"user_ids": '["PU00001"'}, options=options)
        return first, second, await host.run("pagerduty", "get_user", "prod", inputs)

    first, second, plain = prod.use(run_texts)
    assert first.status is Status.PASSED
    assert "It is not JSON" in second.errors[0].detail
    assert plain.status is Status.FAILED


@pytest.mark.parametrize("given", [["a"], "text", 7])
def test_inputs_that_are_no_mapping_are_told_so(prod: World, given: Any) -> None:
    result = prod.run("list_users", given)
    assert "mapping" in result.errors[0].detail


def test_an_own_form_says_what_it_takes_of_its_parameters(tmp_path: Path) -> None:
    commands = (
        "  go:\n    title: Go\n    input:\n      at_least_one: [[a, b]]\n      at_most_one: [[a, c]]\n"
        "      properties: {a: {title: A, type: string}, b: {title: B, type: string}, c: {title: C, type: string}}\n"
        "    request: {server: api, path: /go}\n"
    )
    world = own(tmp_path, commands, head=HEAD)
    assert "At least one of these must be given: A, B." in run(world, "go").errors[0].detail
    assert "Of these one alone can be given: A, C." in run(world, "go", {"a": "1", "c": "2"}).errors[0].detail
    assert json.dumps(run(world, "go", {"a": ""}).errors[0].detail)
