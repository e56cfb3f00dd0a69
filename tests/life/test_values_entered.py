"""Connections as people really fill them in: what editors leave, look-alikes, what one broken connection may not stop."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host import BadSetting, Status
from connector_host.model.connection import Change, Selection, VaultReference
from tests.own import own, run
from tests.world import API_KEY, INTEGRATION_KEY, Sandbox, World, opened

HOST = [sys.executable, "-m", "connector_host"]
HEAD = """\
id: acme
name: Acme
version: 1.0.0
servers: {api: {url: $.connection.url, headers: {X-Key: $.connection.key, X-Word: $.connection.word}}}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
    word: {title: Pass Word, type: string, writeOnly: true, blanks: kept}
    pem: {title: Certificate, type: string, writeOnly: true, multiline: true}
    keys: {title: Keys, type: object, additionalProperties: {type: string}, writeOnly: true}
    note: {title: Note, type: string}
commands:
"""
GO = "  go: {title: Go, request: {server: api, path: /go}}\n"
PEM = "-----BEGIN X-----\nabc\n-----END X-----"


@pytest.fixture
def acme(tmp_path: Path) -> World:
    return own(tmp_path, GO, head=HEAD)


def kept(world: World, **secrets: Any) -> dict[str, Any]:
    async def edit(host: Any) -> dict[str, Any]:
        await host.connections.edit("own", Change(secrets=secrets))
        return await opened(host, "own")

    found: dict[str, Any] = world.use(edit)
    return found


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("key", "abcdefgh\n", "abcdefgh"),
        ("key", "abcdefgh\r\n\n", "abcdefgh"),
        ("key", "\ufeffabcdefgh", "abcdefgh"),
        ("key", "abc\ndefgh\n", "abc\ndefgh"),
        ("word", " two words ", " two words "),
        ("word", " two words \n", " two words "),
        ("pem", PEM, PEM + "\n"),
        ("pem", PEM + "\n\n\r\n", PEM + "\n"),
        ("keys", {"a": "abcdefgh\n", "b": "\ufeffx"}, {"a": "abcdefgh", "b": "x"}),
    ],
)
def test_line_ends_and_byte_order_marks_are_cut(acme: World, name: str, given: Any, wanted: Any) -> None:
    assert kept(acme, **{name: given})[name] == wanted


def test_what_was_cut_is_said(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    kept(acme, key="\ufeffabcdefgh\n")
    assert "Key: a line end after the value was cut" in caplog.text
    assert "Key: a byte-order mark before the value was cut" in caplog.text
    assert "abcdefgh" not in caplog.text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key": " abcdefgh"}, "(Key) begins or ends with a blank"),
        ({"key": "abcdefgh\t"}, "(Key) begins or ends with a blank"),
        ({"key": "abcdefgh\u00a0"}, "(Key) begins or ends with a blank"),
        ({"keys": {"a": "abcdefgh "}}, "(Keys) begins or ends with a blank"),
        ({"key": "********"}, "(Key) is a mask"),
        ({"key": "************bgRQ"}, "(Key) is a mask"),
        ({"key": "•••••••"}, "(Key) is a mask"),
        ({"keys": {"a": "****"}}, "(Keys) is a mask"),
    ],
)
def test_what_is_surely_no_value_is_refused(acme: World, given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSetting) as caught:
        kept(acme, **given)
    assert words in str(caught.value)
    assert "abcdefgh" not in str(caught.value)


def test_a_plain_parameter_is_held_to_the_same_rule(acme: World) -> None:
    acme.use(lambda host: host.connections.edit("own", Change(parameters={"note": "text\n"})))
    assert acme.use(lambda host: host.connections.show("own"))["parameters"]["note"] == "text"
    with pytest.raises(BadSetting, match="Note"):
        acme.use(lambda host: host.connections.edit("own", Change(parameters={"note": " text"})))


def test_every_source_is_held_to_the_rule(acme: World, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_bytes(b"\xef\xbb\xbfabcdefgh\r\n")
    (tmp_path / "key.pem").write_text(PEM)
    environment = {**os.environ, "CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml"), "K": "abcdefgh\n"}
    environment["CONNECTOR_HOST_HOME"] = str(acme.home)
    for source, piped in ((f"file:{tmp_path}/key.txt", ""), ("env:K", ""), ("-", "abcdefgh\n")):
        words = ["connections", "edit", "own", "--secret", f"key={source}"]
        done = subprocess.run([*HOST, *words], env=environment, input=piped, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert ("was cut" in done.stderr) == (source != "-")
        assert acme.use(lambda host: opened(host, "own"))["key"] == "abcdefgh"
    words = ["connections", "edit", "own", "--secret", "pem=-"]
    subprocess.run([*HOST, *words], env=environment, input=f"{PEM}\n\n", text=True, timeout=60, check=True)
    assert acme.use(lambda host: opened(host, "own"))["pem"] == PEM + "\n"
    result = acme.use(lambda host: host.run_with("acme", "go", {"url": "http://127.0.0.1:1", "key": "abcdefgh\n"}))
    assert "cannot carry" not in str(result.errors)


# What is surely another kind of key


@pytest.mark.parametrize(
    ("parameters", "secrets", "words"),
    [
        ({}, {"integration_key": "u+AbcdefghijklmnopqR"}, "(Integration Key) is invalid. This looks like an API key"),
        ({}, {"integration_keys": {"a": "u+AbcdefghijklmnopqR"}}, "(Integration Keys) is invalid. This looks like an"),
        ({}, {"api_key": "Bearer pdus+_0XBPWQQ_abc"}, "(API Key) is invalid. This looks like an OAuth token"),
        ({}, {"api_key": "pdus+_0XBPWQQ_abcdefgh"}, "(API Key) is invalid. This looks like an OAuth token"),
        ({}, {"api_key": "Token token=abc"}, "(API Key) is invalid. Enter the key alone"),
        ({}, {"api_key": "u+Do************bgRQ"}, "(API Key) is a mask"),
        (
            {"event_url": "https://events.pagerduty.com/v2/enqueue"},
            {},
            "(Event URL) is invalid. It is the server alone",
        ),
        ({"event_url": "https://events.pagerduty.com/v2/"}, {}, "(Event URL) is invalid. It is the server alone"),
        ({"server_url": "https://api.pagerduty.com/incidents"}, {}, "(Server URL) is invalid. It is the server alone"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    world: World, parameters: dict[str, Any], secrets: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        world.add("https://api.pagerduty.com", parameters=parameters, secrets=secrets)
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["y_NbAkKc66ryYTWUXYEu", "short", "a" * 64, "0123456789abcdef0123456789abcdef"])
def test_keys_of_unknown_lengths_pass(world: World, key: str) -> None:
    world.add("https://api.pagerduty.com", secrets={"api_key": key})
    if len(key) != 20:
        world.add("https://api.pagerduty.com", "two", secrets={"integration_key": key})


def test_a_preset_that_disagrees_with_what_was_typed_is_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.add("https://api.pagerduty.com", parameters={"region": "EU"})
    assert "Region is EU, and Server URL is that of US (https://api.pagerduty.com)" in caplog.text


def test_a_name_given_twice_is_refused(prod: World) -> None:
    environment = {**os.environ, "K": '{"a": "' + "1" * 32 + '", "a": "' + "2" * 32 + '"}'}
    words = ["connections", "edit", "prod", "--secret", "integration_keys=env:K"]
    done = subprocess.run([*HOST, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "'a' is given twice" in done.stderr
    assert "1" * 32 not in done.stderr


def test_a_change_event_takes_the_same_keys(world: World, sandbox: Sandbox) -> None:
    keys = {"one": "1" * 32, "two": "2" * 32}
    world.add(sandbox.base, secrets={"integration_key": None, "integration_keys": keys})
    refused = world.run("send_change_event", {"summary": "s"})
    assert "(Integration Key Name) is invalid" in refused.errors[0].message
    named = world.run("send_change_event", {"summary": "s", "integration_key_name": "two"})
    assert named.status is Status.PASSED
    assert [change["routing_key"] for change in sandbox.account.changes] == ["2" * 32]
    only = Change(secrets={"integration_keys": {"one": "1" * 32}})
    world.use(lambda host: host.connections.edit("prod", only))
    assert world.run("send_change_event", {"summary": "s"}).status is Status.PASSED
    assert sandbox.account.changes[-1]["routing_key"] == "1" * 32


def test_a_request_says_what_it_needs_before_it_is_sent(tmp_path: Path) -> None:
    commands = (
        "  go:\n    title: Go\n    input: {properties: {text: {title: Text, type: string}}}\n"
        "    request: {server: api, method: POST, path: /go, requires: [$.input.text, $.connection.word], "
        "body: {text: $.input.text, word: $.connection.word}}\n"
    )
    world = own(tmp_path, commands, head=HEAD)
    first = run(world, "go")
    assert "(Text)" in first.errors[0].message
    second = run(world, "go", {"text": "t"})
    assert "(Pass Word)" in second.errors[0].message
    assert "connections edit" in second.errors[0].assistance


# What one broken connection may not stop


def broken(world: World, name: str) -> None:
    """Damage a connection's key, as a lost one leaves it."""
    import sqlite3

    with sqlite3.connect(next(world.home.glob("*.db"))) as database:
        which = "(select id from connection where name = ?)"
        database.execute(f"update data_key set wrapped = randomblob(60) where connection_id = {which}", (name,))


def test_an_export_without_a_key_comes_in_by_secrets_or_not_active(
    prod: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    document = prod.use(lambda host: host.transfer.export(Selection(name="prod")))
    other = World(tmp_path / "other")
    given = {"prod": {"api_key": API_KEY, "integration_key": INTEGRATION_KEY}}
    (outcome,) = other.use(lambda host: host.transfer.take(document, secrets=given))
    assert (outcome.error, outcome.note) == ("", "")
    assert other.run("list_users").status is Status.PASSED
    third = World(tmp_path / "third")
    (outcome,) = third.use(lambda host: host.transfer.take(document))
    assert "still needs API Key" in outcome.note
    shown = third.use(lambda host: host.connections.show("prod"))
    assert shown["active"] is False
    assert "--secret api_key=-" in shown["health"]["attention"]
    with pytest.raises(BadSetting, match="API Key"):
        third.use(lambda host: host.connections.edit("prod", Change({"active": True}, {"region": "US"})))
    third.use(lambda host: host.connections.edit("prod", Change({"active": True}, secrets={"api_key": API_KEY})))
    assert third.run("list_users").status is Status.PASSED


def test_the_command_line_takes_secrets_for_names_with_dots(prod: World, tmp_path: Path) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change({"name": "pd.eu.1"})))
    exported, home = tmp_path / "out.yaml", tmp_path / "new"
    subprocess.run([*HOST, "connections", "export", str(exported)], capture_output=True, check=True, timeout=60)
    assert exported.stat().st_mode & 0o777 == 0o600
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(home), "K": API_KEY}
    words = ["connections", "import", str(exported)]
    lacking = subprocess.run([*HOST, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert "It still needs API Key" in lacking.stdout + lacking.stderr
    words += ["--secret", "pd.eu.1.api_key=env:K", "--replace", "--yes"]
    done = subprocess.run([*HOST, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "refused" in done.stderr) == (0, False), done.stderr
    assert World(home).use(lambda host: opened(host, "pd.eu.1"))["api_key"] == API_KEY


def test_vault_values_are_held_to_the_rule_and_name_their_place(tmp_path: Path) -> None:
    head = HEAD.replace("commands:\n", "commands:\n  fetch:\n    title: Fetch\n    kind: credential\n"
        "    input: {required: [path, field], properties: {path: {title: Path, type: string}, "
        "field: {title: Field, type: string}}}\n")  # fmt: skip
    code = "\n@command\nasync def fetch(call, path, field):\n    return {'value': call.connection['note']}\n"
    world = own(tmp_path, GO, head=head, code=code)
    world.use(lambda host: host.connections.edit("own", Change(parameters={"note": "x"})))
    reference = VaultReference("own", "team/pd", "key")
    change = Change(parameters={"url": "http://127.0.0.1:1"}, vault={"key": reference})
    world.use(lambda host: host.connections.add("user", "acme", change))
    world.use(lambda host: host.connections.edit("own", Change(parameters={"note": "****"})))
    (entry,) = run(world, "go", name="user").errors
    told = str(entry)
    assert "'own'" in told
    assert "'team/pd', field 'key'" in told
    assert entry.status_code != "403"
    assert "vault test own" in told
    assert "--set" not in told


def test_one_connection_that_does_not_open_stops_no_export_and_no_rotation(
    prod: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    prod.add(sandbox.base, "lost")
    prod.add(sandbox.base, "zulu")
    broken(prod, "lost")
    done = subprocess.run([*HOST, "keys", "rotate", "--output", "json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert told["rewrapped"] == 2
    assert list(told["broken"]) == ["lost"]
    again = subprocess.run([*HOST, "keys", "rotate", "--output", "json"], capture_output=True, text=True, timeout=60)
    assert json.loads(again.stdout)["rewrapped"] == 2, "a later rotation makes a new key all the same"
    assert prod.run("list_users").status is Status.PASSED
    out = tmp_path / "out.yaml"
    private, public = tmp_path / "k.pem", tmp_path / "k.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out", str(private)], check=True, timeout=60)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True, timeout=60)
    words = ["connections", "export", str(out), "--seal-to", str(public), "--output", "json"]
    done = subprocess.run([*HOST, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["connections"] == 2
    assert "lost" in done.stderr


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("KE\u200bY12345", "(U+200B) at place 3"),
        ("KEY\x0012345", "(U+0000) at place 4"),
        ("KEY\u00a012345", "(U+00A0) at place 4"),
    ],
)
def test_a_secret_holds_nothing_that_cannot_be_seen(tmp_path: Any, value: str, words: str) -> None:
    with pytest.raises(BadSetting) as refused:
        World(tmp_path).add("http://127.0.0.1:9", secrets={"api_key": value})
    assert words in str(refused.value)
    assert "12345" not in str(refused.value)


def through_the_command_line(
    home: Path, given: bytes, *arguments: str, wait: float = 0
) -> subprocess.CompletedProcess[bytes]:
    """Run `connections add` with bytes on standard input; with `wait` the writer stays a while with the pipe open."""
    program = [str(Path(sys.executable).with_name("connector-host")), "connections", "add", "prod", *arguments]
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(home)}
    with subprocess.Popen(program, stdin=-1, stdout=-1, stderr=-1, env=environment) as started:
        assert started.stdin is not None
        started.stdin.write(given)
        started.stdin.flush()
        if wait:
            started.wait(wait)
        out, err = started.communicate(timeout=30)
        return subprocess.CompletedProcess(program, started.returncode, out, err)


PAGERDUTY = ("--plugin", "pagerduty", "--secret", "api_key=-")


@pytest.mark.parametrize("given", [b"first-line-1234\nsecond-line\n", b"first-line-1234\r\nsecond-line"])
def test_lines_left_on_standard_input_are_told_and_nothing_is_saved(tmp_path: Path, given: bytes) -> None:
    done = through_the_command_line(tmp_path, given, *PAGERDUTY)
    assert done.returncode == 2
    assert b"more lines than secrets" in done.stderr
    assert b"second-line" not in done.stderr
    assert through_the_command_line(tmp_path, b"first-line-1234\n\n", *PAGERDUTY).returncode == 0


def test_two_secrets_take_a_line_each_and_an_open_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    key = b"u+DoSecretApiKey/bgRQ\n34be7512aaaabbbbccccdddd3c3534ca\n"
    done = through_the_command_line(tmp_path, key, *PAGERDUTY, "--secret", "integration_key=-", wait=20)
    assert done.returncode == 0, done.stderr


def test_what_is_no_text_on_standard_input_is_refused(tmp_path: Path) -> None:
    done = through_the_command_line(tmp_path, b"\xff\xfe\n", *PAGERDUTY)
    assert (done.returncode, b"no UTF-8 text" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "url", ["https://pd.example.com//", "https://pd.example.com/a//b", "https://pd.example.com///"]
)
def test_a_server_url_with_an_empty_step_in_its_path_is_refused_when_it_is_entered(world: World, url: str) -> None:
    with pytest.raises(BadSetting, match="two slashes"):
        world.add(url)


@pytest.mark.parametrize("name", [".", "..", " .. "])
def test_a_name_that_paths_read_as_a_step_is_refused(world: World, name: str) -> None:
    with pytest.raises(BadSetting, match="name"):
        world.add("https://pd.example.com", name)


def test_a_secret_among_the_plain_values_of_a_run_is_refused_as_it_is_for_a_connection(tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("connector-host")), "test-command", "pagerduty", "list-users"]
    values = ["--set", "api_key=u+SecretOnCommandLine1", "--set", "server_url=https://127.0.0.1:1"]
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(tmp_path)}
    done = subprocess.run([*program, *values], capture_output=True, text=True, env=environment, timeout=30)
    assert (done.returncode, "'api_key' is a secret" in done.stderr) == (2, True)


def test_an_input_that_ends_before_the_secret_is_told(tmp_path: Path) -> None:
    done = through_the_command_line(tmp_path, b"", *PAGERDUTY)
    assert (done.returncode, b"Standard input ends before the secret api_key" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("? [a, b]\n: 1\n", "a key must be a text (line 1)"),
        ("1: a\n0x1: b\n", "stands twice"),
        ("connections:\n- secrets: {api_key: hunter2-secret: x}\n", "line 2"),
    ],
)
def test_a_file_of_connections_is_refused_without_quoting_it(tmp_path: Path, text: str, words: str) -> None:
    from connector_host.cli.exported import parse_exported
    from connector_host.model.errors import WrongUse

    with pytest.raises(WrongUse) as told:
        parse_exported(text, "all.yaml")
    assert words in str(told.value)
    assert "hunter2" not in str(told.value)


def test_the_bound_of_inputs_counts_bytes(world: World, sandbox: Sandbox) -> None:
    world.home.mkdir(exist_ok=True)
    manifest = world.home / "own.yaml"
    manifest.write_text("limits: {input_bytes: 1000}")
    bounded = World(world.home, manifest=manifest)
    bounded.add(sandbox.base)
    assert bounded.run("list_users", {"query": "\N{GRINNING FACE}" * 300}).status is Status.FAILED
    assert bounded.run("list_users", {"query": "x" * 300}).status is Status.PASSED


def test_a_parts_own_options_take_no_setting_away(tmp_path: Path) -> None:
    from connector_host import Configuration
    from connector_host.app import App

    (tmp_path / "own.yaml").write_text("durability: power\noptions: {store: {anything: {}, durability: {}}}\n")
    settings = App(Configuration(home=tmp_path, manifest=tmp_path / "own.yaml")).settings
    assert settings.options_of("store") == {"anything": {}, "durability": "power"}
