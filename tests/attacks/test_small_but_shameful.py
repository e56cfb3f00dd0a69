"""Small faults that cost trust: exit codes, faults told one at a time, Python's words on the wire, a silent mail."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector_host.app import App
from connector_host.model.connection import Change
from connector_host.model.errors import BadSetting
from connector_host.model.tables import _rows as rows_of
from connector_host.model.tables import _telling as telling
from tests.own import own, run
from tests.world import World, http, raw_server

GO = """
  go:
    title: Go
    input:
      required: [a, b]
      properties:
        a: {title: A, type: integer}
        b: {title: B, type: string, enum: [x, y]}
        c: {title: C, type: array, items: {type: string, minLength: 2}}
        yes: {title: Yes, type: boolean, default: true}
    request: {server: api, path: "/go", query: {q: "is {$.input.yes} and {$.input.c join ,}"}}
  bad:
    title: Bad
    input: {properties: {c: {title: C, type: array, items: {type: string}}}}
    request: {server: api, path: "/go", query: {q: "all {$.input.c}"}}
  each:
    title: Each
    input: {required: [them], properties: {them: {title: Them, type: array, items: {type: object}}}}
    each: them
    request: {server: api, method: POST, path: /each, body: {it: $.item}}
"""
OK = http("200 OK", b'{"ok": true}')


def cli(world: World, *words: str) -> "subprocess.CompletedProcess[str]":
    where = {**os.environ, "CONNECTOR_HOST_HOME": str(world.home)}
    where["CONNECTOR_HOST_MANIFEST"] = str(world.configuration.manifest or "")
    command = [sys.executable, "-m", "connector_host", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=where)


def test_a_reader_that_stops_does_not_fail_a_run_that_passed(tmp_path: Path) -> None:
    with raw_server(http("200 OK", json.dumps({"ok": ["x" * 100] * 5000}).encode())) as (base, _):
        world = own(tmp_path, GO, base)
        where = f"CONNECTOR_HOST_HOME={world.home} CONNECTOR_HOST_MANIFEST={world.configuration.manifest}"
        line = f"{where} {sys.executable} -m connector_host test-command acme go --connection own --a 1 --b x"
        script = f"set -o pipefail; {line} | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "0", done.stderr


def test_all_faults_of_the_inputs_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    world = own(tmp_path, GO)
    inputs = {"a": "no number", "b": "z", "c": ["ok", "x"], "d": 1}
    result = run(world, "go", inputs)
    told = {entry.pointer: entry.message for entry in result.errors}
    assert set(told) == {"/a", "/b", "/c/1", "/d"}
    assert told["/b"] == "The value for parameter (B) is invalid."
    assert all(entry.detail for entry in result.errors)
    many = run(world, "go", {f"x{number}": 1 for number in range(200)})
    assert len(many.errors) == 50


def test_all_faults_of_a_connection_are_told_at_once(tmp_path: Path) -> None:
    world = World(tmp_path / "home")
    wrong = Change(parameters={"server_url": 7, "event_url": "no url", "region": "XX", "nonsense": 1})
    with pytest.raises(BadSetting) as refusal:
        world.use(lambda host: host.connections.add("x", "pagerduty", wrong))
    text = str(refusal.value)
    assert len(text.splitlines()) >= 3
    assert "nonsense" in text


@pytest.mark.parametrize("verdict", ["failed", "passed"])
def test_what_a_rule_calls_final_is_not_asked_for_three_times(tmp_path: Path, verdict: str) -> None:
    commands = f"""
  go:
    title: Go
    request: {{server: api, path: /go}}
    responses: [{{status: 503, is: {verdict}}}]
"""
    with raw_server(http("503 Busy", b"{}")) as (base, received):
        run(own(tmp_path, commands, base), "go")
    assert len(received) == 1


def test_texts_hold_jsons_words_and_joined_lists(tmp_path: Path) -> None:
    with raw_server(OK) as (base, received):
        world = own(tmp_path, GO, base)
        run(world, "go", {"a": 1, "b": "x", "c": ["one", "two"]})
        assert b"q=is+true+and+one%2Ctwo" in received[0]
        result = run(world, "bad", {"c": ["one", "two"]})
        assert "A list cannot stand inside the text" in result.errors[0].message
        assert len(received) == 1


def test_an_object_in_a_fan_out_is_called_in_jsons_words(tmp_path: Path) -> None:
    with raw_server(http("400 Bad", b"{}")) as (base, _):
        result = run(own(tmp_path, GO, base), "each", {"them": [{"id": "a", "on": True}]})
    assert result.errors[0].item == '{"id": "a", "on": true}'


def test_a_connection_whose_plugin_is_gone_is_not_called_healthy(tmp_path: Path) -> None:
    world = own(tmp_path, "  go:\n    title: Go\n    kind: test_connection\n    request: {server: api, path: /}\n")
    with raw_server(OK) as (base, _):
        world.use(lambda host: host.connections.edit("own", Change(parameters={"url": base})))
        world.use(lambda host: host.test("own"))
    assert world.use(lambda host: host.connections.list())[0].state == "healthy"
    bare = World(world.home)
    [stored] = bare.use(lambda host: host.connections.list())
    assert (stored.state, "not installed" in stored.health.attention) == ("needs attention", True)
    assert bare.use(lambda host: host.connections.show("own"))["state"] == "needs attention"


def test_an_author_sees_their_own_exception(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.yaml").write_text(
        "id: mine\nname: Mine\nversion: 1.0.0\nconnection: {properties: {}}\n"
        "commands:\n  go:\n    title: Go\n    samples: [{http: [], result: {raw_data: {}}}]\n"
    )
    (folder / "commands.py").write_text(
        'from connector_host import command\n\n\n@command\ndef go(call):\n    raise ValueError("my own words")\n'
    )
    world = World(tmp_path / "home")
    done = cli(world, "plugins", "test", str(folder))
    assert "ValueError: my own words" in done.stderr
    assert cli(world, "plugins", "link", str(folder)).returncode == 0
    world.use(lambda host: host.connections.add("one", "mine", Change()))
    ran = cli(world, "test-command", "mine", "go", "--connection", "one")
    assert "ValueError: my own words" in ran.stderr


def test_events_say_of_which_invocation_they_are(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from connector_host.ports.hookspecs import plug

    heard: list[tuple[str, Any]] = []

    @plug
    def observe(event: str, facts: Any) -> None:
        heard.append((event, dict(facts)))

    with raw_server(http("503 Busy", b"{}"), OK) as (base, _):
        commands = "  go:\n    title: Go\n    read_only: true\n    request: {server: api, path: /}\n"
        world = own(tmp_path, commands, base, plugs=(SimpleNamespace(observe=observe),))
        result = run(world, "go")
    sent = [facts for event, facts in heard if event == "request.sent"]
    assert [facts["attempt"] for facts in sent] == [1, 2]
    for facts in sent:
        who = (facts["invocation"], facts["connection"], facts["caller"])
        assert who == (result.invocation_id, "own", "operator")


def test_a_mail_that_cannot_be_sent_is_told_by_run_due(tmp_path: Path) -> None:
    from connector_host import HealthCheck
    from connector_host.configuration import bundled

    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    manifest = home / "manifest.yaml"
    text = (bundled() / "manifest.yaml").read_text("utf-8").replace("- plugins/", f"- {bundled()}/plugins/")
    smtp = "{host: 127.0.0.1, port: 1, security: none, sender: a@example.com}"
    value = yaml.safe_load(text)
    manifest.write_text(yaml.safe_dump({**value, "notifiers": ["smtp"], "smtp": yaml.safe_load(smtp)}))
    world = World(home, manifest=manifest)
    check = HealthCheck(interval_minutes=5, failures_before_mail=1, recipients=("ann@example.com",))
    world.add("http://127.0.0.1:1", health_check=check)
    done = cli(world, "health", "run-due")
    assert "1 notice could not be delivered" in done.stderr + done.stdout


def test_no_command_of_a_bundled_plugin_shows_a_result_without_columns() -> None:
    bare = []
    for manifest in App().plugins.plugins.values():
        for command in manifest.commands.values():
            for sample in command.samples:
                records = sample.result.get("context_data", sample.result.get("raw_data"))
                found = next(iter(records.values())) if command.collect and isinstance(records, dict) else records
                listed = found if isinstance(found, list) else [found]
                rows = [row for record in listed if record is not None for row in rows_of(record)]
                if rows and any(rows) and not telling(rows):
                    bare.append(f"{manifest.id}.{command.id}")
    assert bare == []


def test_an_incident_within_an_object_is_shown_as_an_incident() -> None:
    [row] = rows_of({"incident": {"id": "Q1", "title": "Fire", "service": {"id": "P1", "summary": "Shop"}}})
    assert row == {"id": "Q1", "title": "Fire", "service": "Shop"}
    assert telling([row]) == ["id", "title", "service"]
