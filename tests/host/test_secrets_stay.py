"""Secrets stay inside: sealed differently each time, masked in history, intake, every field of an error, and logs."""

import json
import logging
import sqlite3
from pathlib import Path

import pytest

from connector_host.crypto.aes_gcm import AesGcm
from connector_host.model.connection import Change
from connector_host.model.result import Status
from tests.own import SECRET, own, run
from tests.world import API_KEY, World, http, raw_server

MASK = "********"


def test_one_value_sealed_twice_gives_different_bytes() -> None:
    cipher = AesGcm()
    key = cipher.new_key()
    first, second = (cipher.seal(key, b"the same value", b"the same place") for _ in range(2))
    assert first != second
    assert first[:12] != second[:12]
    assert cipher.open(key, first, b"the same place") == cipher.open(key, second, b"the same place")


def test_the_history_keeps_no_secret_among_the_inputs(prod: World, tmp_path: Path) -> None:
    inputs = {"summary": f"key {API_KEY}", "severity": "Info", "source": json.dumps([API_KEY])}
    assert prod.run("create_event", inputs).status is Status.PASSED
    [record] = prod.use(lambda host: host.history())
    assert json.loads(record.inputs)["summary"] == f"key {MASK}"
    assert API_KEY not in json.loads(record.inputs)["source"]


def test_the_history_masks_inputs_that_are_secrets(tmp_path: Path) -> None:
    commands = """
  go:
    title: Go
    input: {properties: {pin: {title: PIN, type: string, writeOnly: true}, text: {title: Text, type: string}}}
    request: {server: api, path: /, method: POST, body: {pin: $.input.pin, text: $.input.text}}
"""
    with raw_server(http("200 OK", b"{}")) as (base, received):
        world = own(tmp_path, commands, base)
        assert run(world, "go", {"pin": "first-of-pins", "text": "shown"}).status is Status.PASSED
        assert run(world, "go", {"pin": "12", "text": "shown"}).status is Status.PASSED
    assert b"first-of-pins" in received[0]
    records = world.use(lambda host: host.history())
    assert [json.loads(record.inputs) for record in records] == [{"pin": MASK, "text": "shown"}] * 2


def test_an_echoed_key_is_not_in_the_intake_table(world: World) -> None:
    incident = {
        "id": "Q1", "title": f"see {API_KEY}", "status": "triggered", "urgency": "high",
        "created_at": "2026-01-31T08:00:00Z", "incident_key": API_KEY, "service": {"id": "P1", "summary": API_KEY},
    }  # fmt: skip
    body = json.dumps({"incidents": [incident], "more": False}).encode()
    with raw_server(http("200 OK", body)) as (base, _):
        world.add(base)
        inputs = {"start_time": "2026-01-31 00:00", "end_time": "2026-02-01 00:00"}
        result = world.use(lambda host: host.ingest("pagerduty", "fetch_incident", "prod", inputs))
        assert result.raw_data["fetched"] == 1
    with sqlite3.connect(world.home / "connector-host.db") as database:
        rows = database.execute("select unique_key, raw, mapped from intake_record").fetchall()
    database.close()
    assert rows
    for text in rows[0]:
        assert API_KEY not in text
        assert json.dumps(API_KEY)[1:-1] not in text
    assert MASK in rows[0][1]
    assert MASK in rows[0][2]


ERRORS = """
@command
async def go(call):
    key = call.connection["key"]
    yield Item(f"item {key}", Failed(f"m {key}", code=f"c {key}", detail=f"d {key}", assistance=f"a {key}"))
"""


def test_each_field_of_an_error_row_is_clean(tmp_path: Path) -> None:
    world = own(tmp_path, f"  go: {{title: 'Go {SECRET}'}}\n", code=ERRORS)
    [entry] = run(world, "go").errors
    assert (entry.item, entry.message, entry.status_code) == (f"item {MASK}", f"m {MASK}.", f"c {MASK}")
    assert (entry.detail, entry.assistance) == (f"d {MASK}", f"a {MASK}")
    assert entry.failure_indicator == f"Go {MASK} failed."


def test_the_name_of_an_item_that_went_well_is_clean(tmp_path: Path) -> None:
    commands = "  go: {title: Go, each: ids, input: {properties: {ids: {title: IDs, type: array}}, required: [ids]}}\n"
    code = '@command\nasync def go(call, item):\n    return {"id": 1}\n'
    world = own(tmp_path, commands, code=code)
    assert run(world, "go", {"ids": [SECRET]}).context_data == [{"item": MASK, "value": {"id": 1}}]


def test_each_element_of_a_secret_that_is_a_list_is_clean(tmp_path: Path) -> None:
    head = (
        "id: acme\nname: Acme\nversion: 1.0.0\nservers: {api: {url: $.connection.url}}\nconnection:\n  properties:\n"
        "    url: {title: URL, type: string}\n"
        "    keys: {title: Keys, type: array, items: {type: string}, writeOnly: true}\n"
        "    map: {title: Map, type: object, writeOnly: true}\n"
        "commands:\n"
    )
    code = """
@command
async def go(call):
    return {"first": call.connection["keys"][0], "last": call.connection["keys"][-1], "deep": call.connection["map"]["a"][0]}
"""
    secrets = {"keys": ["first-secret-one", "second-secret", "last-secret-one"], "map": {"a": ["deep-secret-one"]}}
    world = own(tmp_path, "  go: {title: Go}\n", code=code, head=head, secrets=secrets)
    assert run(world, "go").raw_data == {"first": MASK, "last": MASK, "deep": MASK}


def test_a_vaults_value_is_clean_in_its_own_result(tmp_path: Path) -> None:
    code = """
@command
async def look(call, path, field):
    return {"value": "the-value-of-the-vault", "echo": "it is the-value-of-the-vault", "lease_seconds": 5}
"""
    form = "input: {required: [path, field], properties: {path: {title: Path, type: string}, field: {title: Field, type: string}}}"
    world = own(tmp_path, f"  look: {{title: Look, kind: credential, {form}}}\n", code=code)
    result = run(world, "look", {"path": "a", "field": "b"})
    assert result.raw_data["echo"] == f"it is {MASK}"
    assert "the-value-of-the-vault" not in repr(result)


def test_the_log_of_requests_tells_the_path_only(prod: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "connector_host.requests"):
        prod.run("list_users", {"query": "Mrs-Private"})
    told = [record.getMessage() for record in caplog.records if "GET" in record.getMessage()]
    assert told
    for line in told:
        assert line.startswith("GET /users on api: 200 in ")
        assert "Mrs-Private" not in line


def test_a_change_shows_no_secret_where_it_is_printed() -> None:
    assert SECRET not in repr(Change(secrets={"key": SECRET}))
