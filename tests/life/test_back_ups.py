"""Back-ups that are whole while a host runs, and put back so that nothing undoes them."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host import Status, StoreError
from connector_host.model.connection import Change
from tests.world import Sandbox, World

HOST = [sys.executable, "-m", "connector_host"]


def told(*words: str, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **({"CONNECTOR_HOST_HOME": str(home)} if home else {})}
    return subprocess.run([*HOST, *words], env=environment, capture_output=True, text=True, timeout=60)


def names(world: World) -> list[str]:
    found: list[str] = [one.connection.name for one in world.use(lambda host: host.connections.list())]
    return found


@pytest.mark.parametrize("with_key", [True, False])
def test_a_back_up_made_while_a_host_runs_holds_everything(
    prod: World, sandbox: Sandbox, tmp_path: Path, with_key: bool
) -> None:
    folder, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"

    async def while_it_runs(host: Any) -> Any:
        await host.run("pagerduty", "list_users", "prod")
        words = [*HOST, "store", "backup", str(folder), *(["--with-key"] if with_key else [])]
        import anyio

        return await anyio.run_process(words, check=False)

    done = prod.use(while_it_runs)
    assert done.returncode == 0, done.stderr
    assert (folder / "master.key").exists() == with_key
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    assert json.loads((folder / "backup.json").read_text())["with_key"] == with_key
    if not with_key:
        elsewhere.mkdir(mode=0o700)
        shutil.copy(prod.home / "master.key", elsewhere / "master.key")
    restored = told("store", "restore", str(folder), home=elsewhere)
    assert restored.returncode == 0, restored.stderr
    other = World(elsewhere)
    assert other.run("list_users").status is Status.PASSED
    assert len(other.use(lambda host: host.history())) == 2
    audited = [one.entry.action for one in other.use(lambda host: host.audit.newest(10))]
    assert "store.restored" in audited


def test_an_old_back_up_is_not_undone_by_what_lay_beside_it(prod: World, sandbox: Sandbox, tmp_path: Path) -> None:
    assert told("store", "backup", str(tmp_path / "b")).returncode == 0
    prod.add(sandbox.base, "later")
    raw = sqlite3.connect(prod.home / "connector-host.db")
    raw.execute("pragma wal_autocheckpoint = 0")
    raw.execute("begin immediate")
    raw.execute("update connection set version = version")
    raw.execute("commit")
    stale = (prod.home / "connector-host.db-wal").read_bytes()
    raw.close()
    (prod.home / "connector-host.db-wal").write_bytes(stale)
    done = told("store", "restore", str(tmp_path / "b"), "--yes")
    assert done.returncode == 0, done.stderr
    assert names(prod) == ["prod"]
    assert prod.run("list_users").status is Status.PASSED
    kept = [file for file in prod.home.iterdir() if "before-restore" in file.name and file.suffix != ".processes"]
    assert kept
    with sqlite3.connect(kept[0]) as database:
        assert database.execute("select count(*) from connection").fetchone()[0] == 2


def test_an_old_copy_put_back_by_hand_is_refused_and_says_what_to_do(prod: World, tmp_path: Path) -> None:
    database = prod.home / "connector-host.db"
    prod.run("list_users")
    old = database.read_bytes()
    for _ in range(2):
        prod.run("list_users")
    database.write_bytes(old)
    for file in prod.home.glob("connector-host.db-*"):
        file.unlink()
    with pytest.raises(StoreError, match="store restore"):
        prod.use(lambda host: host.connections.edit("prod", Change({"description": "x"})))
    result = prod.run("create_event", {"summary": "s", "severity": "Info", "source": "s"})
    assert "store restore" in str(result.errors[0])
    assert result.effect == "none"
    assert names(prod) == ["prod"], "it can be read"
    assert told("store", "restore", "--yes").returncode == 0
    prod.use(lambda host: host.connections.edit("prod", Change({"description": "x"})))


@pytest.mark.parametrize("how", ["missing", "cut", "other", "newer"])
def test_what_is_no_whole_back_up_changes_nothing(prod: World, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "b"
    assert told("store", "backup", str(folder)).returncode == 0
    file = folder / "connector-host.db"
    if how == "missing":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif how == "other":
        file.write_bytes(b"no database at all" * 100)
    else:
        with sqlite3.connect(file) as database:
            database.execute("pragma user_version = 9999")
        database.close()
    before = sorted((one.name, one.stat().st_size) for one in prod.home.iterdir())
    done = told("store", "restore", str(folder), "--yes")
    assert done.returncode in {1, 2}
    assert "back-up" in done.stderr
    assert sorted((one.name, one.stat().st_size) for one in prod.home.iterdir()) == before
    assert prod.run("list_users").status is Status.PASSED


def test_nothing_is_restored_under_a_running_host(prod: World, sandbox: Sandbox, tmp_path: Path) -> None:
    assert told("store", "backup", str(tmp_path / "b")).returncode == 0

    async def while_it_runs(host: Any) -> Any:
        import anyio

        await host.run("pagerduty", "create_event", "prod", {"summary": "s", "severity": "Info", "source": "s"})
        return await anyio.run_process([*HOST, "store", "restore", str(tmp_path / "b"), "--yes"], check=False)

    done = prod.use(while_it_runs)
    assert done.returncode != 0
    assert b"stop them first" in done.stderr


def test_nothing_is_restored_under_a_program_that_has_sent_nothing_yet(prod: World, tmp_path: Path) -> None:
    """It keeps no journal; what it was told is done would be gone all the same."""
    folder = tmp_path / "backup"
    assert told("store", "backup", str(folder)).returncode == 0
    from anyio import run_process

    async def while_it_runs(host: Any) -> Any:
        await host.connections.edit("prod", Change({"description": "acknowledged"}))
        return await run_process([*HOST, "store", "restore", str(folder), "--yes"], check=False)

    done = prod.use(while_it_runs)
    assert done.returncode == 2
    assert b"stop them first" in done.stderr
    [one] = prod.use(lambda host: host.connections.list())
    assert one.connection.description == "acknowledged"
    assert told("store", "restore", str(folder), "--yes").returncode == 0


def test_a_back_up_takes_a_folder_of_its_own_and_a_restore_asks(prod: World, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "something").touch()
    assert "not empty" in told("store", "backup", str(tmp_path / "b")).stderr
    assert told("store", "backup", str(tmp_path / "c")).returncode == 0
    asked = told("store", "restore", str(tmp_path / "c"))
    assert asked.returncode == 2
    assert "--yes" in asked.stderr


def test_a_key_that_is_in_no_file_cannot_be_copied(prod: World, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("CONNECTOR_HOST_KEY", "env:K")
    monkeypatch.setenv("K", (prod.home / "master.key").read_text().split()[0])
    done = told("store", "backup", str(tmp_path / "b"), "--with-key")
    assert done.returncode != 0
    assert "in no file" in done.stderr


def test_a_back_up_takes_the_place_of_a_damaged_database(prod: World, tmp_path: Path) -> None:
    assert told("store", "backup", str(tmp_path / "b")).returncode == 0
    database = prod.home / "connector-host.db"
    database.write_bytes(b"\x55" * database.stat().st_size)
    restored = told("store", "restore", str(tmp_path / "b"), "--yes")
    assert restored.returncode == 0, restored.stderr
    assert names(prod) == ["prod"]
    [kept] = prod.home.glob("connector-host.db.before-restore-????????-??????")
    assert kept.read_bytes()[:2] == b"\x55\x55"


def test_a_check_of_the_store_tells_of_secrets_that_do_not_open(prod: World) -> None:
    assert prod.use(lambda host: host.store.check()) == []
    (prod.home / "master.key").unlink()
    told = prod.use(lambda host: host.store.check())
    assert len(told) == 1
    assert "'prod'" in told[0]
