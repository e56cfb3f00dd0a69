"""Machines as they really are: odd names, bytes, folders of others, clocks and settings out of bounds."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.configuration import Configuration, bundled
from connector_host.model.connection import Change, HealthCheck
from connector_host.model.errors import BadSetting, ConnectionExists
from connector_host.model.result import Status
from tests.own import own, run
from tests.world import Sandbox, World, http, raw_server

HOST = [sys.executable, "-m", "connector_host"]


def told(*words: bytes | str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*HOST, *words], capture_output=True, timeout=60, env={**os.environ, **environment})


@pytest.mark.parametrize("twin", [" trail", "trail ", "cafe\u0301"])
def test_names_that_look_alike_are_one_name(prod: World, sandbox: Sandbox, twin: str) -> None:
    name = unicodedata.normalize("NFC", twin.strip())
    prod.add(sandbox.base, twin)
    assert name in [one.connection.name for one in prod.use(lambda host: host.connections.list())]
    with pytest.raises(ConnectionExists):
        prod.add(sandbox.base, name)
    assert prod.use(lambda host: host.run("pagerduty", "list_teams", twin)).status is Status.PASSED


@pytest.mark.parametrize("words", [["connections", "show", b"caf\xe9"], ["connections", "list", "--name", b"\xff"]])
def test_bytes_that_are_no_text_are_told_in_words(words: list[Any]) -> None:
    done = told(*words)
    assert done.returncode == 2
    assert b"is not UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "cache").write_text("a file")
    assert told("plugins", "list", CONNECTOR_HOST_HOME=str(home)).returncode == 0


def test_a_data_folder_is_expanded_as_a_shell_would(tmp_path: Path) -> None:
    done = subprocess.run(
        [*HOST, "connections", "list"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path / "me"), "CONNECTOR_HOST_HOME": "~/chh"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "~").exists()
    assert (tmp_path / "me" / "chh").is_dir()


def test_a_manifest_of_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    world = own(tmp_path, "  go: {title: Going, request: {server: api, path: /go}}\n")
    words = [sys.executable, "-c", SEEN, str(world.home), str(world.configuration.manifest)]
    assert subprocess.run(words, capture_output=True, text=True).stdout.strip() == "Going"
    file = tmp_path / "acme" / "manifest.yaml"
    before, text = file.stat(), file.read_text()
    other = tmp_path / "new"
    other.write_text(text.replace("Going", "Gone!"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    file.write_text(other.read_text())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert subprocess.run(words, capture_output=True, text=True).stdout.strip() == "Gone!"


SEEN = """
import sys
from pathlib import Path
from connector_host.app import App
from connector_host.configuration import Configuration
where = Configuration(home=Path(sys.argv[1]), manifest=Path(sys.argv[2]))
print(App(where).plugins.plugins["acme"].commands["go"].title)
"""


@pytest.mark.parametrize(
    "setting",
    [
        "retention_days: 1000000",
        "vault_cache_seconds: 100000000000",
        "limits: {deadline_seconds: 100000000000}",
        "limits: {concurrency: 1000000}",
    ],
)
def test_a_setting_out_of_bounds_is_refused_when_it_is_read(tmp_path: Path, setting: str) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(f"plugins: []\n{setting}\n")
    with pytest.raises(BadSetting, match="at most"):
        App(Configuration(home=tmp_path / "home", manifest=manifest)).settings  # noqa: B018


def test_minutes_out_of_bounds_are_refused(prod: World) -> None:
    with pytest.raises(BadSetting, match="at most"):
        prod.use(lambda host: host.connections.edit("prod", Change({"health_check": HealthCheck(10**12)})))


@pytest.mark.parametrize("given", [100.0, 3e2])
def test_a_whole_number_with_a_point_is_whole(tmp_path: Path, given: float) -> None:
    commands = """
  go:
    title: Go
    read_only: true
    input: {properties: {count: {title: Count, type: integer}, counts: {title: Counts, type: array, items: {type: integer}}}}
    request: {server: api, path: "/go/{$.input.count}", query: {many: $.input.counts}}
"""
    with raw_server(http("200 OK", b"{}", "Content-Type: application/json")) as (base, received):
        world = own(tmp_path, commands, base)
        assert run(world, "go", {"count": given, "counts": [given]}).status is Status.PASSED
    assert received[0].startswith(b"GET /go/%d?many=%d " % (given, given))


def test_a_relative_bundle_is_kept_absolute(world: World, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import certifi

    world.home.mkdir(exist_ok=True, mode=0o700)
    (world.home / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.chdir(world.home)
    world.add(sandbox.base, parameters={"ca_bundle": "ca.pem"})
    shown = world.use(lambda host: host.connections.show("prod"))
    assert shown["parameters"]["ca_bundle"] == str(world.home / "ca.pem")
    assert bundled().is_absolute()


def test_names_that_look_alike_are_told_apart_at_the_first_start(tmp_path: Path) -> None:
    import shutil
    import sqlite3

    made = Path(__file__).parents[1] / "data" / "release_1_0" / "home"
    home = tmp_path / "home"
    shutil.copytree(made, home)
    (home / "master.key").chmod(0o600)
    with sqlite3.connect(home / "connector-host.db") as database:
        ids = [row[0] for row in database.execute("select id from connection order by name")]
        for row_id, name in zip(ids, ("caf\u00e9", "cafe\u0301", "trail "), strict=False):
            facts = "json_set(facts, '$.name', ?)" if _has_name(database) else "facts"
            values = (name, name, row_id) if "?" in facts else (name, row_id)
            database.execute(f"update connection set name = ?, facts = {facts} where id = ?", values)
    database.close()
    world = World(home)
    names = [one.connection.name for one in world.use(lambda host: host.connections.list())]
    assert {"caf\u00e9", "caf\u00e9 (2)", "trail"} <= set(names)
    renamed = [
        one.entry for one in world.use(lambda host: host.audit.newest(50)) if one.entry.action == "connection.renamed"
    ]
    assert len(renamed) == 2
    again = [one.connection.name for one in World(home).use(lambda host: host.connections.list())]
    assert again == names


def _has_name(database: Any) -> bool:
    facts = database.execute("select facts from connection limit 1").fetchone()[0]
    return '"name"' in facts
