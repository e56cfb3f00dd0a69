"""Attacks on what is stored: rows changed without a key, old rows put back, keys lost, files taken away, locks held."""

import base64
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from connector_host import Configuration, open_host
from connector_host.model.audit import AuditHead
from connector_host.model.connection import Change, HealthCheck
from connector_host.model.errors import (
    ChangedOutside,
    ConnectorHostError,
    KeyExposed,
    KeyUnknown,
    SealError,
    StoreError,
    WrongLoop,
    WrongProcess,
)
from connector_host.model.result import Status
from tests.world import API_KEY, Sandbox, World, raw_server


def sql(world: World, *statements: str) -> list[Any]:
    """What somebody can do who has the database, and no key."""
    with sqlite3.connect(world.home / "connector-host.db") as database:
        found = [database.execute(statement).fetchall() for statement in statements]
    database.close()
    return found[-1]


def evil(name: str) -> str:
    return f"update connection set facts = json_set(facts, {name})"


CHANGES = {
    "the server": evil("'$.parameters.server_url', 'https://evil.example'"),
    "the plugin": "update connection set plugin = 'opsgenie'",
    "the authority trusted": evil("'$.parameters.ca_bundle', '/tmp/evil.pem'"),
    "an administrator": evil("'$.admin_users', json('[\"eve\"]')"),
    "who may use it": evil("'$.allowed_users', json('[\"eve\"]')"),
    "activity": evil("'$.active', json('true')"),
    "the site": evil("'$.site', 'shop'"),
    "who named the server": evil("'$.set_by', json('{}')"),
    "the origins": evil("'$.origins', json('[\"https://evil.example\"]')"),
    "the generation": evil("'$.generation', 99"),
    "the name": "update connection set name = 'prod2'",
    "a MAC taken away": "update data_key set mac = null",
    "the key taken away": "delete from data_key",
    "all taken away": "update data_key set mac = null; ",
}
SAME = {"activity", "who named the server"}  # what stood there already: no change


@pytest.mark.parametrize("what", [name for name in CHANGES if name not in SAME])
def test_a_row_changed_without_the_key_is_refused(prod: World, what: str) -> None:
    for statement in CHANGES[what].split("; "):
        if statement:
            sql(prod, statement)
    name = "prod2" if what == "the name" else "prod"
    with raw_server(b"") as (_, received):
        if what != "the plugin":
            result = prod.use(lambda host: host.run("pagerduty", "list_users", name))
            assert result.status is Status.FAILED
            assert "changed outside" in result.errors[0].message
        assert received == []
    for call in (
        lambda host: host.connections.edit(name, Change({"description": "x"})),
        lambda host: host.connections.copy(name, "other"),
    ):
        with pytest.raises((ChangedOutside, ConnectorHostError)):
            prod.use(call)
    shown = json.dumps(prod.use(lambda host: host.connections.list()), default=str)
    assert API_KEY not in shown


def test_macs_stripped_from_everything_are_not_made_anew(prod: World) -> None:
    sql(prod, evil("'$.parameters.server_url', 'https://evil.example'"), "update data_key set mac = null")
    for _ in range(2):
        assert "changed outside" in prod.run("list_users").errors[0].message


def test_an_old_key_with_its_secrets_put_back_opens_nothing(prod: World) -> None:
    old = {table: sql(prod, f"select * from {table}") for table in ("data_key", "secret")}
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "a-new-key-a-new-key"})))
    with sqlite3.connect(prod.home / "connector-host.db") as database:
        for table, rows in old.items():
            database.execute(f"delete from {table}")
            database.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)
    database.close()
    assert "those of another time" in prod.run("list_users").errors[0].message


@pytest.mark.parametrize(
    "statement",
    [
        "insert into tenant (name, master) values ('evil', 0)",
        "update site set tenant = 'acme'",
        "update site set internal = 0",
        "update place_stamp set mac = null",
    ],
)
def test_sites_and_tenants_changed_without_the_key_are_refused(prod: World, statement: str) -> None:
    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_tenant("acme")
        await host.sites.put_site("hq")

    prod.use(fill)
    sql(prod, statement, "update place_stamp set number = number + 1")
    with pytest.raises(ChangedOutside):
        prod.use(lambda host: host.sites.map())


@pytest.mark.parametrize("key", [bytes(32), b"\x01" * 32, bytes(range(4)) * 8])
def test_a_key_that_is_not_random_seals_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: bytes) -> None:
    monkeypatch.setenv("MASTER", base64.b64encode(key).decode())
    world = World(tmp_path / "home", key="env:MASTER")
    with pytest.raises(SealError, match="not random"):
        world.add("http://127.0.0.1:1")


def test_a_wrong_key_seals_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER", base64.b64encode(os.urandom(32)).decode())
    world = World(tmp_path / "home", key="env:MASTER")
    world.add("http://127.0.0.1:1")
    monkeypatch.setenv("MASTER", base64.b64encode(os.urandom(32)).decode())
    with pytest.raises(KeyUnknown, match="not those of this store"):
        world.add("http://127.0.0.1:1", "second")


def test_a_key_file_where_others_can_put_one_of_theirs_is_refused(prod: World) -> None:
    prod.home.chmod(0o777)
    assert "can be written to by others" in prod.run("list_users").errors[0].message
    prod.home.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(prod.home / "master.key", 12345, -1)
        with pytest.raises(KeyExposed, match="is the user 12345's: run this as that user"):
            prod.add("http://127.0.0.1:1", "second")


ROUNDS = int(os.environ.get("ROUNDS", "8"))


def _rotate(home: str, rounds: int) -> None:
    async def go() -> None:
        for _ in range(rounds):
            async with open_host(Configuration(home=Path(home))) as host:
                await host.as_operator().keys.rotate()

    anyio.run(go)


def _retire(home: str, rounds: int) -> None:
    async def go() -> None:
        for _ in range(rounds):
            async with open_host(Configuration(home=Path(home))) as host:
                try:
                    await host.as_operator().keys.rotate()
                    await host.as_operator().keys.retire()
                except ConnectorHostError:
                    pass

    anyio.run(go)


def _add(home: str, name: str, count: int) -> None:
    async def go() -> None:
        added = []
        async with open_host(Configuration(home=Path(home))) as host:
            for number in range(count):
                parameters = {"server_url": "http://127.0.0.1:1", "event_url": "http://127.0.0.1:1"}
                change = Change({}, parameters, {"api_key": f"{name}-{number}-" + "k" * 20})
                try:
                    await host.as_operator().connections.add(f"{name}-{number}", "pagerduty", change)
                except ConnectorHostError:
                    continue
                added.append(f"{name}-{number}")
        (Path(home) / f"added-{name}").write_text("\n".join(added))

    anyio.run(go)


@pytest.mark.long
@pytest.mark.parametrize(("other", "adding"), [(_rotate, 1), (_retire, 2)])
def test_no_rotation_beside_another_loses_a_secret(tmp_path: Path, other: Any, adding: int) -> None:
    """Of four programs three rotate and one adds, or two rotate and retire and two add; `python -m bench trust`: 200 rounds."""
    home = tmp_path / "home"
    world = World(home)
    world.add("http://127.0.0.1:1", "first")
    context = multiprocessing.get_context("spawn")
    work = [context.Process(target=other, args=(str(home), ROUNDS)) for _ in range(4 - adding)]
    work += [context.Process(target=_add, args=(str(home), f"a{one}", 4 * ROUNDS)) for one in range(adding)]
    for one in work:
        one.start()
    for one in work:
        one.join(60 + 10 * ROUNDS)
        assert one.exitcode == 0

    async def open_all(host: Any) -> tuple[list[str], int]:
        names = [one.connection.name for one in await host.connections.list()]
        for name in names:
            await host._core.secrets.open(await host._core.store.connections.get(name))
        return names, len(names)

    names, _ = world.use(open_all)
    acknowledged = {name for file in home.glob("added-*") for name in file.read_text().split()}
    assert acknowledged <= set(names)
    assert len(acknowledged) >= 3 * ROUNDS * adding


@pytest.mark.parametrize("gone", ["connector-host.db", "."])
def test_a_file_taken_away_while_it_is_used_acknowledges_nothing(prod: World, gone: str) -> None:
    async def work(host: Any) -> Any:
        path = prod.home / gone
        if gone == ".":
            shutil.rmtree(path)
        else:
            path.unlink()
        return await host.connections.edit("prod", Change({"description": "x"}))

    with pytest.raises(ConnectorHostError, match=r"removed or replaced|cannot be|missing"):
        prod.use(work)


def test_a_forked_child_is_told_to_open_a_host_of_its_own(prod: World) -> None:
    async def work(host: Any) -> Any:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            said = "nothing"
            try:
                host._core.store._database._check_place()
            except WrongProcess as error:
                said = str(error)
            os.write(writing, said.encode())
            os._exit(0)
        os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once
        os.close(writing)
        said = os.read(reading, 1000).decode()
        os.close(reading)
        await host.connections.edit("prod", Change({"description": "the parent goes on"}))
        return said

    assert "opened by another process" in prod.use(work)
    assert prod.use(lambda host: host.audit.verify()).problems == ()


def test_another_thread_is_told_to_open_a_host_of_its_own(prod: World) -> None:
    async def work(host: Any) -> Any:
        caught: list[BaseException] = []

        def elsewhere() -> None:
            try:
                anyio.run(host.connections.list)
            except ConnectorHostError as error:
                caught.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        return caught, await host.connections.list()

    caught, listed = prod.use(work)
    assert isinstance(caught[0], WrongLoop)
    assert len(listed) == 1


def test_another_loop_of_the_same_thread_is_told_so(prod: World, sandbox: Sandbox) -> None:
    import asyncio

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    manager = open_host(prod.configuration)
    host = first.run_until_complete(manager.__aenter__())
    with pytest.raises(WrongLoop):
        second.run_until_complete(host.as_operator().run("pagerduty", "list_users", "prod"))
    result = first.run_until_complete(host.as_operator().run("pagerduty", "list_users", "prod"))
    assert result.status is Status.PASSED
    first.run_until_complete(manager.__aexit__(None, None, None))
    first.close()
    second.close()


HOLDER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("begin immediate")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("rollback")
"""


def test_the_event_loop_goes_on_while_another_program_holds_the_lock(prod: World, sandbox: Sandbox) -> None:
    async def work(host: Any) -> Any:
        command = [sys.executable, "-c", HOLDER, str(prod.home / "connector-host.db"), "2.5"]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        holder.stdout.readline()
        stalls: list[float] = []
        done = anyio.Event()

        async def watch() -> None:
            while not done.is_set():
                before = time.monotonic()
                await anyio.sleep(0.01)
                stalls.append(time.monotonic() - before - 0.01)

        results = []
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            begun = time.monotonic()

            async def one() -> None:
                results.append(await host.run("pagerduty", "list_users", "prod"))

            async with anyio.create_task_group() as runs:
                for _ in range(5):
                    runs.start_soon(one)
            waited = time.monotonic() - begun
            done.set()
        holder.communicate()
        return results, max(stalls), waited, await host.history(50)

    results, stall, waited, records = prod.use(work)
    assert {one.status for one in results} == {Status.PASSED}
    assert waited > 1.5, "they waited for the lock"
    assert stall < 0.2, "in a noisy machine; alone it is below 50 ms"
    assert {one.invocation_id for one in results} <= {one.invocation_id for one in records}


def test_a_migration_keeps_what_was_there_before(tmp_path: Path) -> None:
    made = Path(__file__).parents[1] / "data" / "release_1_0" / "home"
    home = tmp_path / "home"
    shutil.copytree(made, home)
    (home / "master.key").chmod(0o600)
    World(home).use(lambda host: host.connections.list())
    [backup] = home.glob("connector-host.db.schema-*")
    assert backup.stat().st_mode & 0o077 == 0
    with sqlite3.connect(backup) as database:
        assert database.execute("pragma user_version").fetchone()[0] == 2
        assert database.execute("select count(*) from connection").fetchone()[0] == 4
    database.close()


def test_an_audit_whose_end_was_taken_away_is_told(prod: World) -> None:
    prod.run("list_users")
    backup = (prod.home / "connector-host.db").read_bytes()
    for _ in range(3):
        prod.run("list_users")
    (prod.home / "connector-host.db").write_bytes(backup)
    for file in prod.home.glob("connector-host.db-*"):
        file.unlink()
    verdict = prod.use(lambda host: host.audit.verify())
    assert any("noted beside the database" in problem for problem in verdict.problems)
    again = prod.use(lambda host: host.audit.verify())
    assert any("noted beside the database" in problem for problem in again.problems), "it is said until it is settled"


def test_the_audits_end_is_told_to_whoever_listens(prod: World) -> None:
    from types import SimpleNamespace

    from connector_host.ports.hookspecs import plug

    heard: list[tuple[str, Any]] = []

    @plug
    def observe(event: str, facts: Any) -> None:
        heard.append((event, facts))

    world = World(prod.home, plugs=(SimpleNamespace(observe=observe),))
    world.run("list_users")
    noted = [facts for event, facts in heard if event == "audit.noted"]
    head = world.use(lambda host: host.audit.verify()).head
    assert AuditHead(noted[-1]["number"], noted[-1]["digest"]) == head


def test_a_database_damaged_by_a_death_is_not_used(prod: World) -> None:
    prod.use(lambda host: host.keys.rotate())
    processes = prod.home / "connector-host.db.processes"
    processes.mkdir(exist_ok=True)
    (processes / ("0" * 32)).touch()
    database = prod.home / "connector-host.db"
    content = bytearray(database.read_bytes())
    for page in range(4, len(content) // 1024):
        content[page * 1024 : page * 1024 + 64] = os.urandom(64)
    database.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged"):
        prod.use(lambda host: host.connections.list())


@pytest.mark.parametrize("days", [91, 365, -365])
def test_a_clock_that_jumps_forgets_nothing_and_goes_on_checking(prod: World, days: int) -> None:
    import datetime as dt

    from tests.world import FastClock

    class Jumped(FastClock):
        def now(self) -> dt.datetime:
            return super().now() + dt.timedelta(days=days)

    prod.run("list_users")
    check = Change({"health_check": HealthCheck(interval_minutes=5)})
    prod.use(lambda host: host.connections.edit("prod", check))
    assert prod.use(lambda host: host.health.run_due()).checked == 1
    far = World(prod.home, clock=Jumped())
    assert far.use(lambda host: host.health.run_due()).checked == 1
    far.run("list_users")
    assert len(far.use(lambda host: host.history())) >= 4
    assert any(one.entry.action == "clock.jumped" for one in far.use(lambda host: host.audit.newest(50)))
    back = World(prod.home)
    back.run("list_users")
    assert len(back.use(lambda host: host.history())) >= 5
    if days > 0:
        assert back.use(lambda host: host.health.run_due()).checked == 1, "a last run in the future parks nothing"


def test_many_old_runs_are_forgotten_in_slices(prod: World) -> None:
    with sqlite3.connect(prod.home / "connector-host.db") as database:
        columns = "plugin, command, connection, caller, status, started_at, duration_ms, inputs, connection_id"
        database.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500) "
            f"insert into invocation (id, {columns}) select printf('0000%08d', i), 'p', 'c', 'prod', 'o', 'Passed', "
            "'2020-01-01T00:00:00Z', 1, '{}', '' from n"
        )
    database.close()
    left = []
    for _ in range(4):
        prod.run("list_users")
        left.append(sql(prod, "select count(*) from invocation where started_at < '2021'")[0][0])
    assert left == [1500, 500, 0, 0]


def test_the_store_is_checked_and_backed_up_while_it_is_used(prod: World, tmp_path: Path) -> None:
    from connector_host.model.caller import Caller
    from connector_host.model.errors import NotAllowed

    async def work(host: Any) -> Any:
        await host.store.back_up(tmp_path / "backup.db")
        return await host.store.check()

    assert prod.use(work) == []
    assert (tmp_path / "backup.db").stat().st_mode & 0o077 == 0
    with pytest.raises(StoreError, match="already"):
        prod.use(work)
    with pytest.raises(NotAllowed):
        prod.use(lambda host: host.store.check(), Caller(user="ann"))
    restored = tmp_path / "restored"
    restored.mkdir(mode=0o700)
    shutil.copy(tmp_path / "backup.db", restored / "connector-host.db")
    shutil.copy(prod.home / "master.key", restored / "master.key")
    assert World(restored).run("list_users").status is Status.PASSED


def test_a_key_that_a_row_needs_is_not_retired_and_a_retired_one_seals_nothing(prod: World) -> None:
    from connector_host.model.connection import WrappedKey

    async def work(host: Any) -> None:
        keys = host._core.store.keys
        [old] = await keys.in_use()
        assert list(await keys.retire([old])) == [], "the connection and the folder need it"
        folder = await keys.folder_key()
        await host.keys.rotate()
        await host.keys.retire()
        assert old not in await keys.in_use()
        with pytest.raises(KeyUnknown, match="was retired in the meantime"):
            await keys.rewrap_folder_key(await keys.folder_key(), WrappedKey(old, folder.wrapped))

    prod.use(work)
