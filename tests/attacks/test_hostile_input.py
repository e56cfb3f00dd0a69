"""Hostile manifests, servers and texts: none stops the host, freezes it, fills its memory or steers a terminal."""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.authoring.checking import validate
from connector_host.configuration import Configuration, bundled
from connector_host.model.caller import Caller
from connector_host.model.connection import Change
from connector_host.model.errors import NotAllowed, StoreError
from connector_host.model.result import Result, Status
from tests.own import SECRET, own, run
from tests.world import World, http, raw_server

SCHEMAS = bundled() / "schemas"
GO = """
  go:
    title: Go
    read_only: true
    request: {server: api, path: /go}
  all:
    title: All
    read_only: true
    request: {server: api, path: /all, collect: things}
"""
PLUGIN = """\
id: {name}
name: Bad
version: 1.0.0
servers: {{api: {{url: https://bad.example}}}}
connection: {{properties: {{}}}}
commands:
  go:
    title: Go
    request: {{server: api, path: /go}}
    {more}
"""


def answered(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return http(status, body, "Content-Type: application/json", *headers)


def plugin(folder: Path, name: str, more: str) -> Path:
    made = folder / name
    made.mkdir()
    (made / "manifest.yaml").write_text(PLUGIN.format(name=name, more=more))
    return made


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:{port}/schema", "file:///etc/passwd", "file:///dev/zero", "x:y", "7"]
)
def test_a_schema_of_a_schema_is_never_fetched_and_stops_no_other_plugin(tmp_path: Path, uri: str) -> None:
    with raw_server(answered(b"{}")) as (base, received):
        uri = uri.replace("{port}", base.rpartition(":")[2])
        bad = plugin(tmp_path, "bad", f'output: {{$schema: "{uri}", type: object}}')
        good = plugin(tmp_path, "good", "output: {type: object}")
        plugins = App(Configuration(home=tmp_path / "home", plugin_folders=(bad, good))).plugins
        assert "good" in plugins.plugins
        assert "bad" in plugins.broken
        assert received == []


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "huge"])
def test_what_is_no_file_is_no_manifest_and_hangs_nobody(tmp_path: Path, kind: str) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    file = bad / "manifest.yaml"
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        with file.open("wb") as out:
            out.truncate(50_000_000)
    begun = time.monotonic()
    plugins = App(Configuration(home=tmp_path / "home", plugin_folders=(bad,))).plugins
    assert time.monotonic() - begun < 5
    assert "bad" in plugins.broken
    assert "pagerduty" in plugins.plugins


def test_a_megabyte_of_unknown_keys_is_told_in_a_moment(tmp_path: Path) -> None:
    keys = "\n".join(f"    unknown_key_{number}: {number}" for number in range(30_000))
    folder = plugin(tmp_path, "bad", f"description: x\n{keys}")
    begun = time.monotonic()
    problems = validate(folder, SCHEMAS).problems
    assert time.monotonic() - begun < 10
    assert 10 <= len(problems) <= 100


EVIL = "a" * 40 + "!"


def test_no_pattern_freezes_the_host(tmp_path: Path) -> None:
    commands = """
  go:
    title: Go
    input: {properties: {what: {title: What, type: string, pattern: "^(a+)+$"}}}
    request: {server: api, path: /go}
    output: {type: object, properties: {name: {type: string, pattern: "^(([a-z])+.)+[A-Z]([a-z])+$"}}}
"""
    with raw_server(answered(json.dumps({"name": "a" * 5000}).encode())) as (base, _):
        world = own(tmp_path, commands, base)
        begun = time.monotonic()
        assert "must match" in run(world, "go", {"what": EVIL * 100}).errors[0].detail
        assert run(world, "go", {"what": "a"}).status is not Status.PASSED
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!x)a", r"(a)\\1", r"a\\Z"])
def test_a_pattern_that_needs_another_engine_is_refused(tmp_path: Path, pattern: str) -> None:
    folder = plugin(tmp_path, "bad", f'input: {{properties: {{x: {{title: X, type: string, pattern: "{pattern}"}}}}}}')
    assert any("cannot be used" in problem.cause for problem in validate(folder, SCHEMAS).problems)


@pytest.mark.parametrize(("pattern", "text"), [(r"^\d+$", "١٢"), (r"^\d+$", "12\n"), (r"^\w+$", "é"), ("^a$", "a\n")])
def test_a_pattern_means_the_same_to_verdict_and_explanation(pattern: str, text: str) -> None:
    from connector_host.manifests.schema import Checker

    checker = Checker({"type": "string", "pattern": pattern})
    assert checker.accepts(text) == (not list(checker.faults(text)))


def test_a_packed_answer_that_unpacks_to_gigabytes_of_values_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b'{"things": [' + b"[]," * 8_000_000 + b"[]]}")
    with raw_server(answered(bomb, "Content-Encoding: gzip")) as (base, _):
        own(tmp_path, GO, base)
        program = f"""
import anyio, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from connector_host import Configuration, open_host
async def main():
    where = Configuration(home=Path({str(tmp_path / "home")!r}), manifest=Path({str(tmp_path / "manifest.yaml")!r}))
    async with open_host(where) as host:
        worst = 0.0
        async def watch():
            nonlocal worst
            while True:
                before = time.monotonic()
                await anyio.sleep(0.01)
                worst = max(worst, time.monotonic() - before)
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            for command in ("go", "all"):
                result = await host.as_operator().run("acme", command, "own")
                assert result.status == "Failed", result
            group.cancel_scope.cancel()
        status = Path("/proc/self/status").read_text()  # ru_maxrss would begin at that of who started it
        peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
        print(peak, worst)
anyio.run(main)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    peak, worst = map(float, done.stdout.split())
    assert peak < 300
    assert worst < 1.0


HOSTILE = {
    "nested lists": b"[" * 600 + json.dumps(SECRET).encode() + b"]" * 600,
    "nested objects": b'{"a":' * 400 + json.dumps(SECRET).encode() + b"}" * 400,
    "a lone surrogate": b'{"a": "\\ud800 ' + SECRET.encode() + b'"}',
    "a number beyond numbers": b'{"a": 1e400}',
    "minus a number beyond numbers": b"[-1e999]",
    "not a number": b'{"a": NaN}',
    "a deep list in a list": b'{"things": [' + b"[" * 500 + b"]" * 500 + b"]}",
    "an endless integer": b'{"a": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"a": 1, "a": "' + SECRET.encode() + b'"}',
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "nothing": b"",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_no_answer_makes_an_exception_or_shows_a_secret(tmp_path: Path, what: str) -> None:
    with raw_server(answered(HOSTILE[what])) as (base, _):
        world = own(tmp_path, GO, base)
        for command in ("go", "all"):
            result = run(world, command)
            assert isinstance(result, Result)
            text = result.json()
            assert SECRET not in text
            assert json.loads(text, parse_constant=pytest.fail)
            if "beyond" in what:
                assert result.status is Status.FAILED
            if what in {"nested lists", "nested objects"}:
                assert "deeper than 200" in result.errors[0].message + result.errors[0].detail


@pytest.mark.parametrize("life", ['"\u00b2"', "1" + "0" * 400, '"1e999"', "true", '"-5"', "null", "[]"])
def test_a_token_may_say_anything_of_how_long_it_lives(tmp_path: Path, life: str) -> None:
    head = """\
id: acme
name: Acme
version: 1.0.0
servers:
  api:
    url: $.connection.url
    auth: {type: oauth2, server: token, path: /token, client_id: me, client_secret: $.connection.key}
  token: {url: $.connection.url}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
commands:
"""
    token = answered(f'{{"access_token": "t0ken-t0ken", "expires_in": {life}}}'.encode())
    with raw_server(token, answered(b'{"ok": true}')) as (base, _):
        assert isinstance(run(own(tmp_path, GO, base, head=head), "go"), Result)


@pytest.mark.parametrize("kind", ["fifo", "device", "missing"])
def test_a_bundle_that_is_no_file_hangs_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bundle.pem"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    world = World(tmp_path / "home")
    where = {"server_url": "https://127.0.0.1:1", "event_url": "https://127.0.0.1:1", "ca_bundle": str(path)}
    world.use(lambda host: host.connections.add("prod", "pagerduty", Change({}, where, {"api_key": "k" * 20})))
    begun = time.monotonic()
    result = world.run("list_users", timeout=5)
    assert time.monotonic() - begun < 5
    assert "cannot be read" in result.errors[0].message


def test_only_the_operator_names_a_file_to_trust(prod: World) -> None:
    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_site("hq")
        await host.connections.edit("prod", Change({"site": "hq", "admin_users": ("ann",)}))

    prod.use(fill)
    said = set()
    for path in ("/etc/passwd", "/no/such/file"):
        change = Change(parameters={"ca_bundle": path}, secrets={"api_key": "a" * 20, "integration_key": "b" * 32})
        with pytest.raises(NotAllowed) as refusal:
            prod.use(lambda host, c=change: host.connections.edit("prod", c), Caller(user="ann", site="hq"))  # type: ignore[misc]
        said.add(str(refusal.value))
    assert len(said) == 1, "it does not tell which file there is"


def test_an_audit_without_its_end_is_told(prod: World) -> None:
    import sqlite3

    with sqlite3.connect(prod.home / "connector-host.db") as database:
        database.execute("delete from audit_head")
    database.close()
    with pytest.raises(StoreError, match="end is missing"):
        prod.use(lambda host: host.connections.edit("prod", Change({"description": "x"})))


@pytest.mark.parametrize("text", ["[/x]", "[bold]x", "\x1b[31mred", "\x9b31m", "\u202egnp.exe", "a\rb", "\x07"])
def test_no_text_of_a_server_steers_the_terminal(tmp_path: Path, text: str) -> None:
    body = json.dumps({"things": [{text: text, "id": text}]}).encode()
    with raw_server(answered(body)) as (base, _):
        world = own(tmp_path, GO, base)
        where = {**os.environ, "CONNECTOR_HOST_HOME": str(world.home), "COLUMNS": "100"}
        where["CONNECTOR_HOST_MANIFEST"] = str(world.configuration.manifest)
        command = [sys.executable, "-m", "connector_host", "test-command", "acme", "all", "--connection", "own"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=where)
    assert done.returncode == 0, done.stderr
    for steering in ("\x1b", "\x9b", "\u202e", "\r", "\x07"):
        assert steering not in done.stdout.replace("\r\n", "\n")
    if text.startswith("["):
        assert text in done.stdout


def test_a_plugin_of_release_1_0_with_such_a_pattern_loads_without_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "manifest.yaml").write_text(
        PLUGIN.format(name="old", more='output: {type: object, properties: {a: {type: string, pattern: "(?=x)y"}}}')
        + '  bad:\n    title: Bad\n    input: {properties: {x: {title: X, type: string, pattern: "(?!x)y"}}}\n'
        + "    request: {server: api, path: /bad}\n"
    )
    plugins = App(Configuration(home=tmp_path / "home", plugin_folders=(folder,))).plugins
    assert list(plugins.plugins["old"].commands) == ["go"]
    assert plugins.plugins["old"].commands["go"].output == {"type": "object", "properties": {"a": {"type": "string"}}}
    told = [(one.level.value, one.rule) for one in validate(folder, SCHEMAS).problems if one.rule == "pattern-engine"]
    assert sorted(told) == [("advice", "pattern-engine"), ("error", "pattern-engine")]
