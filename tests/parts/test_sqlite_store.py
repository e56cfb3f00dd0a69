"""The store: several programs at once, killed programs, newer and damaged files."""

import datetime as dt
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from connector_host.host.connections.editing import drafted_edit
from connector_host.model.audit import AuditEntry
from connector_host.model.caller import OPERATOR
from connector_host.model.connection import Change, StoredConnection
from connector_host.model.errors import (
    ConnectionChanged,
    ConnectionExists,
    StoreError,
    StoreTooNew,
    UnknownConnection,
    WrongUse,
)
from connector_host.model.history import HistoryRecord
from connector_host.model.result import Status
from connector_host.model.stored import EndedRun
from connector_host.stores.statements import texts
from tests.world import Sandbox, World

ADDS_FOR_EVER = """
import sys, anyio
from pathlib import Path
from connector_host.model.connection import Change
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]))) as opened:
        host = opened.as_operator()
        parameters = {"server_url": "http://127.0.0.1:1", "event_url": "http://127.0.0.1:1"}
        for number in range(100_000):
            name = f"{sys.argv[2]}-{number}"
            await host.connections.add(name, "pagerduty", Change(parameters=parameters, secrets={"api_key": "k" * 20}))
            print(name, flush=True)
anyio.run(main)
"""


def adding(home: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", ADDS_FOR_EVER, str(home), name], stdout=subprocess.PIPE, text=True)


def test_killed_programs_lose_no_acknowledged_write(tmp_path: Path) -> None:
    """Two programs add connections at the same time, and are killed in the middle, four times over."""
    world, acknowledged = World(tmp_path / "home"), []
    for turn in range(4):
        programs = [adding(world.home, f"{turn}{letter}") for letter in "ab"]
        for program in programs:
            assert program.stdout is not None
            acknowledged.append(program.stdout.readline().strip())
        time.sleep(0.05 * turn)
        for program in programs:
            program.send_signal(signal.SIGKILL)
            assert program.stdout is not None
            acknowledged += program.stdout.read().split()
            program.stdout.close()
            program.wait()

    async def look(host: Any) -> list[str]:
        names = [one.connection.name for one in await host.connections.list()]
        for name in names:
            document = await host.connections.show(name)
            assert document["secrets"] == {"api_key": "************kkkk"}
        return names

    names = world.use(look)
    assert len(acknowledged) > 8
    assert set(acknowledged) <= set(names)


def test_a_newer_store_is_refused_and_left_alone(prod: World) -> None:
    file = prod.home / "connector-host.db"
    with sqlite3.connect(file) as database:
        database.execute("pragma user_version = 9999")
    database.close()
    with pytest.raises(StoreTooNew, match="schema 9999"):
        prod.run("list_users")
    with sqlite3.connect(file) as database:
        assert database.execute("select count(*) from connection").fetchone() == (1,)
    database.close()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "connector-host.db").write_text("this is a letter, not a database" * 100)
    with pytest.raises(StoreError, match="damaged, or no database"):
        world.use(lambda host: host.connections.list())
    assert (tmp_path / "connector-host.db").read_text().startswith("this is a letter")


def test_a_database_url_may_name_the_file(tmp_path: Path, sandbox: Sandbox) -> None:
    world = World(tmp_path / "home", database=f"sqlite:///{tmp_path}/elsewhere/own.db")
    world.add(sandbox.base)
    assert (tmp_path / "elsewhere" / "own.db").exists()
    with pytest.raises(StoreError, match="not supported"):
        World(tmp_path / "home", database="mysql://somewhere").use(lambda host: host.connections.list())


def test_writing_waits_for_another_program_that_writes(prod: World) -> None:
    locker = sqlite3.connect(prod.home / "connector-host.db", isolation_level=None, check_same_thread=False)
    locker.execute("begin immediate")
    import threading

    threading.Timer(0.5, lambda: locker.execute("commit")).start()
    assert prod.run("list_users").status is Status.PASSED
    time.sleep(0.1)
    locker.close()
    assert len(prod.use(lambda host: host.history())) == 1


def test_concurrent_edits_are_detected(prod: World) -> None:
    async def work(host: Any) -> None:
        shown = await host.connections.show("prod")
        _, draft = await drafted_edit(host._core, OPERATOR, "prod", Change(fields={"description": "lost"}))
        await host.connections.edit("prod", Change(fields={"description": "first"}))
        with pytest.raises(ConnectionChanged):  # seen by another program when it writes
            await host._core.store.connections.change(StoredConnection(draft.connection), AuditEntry("", "", ""))
        with pytest.raises(ConnectionChanged):  # or made for what was seen a while ago
            await host.connections.edit("prod", Change(fields={"description": "second"}, version=shown["version"]))

    prod.use(work)
    assert prod.use(lambda host: host.connections.show("prod"))["description"] == "first"


def test_names_are_unique_and_can_be_changed(prod: World, sandbox: Sandbox) -> None:
    with pytest.raises(ConnectionExists):
        prod.add(sandbox.base)
    prod.add(sandbox.base, "twin")
    with pytest.raises(ConnectionExists):
        prod.use(lambda host: host.connections.edit("twin", Change(fields={"name": "prod"})))
    prod.use(lambda host: host.connections.edit("twin", Change(fields={"name": "other"})))
    assert [one.connection.name for one in prod.use(lambda host: host.connections.list())] == ["other", "prod"]
    with pytest.raises(UnknownConnection, match="Did you mean 'other'"):
        prod.use(lambda host: host.connections.show("othr"))


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"plugin": "other"}, {"colour": "red"}]
)
def test_fields_that_make_no_sense_are_refused(prod: World, fields: Any) -> None:
    with pytest.raises(WrongUse):
        prod.use(lambda host: host.connections.edit("prod", Change(fields=fields)))
    assert prod.use(lambda host: host.connections.show("prod"))["version"] == 1


def test_removing_a_connection_removes_its_secrets(prod: World) -> None:
    prod.use(lambda host: host.connections.remove("prod"))
    with sqlite3.connect(prod.home / "connector-host.db") as database:
        for table in ("connection", "data_key", "secret"):
            assert database.execute(f"select count(*) from {table}").fetchone() == (0,)
    database.close()


def test_a_change_by_another_program_is_seen_at_once(prod: World) -> None:
    async def work(host: Any) -> Any:
        before = await host.run("pagerduty", "list_users", "prod")
        other = World(prod.home)
        import threading

        thread = threading.Thread(
            target=lambda: other.use(lambda one: one.connections.edit("prod", Change(fields={"active": False})))
        )
        thread.start()
        thread.join()
        return before, await host.run("pagerduty", "list_users", "prod")

    before, after = prod.use(work)
    assert (before.status, after.status) == (Status.PASSED, Status.FAILED)
    assert "not active" in after.errors[0].message


def test_history_is_kept_for_the_retention(prod: World) -> None:
    old = (dt.datetime.now(dt.UTC) - dt.timedelta(days=91)).isoformat()
    record = HistoryRecord("0000", "pagerduty", "list_users", "prod", "operator", "Passed", old, 1, "{}")

    async def age(host: Any) -> int:
        await host._core.store.history.end(EndedRun(record, AuditEntry(old, "test", "invocation.finished")))
        return len(await host.history())

    assert prod.use(age) == 1
    prod.run("list_users", {"query": "kyler"})
    [kept] = prod.use(lambda host: host.history())
    assert (kept.command, kept.status, kept.inputs) == ("list_users", "Passed", '{"query": "kyler"}')
    assert prod.use(lambda host: host.past(kept.invocation_id)) == kept
    assert prod.use(lambda host: host.past("0000")) is None


def counts(result: Any) -> dict[str, int]:
    """What an intake counted; its times are the product's affair."""
    return {name: value for name, value in result.raw_data.items() if name not in {"latest", "product_time"}}


def test_records_are_taken_in_once(prod: World, sandbox: Sandbox) -> None:
    from tests.plugins.test_pagerduty_commands import RANGE

    first = prod.use(lambda host: host.ingest("pagerduty", "fetch_incident", "prod", RANGE))
    again = prod.use(lambda host: host.ingest("pagerduty", "fetch_incident", "prod", RANGE))
    assert (first.status, counts(first)) == (Status.PASSED, {"fetched": 4, "new": 4, "updated": 0, "known": 0})
    assert counts(again) == {"fetched": 4, "new": 0, "updated": 0, "known": 4}
    records = prod.use(lambda host: host.ingested("fetch_incident", "prod"))
    assert {one.unique_key for one in records} == set(sandbox.account.incidents)
    import json

    stored = sandbox.account.incidents[records[0].unique_key].data
    assert json.loads(records[0].raw) == stored
    assert json.loads(records[0].mapped)["event"]["Status"] == "triggered"


def test_a_store_of_the_first_schema_is_brought_up_to_date(sandbox: Sandbox, tmp_path: Path) -> None:
    """A database as the first schema left it, with sites and tenants that were only words then."""
    made = Path(__file__).parents[1] / "data" / "release_1_0" / "home"
    home = tmp_path / "first"
    shutil.copytree(made, home)
    (home / "master.key").chmod(0o600)
    (home / "connector-host.db").unlink()
    old = home / "old.db"
    folder = Path(__file__).parents[2] / "connector_host/stores/migrations"
    with sqlite3.connect(old) as database:
        database.executescript((folder / "0001_start.sql").read_text())
        database.execute("attach ? as now", (str(made / "connector-host.db"),))
        urls = f"'$.parameters.server_url', '{sandbox.base}', '$.parameters.event_url', '{sandbox.base}'"
        facts = f"json_set(facts, {urls}, '$.site', 'hq', '$.tenants', json('[\"acme\"]'), '$.health_check', json('{{\"interval_minutes\": 7, \"failures_before_mail\": 1, \"recipients\": []}}'))"
        database.execute(
            f"insert into connection select id, name, plugin, version, json_remove({facts}, '$.vault', '$.plugin_version', '$.admin_users', '$.admin_groups') from now.connection where name = 'prod'"
        )
        database.execute(
            "insert into connection select 'broken', 'broken', plugin, version, '{' from now.connection where name = 'prod'"
        )
        for table in ("data_key", "secret"):
            columns = {"data_key": "connection_id, version, master_key_id, wrapped", "secret": "*"}[table]
            database.execute(
                f"insert into {table} select {columns} from now.{table} where connection_id in (select id from connection)"
            )
        columns = "id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result"
        database.execute(f"insert into invocation select {columns} from now.invocation where connection = 'prod'")
        database.execute("pragma user_version = 1")
    database.close()
    world = World(home, database=f"sqlite:///{old}")

    async def look(host: Any) -> None:
        places = await host.sites.map()
        assert (places.master, sorted(places.tenants), list(places.sites)) == ("master", ["acme", "master"], ["hq"])
        shown = await host.connections.show("prod")
        assert (shown["site"], shown["tenants"], shown["health_check"]["interval_minutes"]) == ("hq", ["acme"], 7)
        assert await host.history(5, "prod")
        assert [one.state.value for one in await host.connections.list()] == ["damaged", "untested"]
        assert (await host.health.run_due()).passed == 1
        await host.connections.edit("prod", Change({"description": "still ours"}))
        assert (await host.audit.verify()).problems == ()

    world.use(look)


@pytest.mark.parametrize("statement", ["token_by_id", "invocation_by_id", "stamp_of_connection"])
def test_what_each_request_looks_up_is_found_by_its_key(world: World, statement: str) -> None:
    async def work(session: Any) -> list[str]:
        statements = session._core.store.tokens._database._here
        values = {"id": "x", "name": "x"}
        plan = statements.raw.execute(f"explain query plan {texts()[statement]}", values).fetchall()
        return [str(row[-1]) for row in plan]

    assert not [step for step in world.use(work) if step.startswith("SCAN")]
