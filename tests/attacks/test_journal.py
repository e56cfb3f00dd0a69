"""The journal of what programs begin and end: damaged, planted, raced for, and read by others."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import anyio
import pytest

from connector_host import open_host
from connector_host.model.errors import InvocationExists, StoreError, WrongUse
from connector_host.model.invocation import Options
from connector_host.stores.presence import Presence
from tests.attacks.test_what_happened import DO, GOOD, effects, program
from tests.own import add, own, run
from tests.world import World, raw_server

ID = "01a216b6-ee8b-7e4c-b983-b1b341fc2abc"
PROGRAM = "0123456789abcdef" * 2


def folder_of(world: World) -> Path:
    folder = world.home / "connector-host.db.processes"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


@pytest.mark.parametrize(
    "planted",
    [
        ("foo.bar", b"+x y\n"),
        (f"{PROGRAM}.0~", b"x\n"),
        (f"{PROGRAM}.²", b"x\n"),
        (f"{PROGRAM}.0", b"\xff\xfe\n"),
        (f"{PROGRAM}.0", b"\n"),
        (f"{PROGRAM}.0", b"hello world\n"),
        (f"{PROGRAM}.0", b"\x00" * 100 + b"\n"),
        (f"{PROGRAM}.0", b'=abc {"a":1\n'),
        (f"{PROGRAM}.0", f'+{ID} {{"a":1}}\n'.encode()),
        (f"{PROGRAM}.0", b"+half a line"),
        ("README", b"somebody's own"),
    ],
    ids=str,
)
def test_what_is_planted_stops_nobody_and_hides_nothing(tmp_path: Path, planted: tuple[str, bytes]) -> None:
    with raw_server(None) as (base, received):
        world = own(tmp_path, DO, base)
        child = program(world, tmp_path, "x")
        until = time.monotonic() + 30
        while not received and time.monotonic() < until:
            time.sleep(0.02)
        child.kill()
        child.communicate()
    (folder_of(world) / planted[0]).write_bytes(planted[1])
    [record] = world.use(lambda host: host.history())
    assert record.effect == "unknown"
    if planted[0] == "README":
        assert (folder_of(world) / planted[0]).exists()


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "folder of a program"])
def test_what_is_no_file_hangs_nobody(tmp_path: Path, kind: str) -> None:
    world = own(tmp_path, DO)
    path = folder_of(world) / (PROGRAM if kind.endswith("program") else f"{PROGRAM}.0")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.mkdir()
    assert world.use(lambda host: host.history()) == []


def test_no_living_program_is_taken_for_dead(tmp_path: Path) -> None:
    """One comes and goes, the other looks who is dead and buries them."""
    looking = f"""
import sys
from pathlib import Path
from connector_host.stores.presence import Presence
while not Path({str(tmp_path / "over")!r}).exists():
    other = Presence(Path({str(tmp_path / "p")!r}))
    other.bury(other.dead())
"""
    (tmp_path / "p").mkdir()
    child = subprocess.Popen([sys.executable, "-c", looking], cwd=Path(__file__).parents[2])
    until, wrong = time.monotonic() + 3, 0
    while time.monotonic() < until:
        mine = Presence(tmp_path / "p")
        name = mine.claim()
        held = mine._lock is not None and mine._lock._descriptor is not None
        wrong += not held or not (tmp_path / "p" / name).exists()
        mine.leave()
    (tmp_path / "over").touch()
    assert child.wait(30) == 0
    assert wrong == 0


@pytest.mark.parametrize("while_it_runs", [True, False])
def test_the_id_of_another_programs_run_is_refused(tmp_path: Path, while_it_runs: bool) -> None:
    with raw_server(GOOD, delay=0.5 if while_it_runs else 0) as (base, received):
        world = own(tmp_path, DO, base)

        async def both() -> None:
            async with open_host(world.configuration) as this, open_host(world.configuration) as other:
                one, two = this.as_operator(), other.as_operator()
                options = Options(invocation_id=str(uuid.uuid4()))
                async with anyio.create_task_group() as group:

                    async def first() -> None:
                        assert (
                            effects(await one.run("acme", "do_it", "own", {"what": "1"}, options=options))[1] == "done"
                        )

                    group.start_soon(first)
                    await anyio.sleep(0.2)
                    with pytest.raises(InvocationExists):
                        await two.run("acme", "do_it", "own", {"what": "2"}, options=options)

        anyio.run(both)
        assert sum(one.startswith(b"POST") for one in received) == 1


def test_an_unrecorded_runs_id_is_not_taken_again_by_another_program(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)
        options = Options(invocation_id=str(uuid.uuid4()), record=False)
        run(world, "do_it", {"what": "x"}, options=options)
        with pytest.raises(InvocationExists):
            run(world, "do_it", {"what": "x"}, options=options)
        assert sum(one.startswith(b"POST") for one in received) == 1


def test_a_program_that_does_something_else_hides_nothing_that_ended(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)
        loop = asyncio.new_event_loop()
        opened = open_host(world.configuration)
        session = loop.run_until_complete(opened.__aenter__()).as_operator()
        options = Options(idempotency_key="K", deadline_seconds=3)
        first = loop.run_until_complete(session.run("acme", "do_it", "own", {"what": "x"}, options=options))
        [record] = world.use(lambda host: host.history())  # another program, while this one's loop stands
        assert record.invocation_id == first.invocation_id
        assert run(world, "do_it", {"what": "x"}, options=options).invocation_id == first.invocation_id
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()
        assert sum(one.startswith(b"POST") for one in received) == 1
    assert len(world.use(lambda host: host.history())) == 1
    assert world.use(lambda host: host.audit.verify()).problems == ()


def test_a_lock_held_for_long_makes_nobody_wait(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, DO, base)

        async def locked(host: Any) -> float:
            await host.run("acme", "look", "own")
            await anyio.sleep(0.1)
            lock = sqlite3.connect(world.home / "connector-host.db", isolation_level=None)
            lock.execute("begin immediate")
            begun = time.monotonic()
            for _ in range(80):
                assert (await host.run("acme", "do_it", "own", {"what": "x"})).notes == ()
            taken = time.monotonic() - begun
            lock.execute("rollback")
            lock.close()
            return taken

        assert world.use(locked) < 5
    assert len(world.use(lambda host: host.history(100))) == 81


def test_a_damaged_database_is_refused_until_it_is_sound(tmp_path: Path) -> None:
    with raw_server(None) as (base, received):
        world = own(tmp_path, DO, base)
        with raw_server(GOOD) as (good, _):
            add(world, "good", good)
            for _ in range(3):
                world.use(lambda host: host.run("acme", "do_it", "good", {"what": "x" * 3000}))
        child = program(world, tmp_path, "x")
        until = time.monotonic() + 30
        while not received and time.monotonic() < until:
            time.sleep(0.02)
        child.kill()
        child.communicate()
    file = world.home / "connector-host.db"
    with sqlite3.connect(file) as database:
        database.execute("pragma wal_checkpoint(truncate)")
        root, size = (
            database.execute("select rootpage from sqlite_master where name = 'invocation'").fetchone()[0],
            1024,
        )
    database.close()
    with file.open("r+b") as out:
        out.seek((root - 1) * size)
        out.write(b"\xff" * 400)
    for _ in range(3):
        with pytest.raises(StoreError, match="damaged"):
            world.use(lambda host: host.history())


def test_a_host_that_was_closed_says_so(tmp_path: Path) -> None:
    world = own(tmp_path, DO)

    async def late() -> None:
        async with open_host(world.configuration) as host:
            session = host.as_operator()
        with pytest.raises(StoreError, match="The host is closed"):
            await session.connections.list()

    anyio.run(late)


def test_an_error_tab_of_thousands_is_kept_in_part(tmp_path: Path) -> None:
    with raw_server(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}") as (base, _):
        world = own(tmp_path, DO, base)
        ids = [f"id-{number}" for number in range(600)]
        result = run(world, "do_each", {"ids": ids})
    assert len(result.errors) == 600
    [record] = world.use(lambda host: host.history())
    error = json.loads(record.error or "")
    assert len(record.error or "") < 70_000
    assert "600 entries" in error["message"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5"])
def test_a_deadline_that_is_none_is_refused(tmp_path: Path, seconds: Any) -> None:
    with pytest.raises(WrongUse, match="A deadline is a number of seconds above 0"):
        run(own(tmp_path, DO), "do_it", {"what": "x"}, options=Options(deadline_seconds=seconds))
