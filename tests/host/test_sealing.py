"""Secrets: sealed in the store, opened only in their place, rotated without loss; each fault names the connection."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host.model.connection import Change
from connector_host.model.errors import ConnectorHostError, KeyExposed, KeyMissing, SealError
from connector_host.model.result import Status
from tests.world import API_KEY, INTEGRATION_KEY, Sandbox, World

KEY_FILE, DATABASE = "master.key", "connector-host.db"


def sql(world: World, statement: str, *values: Any) -> list[Any]:
    with sqlite3.connect(world.home / DATABASE) as database:
        found = database.execute(statement, values).fetchall()
    database.close()
    return found


def test_no_secret_stands_in_the_data_folder(prod: World) -> None:
    prod.run("list_users")
    files = [file for file in prod.home.rglob("*") if file.is_file()]
    assert {"connector-host.db", "master.key"} <= {file.name for file in files}
    for file in files:
        content = file.read_bytes()
        assert API_KEY.encode() not in content
        assert INTEGRATION_KEY.encode() not in content


def test_data_folder_is_for_its_owner_only(prod: World) -> None:
    assert (prod.home / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (prod.home / DATABASE).stat().st_mode & 0o777 == 0o600
    assert prod.home.stat().st_mode & 0o077 == 0


def test_secrets_are_shown_masked(prod: World) -> None:
    document = prod.use(lambda host: host.connections.show("prod"))
    assert document["secrets"] == {
        "api_key": "************bgRQ",
        "integration_key": "************34ca",
    }
    assert API_KEY not in repr(prod.use(lambda host: host.connections.list()))


def test_a_missing_key_file_is_named_and_nothing_is_lost(prod: World) -> None:
    kept = (prod.home / KEY_FILE).read_bytes()
    (prod.home / KEY_FILE).unlink()
    result = prod.run("list_users")
    assert result.status is Status.FAILED
    assert "connection 'prod'" in result.errors[0].message
    assert "missing" in result.errors[0].message
    with pytest.raises(KeyMissing):
        prod.add("http://127.0.0.1:1", "another")  # no second key is made while secrets need the first
    assert not (prod.home / KEY_FILE).exists()
    (prod.home / KEY_FILE).write_bytes(kept)
    (prod.home / KEY_FILE).chmod(0o600)
    assert prod.run("list_users").status is Status.PASSED


def test_a_wrong_key_is_told_apart(prod: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    other.add("http://127.0.0.1:1")
    (prod.home / KEY_FILE).write_bytes((other.home / KEY_FILE).read_bytes())
    [entry] = prod.run("list_users").errors
    assert "connection 'prod'" in entry.message
    assert "sealed under the master key" in entry.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_file_that_others_can_read_is_refused(prod: World, mode: int) -> None:
    (prod.home / KEY_FILE).chmod(mode)
    [entry] = prod.run("list_users").errors
    assert "connection 'prod'" in entry.message
    assert "chmod 600" in entry.message
    with pytest.raises(KeyExposed):
        prod.add("http://127.0.0.1:1", "another")


@pytest.mark.parametrize("content", ["", "not base64!", "c2hvcnQ=", "\u00e9"])
def test_a_damaged_key_file_is_told(prod: World, content: str) -> None:
    (prod.home / KEY_FILE).write_text(content)
    [entry] = prod.run("list_users").errors
    assert "connection 'prod'" in entry.message
    assert "master key file" in entry.message


def test_a_damaged_secret_disables_its_connection_alone(prod: World, sandbox: Sandbox) -> None:
    prod.add(sandbox.base, "twin")
    sql(
        prod,
        "update secret set sealed = zeroblob(40) where name = 'api_key' and connection_id = (select id from connection where name = 'prod')",
    )
    [entry] = prod.run("list_users").errors
    assert "secret 'api_key' of connection 'prod'" in entry.message
    assert "--secret api_key=-" in entry.message
    assert prod.use(lambda host: host.run("pagerduty", "list_users", "twin")).status is Status.PASSED
    assert prod.use(lambda host: host.connections.show("prod"))["secrets"]["api_key"].startswith("(cannot be opened")
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "a-newer-key-a-newer-key"})))
    assert prod.run("list_users").status is Status.PASSED


def test_a_damaged_row_disables_its_connection_alone(prod: World, sandbox: Sandbox) -> None:
    prod.add(sandbox.base, "twin")
    sql(prod, "update connection set facts = '{' where name = 'prod'")
    [entry] = prod.run("list_users").errors
    assert "row of connection 'prod' is damaged" in entry.message
    assert len(prod.use(lambda host: host.connections.list())) == 2
    with pytest.raises(ConnectorHostError, match="damaged"):
        prod.use(lambda host: host.connections.edit("prod", Change(fields={"description": "x"})))
    assert sql(prod, "select facts from connection where name = 'prod'") == [("{",)]
    prod.use(lambda host: host.connections.remove("prod"))
    assert prod.use(lambda host: host.run("pagerduty", "list_users", "twin")).status is Status.PASSED


def test_a_swapped_secret_does_not_open(prod: World) -> None:
    rows = dict(sql(prod, "select name, sealed from secret"))
    sql(prod, "update secret set sealed = ? where name = 'api_key'", rows["integration_key"])
    assert "api_key" in prod.run("list_users").errors[0].message


def test_a_stolen_row_does_not_open_in_another_connection(prod: World, sandbox: Sandbox) -> None:
    prod.add(sandbox.base, "thief", secrets={"api_key": "thief-key-thief-key"})
    ids = dict(sql(prod, "select name, id from connection"))
    for table in ("data_key", "secret"):
        sql(prod, f"delete from {table} where connection_id = ?", ids["thief"])
        sql(prod, f"update {table} set connection_id = ? where connection_id = ?", ids["thief"], ids["prod"])
    result = prod.use(lambda host: host.run("pagerduty", "list_users", "thief"))
    assert result.status is Status.FAILED
    assert "'thief'" in result.errors[0].message


def test_an_old_value_put_back_does_not_open(prod: World) -> None:
    old = dict(sql(prod, "select name, sealed from secret"))["api_key"]
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "a-newer-key-a-newer-key"})))
    sql(prod, "update secret set sealed = ? where name = 'api_key'", old)
    assert "api_key" in prod.run("list_users").errors[0].message


def test_an_old_value_put_back_with_its_old_key_does_not_open(prod: World) -> None:
    old_key = sql(prod, "select wrapped from data_key")[0][0]
    old = dict(sql(prod, "select name, sealed from secret"))
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "a-newer-key-a-newer-key"})))
    sql(prod, "update data_key set wrapped = ?", old_key)
    for name, sealed in old.items():
        sql(prod, "update secret set sealed = ? where name = ?", sealed, name)
    assert "'prod'" in prod.run("list_users").errors[0].message


def test_editing_one_secret_leaves_the_others(prod: World, sandbox: Sandbox) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "a-newer-key-a-newer-key"})))
    prod.run("create_event", {"summary": "s", "severity": "Info", "source": "s"})
    assert sandbox.account.events[0]["routing_key"] == INTEGRATION_KEY


def test_rotation_rewraps_and_old_keys_can_be_retired(prod: World, sandbox: Sandbox) -> None:
    for number in range(5):
        prod.add(sandbox.base, f"c{number}")
    before = sql(prod, "select master_key_id, wrapped from data_key")
    secrets = sql(prod, "select sealed from secret order by connection_id, name")
    assert prod.use(lambda host: host.keys.rotate()) == 6
    after = sql(prod, "select master_key_id, wrapped from data_key")
    assert not {row[0] for row in before} & {row[0] for row in after}
    assert len({row[0] for row in after}) == 1
    assert sql(prod, "select sealed from secret order by connection_id, name") == secrets
    assert prod.run("list_users").status is Status.PASSED
    prod.use(lambda host: host.keys.retire())
    assert len((prod.home / KEY_FILE).read_text().split()) == 1
    assert prod.run("list_users").status is Status.PASSED


def test_an_interrupted_rotation_goes_on_without_another_key(prod: World, sandbox: Sandbox) -> None:
    prod.add(sandbox.base, "twin")
    stopped = sql(prod, "select connection_id, master_key_id, wrapped from data_key limit 1")[0]
    prod.use(lambda host: host.keys.rotate())
    sql(
        prod,
        "update data_key set master_key_id = ?, wrapped = ? where connection_id = ?",
        stopped[1],
        stopped[2],
        stopped[0],
    )
    with pytest.raises(SealError, match="still needs an older key"):
        prod.use(lambda host: host.keys.retire())
    assert prod.use(lambda host: host.keys.rotate()) == 1
    assert len((prod.home / KEY_FILE).read_text().split()) == 2


def test_rotation_works_while_others_read(prod: World) -> None:
    """Another program runs commands all the while three rotations go on."""
    code = """
import sys, anyio
from pathlib import Path
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]))) as opened:
        host = opened.as_operator()
        print("ready", flush=True)
        for _ in range(150):
            result = await host.run("pagerduty", "list_users", "prod")
            assert not result.errors, result.errors
anyio.run(main)
"""
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(prod.home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for _ in range(3):
        assert prod.use(lambda host: host.keys.rotate()) == 1
    _, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors


def test_keys_from_the_environment(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import base64

    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    world = World(tmp_path / "env", key="env:MY_KEYS")
    with pytest.raises(KeyMissing, match="MY_KEYS"):
        world.add(sandbox.base)
    monkeypatch.setenv("MY_KEYS", first)
    world.add(sandbox.base)
    assert world.run("list_users").status is Status.PASSED
    assert not (world.home / KEY_FILE).exists()
    with pytest.raises(SealError, match="put a new key before it"):
        world.use(lambda host: host.keys.rotate())
    monkeypatch.setenv("MY_KEYS", f"{second},{first}")
    assert world.use(lambda host: host.keys.rotate()) == 1
    monkeypatch.setenv("MY_KEYS", second)
    assert world.run("list_users").status is Status.PASSED


def test_two_programs_at_first_start_agree_on_one_key(tmp_path: Path) -> None:
    code = """
import sys, anyio
from pathlib import Path
from connector_host.model.connection import Change
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]))) as opened:
        host = opened.as_operator()
        parameters = {"server_url": "http://127.0.0.1:1", "event_url": "http://127.0.0.1:1"}
        await host.connections.add(sys.argv[2], "pagerduty", Change(parameters=parameters, secrets={"api_key": "k" * 20}))
anyio.run(main)
"""
    home = tmp_path / "home"
    programs = [subprocess.Popen([sys.executable, "-c", code, str(home), f"c{number}"]) for number in range(4)]
    assert [program.wait(timeout=60) for program in programs] == [0, 0, 0, 0]
    world = World(home)

    async def open_all(host: Any) -> list[Any]:
        return [await host.connections.show(f"c{number}") for number in range(4)]

    assert {json.dumps(one["secrets"]) for one in world.use(open_all)} == {'{"api_key": "************kkkk"}'}
