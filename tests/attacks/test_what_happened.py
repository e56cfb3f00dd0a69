"""What happened at the product is never denied: lost answers, cut runs, dead programs, full disks, repeated calls."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import anyio
import pytest

from connector_host.model.caller import Caller
from connector_host.model.errors import InvocationExists, KeyReused, StoreError, WrongUse
from connector_host.model.invocation import Options
from connector_host.model.result import Result, Status
from tests.own import HEAD, add, own, run
from tests.world import FastClock, Sandbox, World, http, raw_server

DO = """
  do_it:
    title: Do It
    input: {properties: {what: {title: What, type: string}}}
    request: {server: api, method: POST, path: /do, body: {what: $.input.what}}
  do_each:
    title: Do Each
    input: {required: [ids], properties: {ids: {title: IDs, type: array, items: {type: string}}}}
    each: ids
    request: {server: api, method: POST, path: "/do/{$.item}"}
  look:
    title: Look
    read_only: true
    request: {server: api, path: /look}
"""


def answered(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return http(status, body, "Content-Type: application/json", *headers)


GOOD = answered(b'{"ok": true}')


def effects(result: Any) -> tuple[str, str, list[str]]:
    return result.status.value, result.effect.value, [entry.effect for entry in result.errors]


def test_an_answer_that_is_lost_is_told_as_unknown_and_asked_for_once(tmp_path: Path) -> None:
    with raw_server(b"") as (base, received):
        world = own(tmp_path, DO, base)
        result = run(world, "do_it", {"what": "x"})
        assert effects(result) == ("Failed", "unknown", ["unknown"])
        assert "may have acted" in result.errors[0].detail
        assert sum(one.startswith(b"POST") for one in received) == 1
    [record] = world.use(lambda host: host.history())
    assert (record.status, record.effect) == ("Failed", "unknown")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (GOOD, ("Passed", "done", [])),
        (answered(b"{}", "400 Bad Request"), ("Failed", "none", ["none"])),
        (answered(b"{}", "503 Service Unavailable"), ("Failed", "unknown", ["unknown"])),
        (answered(b"not json"), ("Failed", "done", ["done"])),
    ],
)
def test_each_answer_says_what_it_did(tmp_path: Path, answer: bytes, told: Any) -> None:
    with raw_server(answer) as (base, received):
        world = own(tmp_path, DO, base, clock=FastClock())
        assert effects(run(world, "do_it", {"what": "x"})) == told
        assert sum(one.startswith(b"POST") for one in received) == 1, "a gateway's 503 makes no second incident"
        assert run(world, "look").effect.value == "none"


def test_what_was_never_sent_did_nothing(tmp_path: Path) -> None:
    world = own(tmp_path, DO, "http://127.0.0.1:1", clock=FastClock())
    assert effects(run(world, "do_it", {"what": "x"})) == ("Failed", "none", ["none"])


PROGRAM = """
import sys, anyio
from pathlib import Path
from connector_host import Configuration, open_host, Options
async def main():
    where = Configuration(home=Path(sys.argv[1]), manifest=Path(sys.argv[2]) if sys.argv[2] else None,
                          plugin_folders=(Path(sys.argv[3]),))
    async with open_host(where) as host:
        options = Options(idempotency_key=sys.argv[5] or None)
        result = await host.as_operator().run("acme", "do_it", "own", {"what": sys.argv[4]}, options=options)
        print(result.json(), flush=True)
        await anyio.sleep(float(sys.argv[6]))
anyio.run(main)
"""


def program(world: World, folder: Path, what: str, key: str = "", sleep: float = 0) -> "subprocess.Popen[str]":
    manifest = str(world.configuration.manifest or "")
    words = [sys.executable, "-c", PROGRAM, str(world.home), manifest, str(folder / "acme"), what, key, str(sleep)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_program_killed_in_the_act_leaves_a_record(tmp_path: Path) -> None:
    with raw_server(None) as (base, received):
        world = own(tmp_path, DO, base)
        child = program(world, tmp_path, "x")
        until = time.monotonic() + 30
        while not received and time.monotonic() < until:
            time.sleep(0.02)
        assert received
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
    [record] = world.use(lambda host: host.history())
    assert (record.status, record.effect, record.command) == ("Failed", "unknown", "do_it")
    assert json.loads(record.error or "")["entries"][0]["kind"] == "unknown"
    [newest] = world.use(lambda host: host.audit.newest(1))
    assert newest.entry.action == "invocation.abandoned"
    assert len(world.use(lambda host: host.history())) == 1, "it is ended once"


def test_what_a_living_program_does_is_not_ended_by_another(tmp_path: Path) -> None:
    with raw_server(None) as (base, received):
        world = own(tmp_path, DO, base)
        child = program(world, tmp_path, "x")
        until = time.monotonic() + 30
        while not received and time.monotonic() < until:
            time.sleep(0.02)
        assert world.use(lambda host: host.history()) == []
        child.kill()
        child.communicate(timeout=30)


def test_a_run_that_is_cancelled_is_recorded(tmp_path: Path) -> None:
    with raw_server(None) as (base, _):
        world = own(tmp_path, DO, base)

        async def cut(host: Any) -> Any:
            with anyio.move_on_after(0.3):
                await host.run("acme", "do_it", "own", {"what": "x"})
            return await host.history()

        [record] = world.use(cut)
    assert (record.status, record.effect) == ("Failed", "unknown")
    assert "cancelled" in json.loads(record.error or "")["message"]


def test_what_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)

        async def without_a_place(host: Any) -> list[Result]:
            await host.run("acme", "do_it", "own", {"what": "first"})
            shutil.rmtree(world.home / "connector-host.db.processes")
            return [await host.run("acme", "do_it", "own", {}, options=Options(record=kept)) for kept in (True, False)]

        for result in world.use(without_a_place):
            assert effects(result) == ("Failed", "none", ["none"])
            assert "could not be recorded" in result.errors[0].message
            assert "was removed or replaced while it was in use" in result.errors[0].message
        assert sum(one.startswith(b"POST") for one in received) == 1


def test_a_disk_that_is_full_stops_what_acts_and_says_so(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)

        async def fill(host: Any) -> Any:
            raw = host._core.store._database._here.raw
            pages = raw.execute("pragma page_count").fetchone()[0]
            raw.execute(f"pragma max_page_count = {pages}")
            results = []
            for _ in range(30):
                results.append(await host.run("acme", "do_it", "own", {"what": "x" * 3000}))
                await anyio.sleep(0.01)
            raw.execute("pragma max_page_count = 1000000")
            return results, await host.history(100)

        results, records = world.use(fill)
    failed = [result for result in results if result.status is Status.FAILED]
    assert failed
    assert all("the disk is full" in result.errors[0].message for result in failed)
    done = [result for result in results if result.status is Status.PASSED]
    assert sum(one.startswith(b"POST") for one in received) == len(done)
    kept = {one.invocation_id: one.status for one in records}
    assert {one.invocation_id: "Passed" for one in done}.items() <= kept.items()


def test_a_disk_without_room_for_a_line_stops_what_acts(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)

        async def full(host: Any) -> list[Result]:
            first = await host.run("acme", "do_it", "own", {"what": "x"})
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
            try:
                second = await host.run("acme", "do_it", "own", {"what": "y" * 1000})
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            return [first, second, await host.run("acme", "do_it", "own", {"what": "z"})]

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        first, second, third = world.use(full)
        assert [one.status.value for one in (first, second, third)] == ["Passed", "Failed", "Passed"]
        assert effects(second) == ("Failed", "none", ["none"])
        assert sum(one.startswith(b"POST") for one in received) == 2


def test_a_journal_that_grew_is_left_for_the_next_and_loses_nothing(tmp_path: Path) -> None:
    """A thousand runs of a kilobyte each, one of them under way all the time; then the program is killed."""
    with raw_server(GOOD) as (base, _), raw_server(None) as (silent, waiting):
        world = own(tmp_path, DO, base)
        add(world, "slow", silent)
        child = subprocess.Popen([sys.executable, "-c", LONG, str(world.home), str(world.configuration.manifest)])
        until = time.monotonic() + 60
        while not (world.home / "done").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert waiting
        files = list((world.home / "connector-host.db.processes").glob("*.*"))
        assert 2 <= len(files) <= 3
        child.kill()
        child.wait()
    records = world.use(lambda host: host.history(2000))
    assert [one.effect for one in records if one.connection == "slow"] == ["unknown"]
    assert len(records) == 601
    world.use(lambda host: host.history())
    assert list((world.home / "connector-host.db.processes").glob("*.*")) == []


LONG = """
import sys, anyio
from pathlib import Path
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]), manifest=Path(sys.argv[2]))) as host:
        session = host.as_operator()
        async with anyio.create_task_group() as group:
            group.start_soon(session.run, "acme", "do_it", "slow", {"what": "x"})
            await anyio.sleep(0.5)
            for number in range(600):
                await session.run("acme", "do_it", "own", {"what": "x" * 1000})
            Path(sys.argv[1], "done").touch()
anyio.run(main)
"""


def test_a_result_that_cannot_be_recorded_is_returned_and_recorded_later(tmp_path: Path) -> None:
    def without_a_place() -> bytes:
        shutil.rmtree(world.home / "connector-host.db.processes")
        return GOOD

    with raw_server(without_a_place) as (base, _):
        world = own(tmp_path, DO, base)

        async def broken(host: Any) -> Any:
            raw = host._core.store._database._here.raw
            raw.execute("create temp trigger spoiled before insert on invocation begin select raise(abort, 'x'); end")
            first = await host.run("acme", "do_it", "own", {"what": "x"})
            raw.execute("drop trigger spoiled")
            return first, await host.history()

        first, records = world.use(broken)
    assert (first.status, first.effect.value) == (Status.PASSED, "done")
    assert "could not be recorded" in first.notes[-1]
    assert [(one.invocation_id, one.status) for one in records] == [(first.invocation_id, "Passed")]


def test_a_program_is_killed_before_the_database_took_what_it_ended(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, DO, base)
        with sqlite3.connect(world.home / "connector-host.db") as database:
            database.execute("create trigger spoiled before insert on invocation begin select raise(abort, 'x'); end")
        database.close()
        child = program(world, tmp_path, "x", sleep=60)
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        child.kill()
        child.communicate()
        with sqlite3.connect(world.home / "connector-host.db") as database:
            database.execute("drop trigger spoiled")
        database.close()
    records = world.use(lambda host: host.history())
    assert [(one.invocation_id, one.status, one.effect) for one in records] == [
        (told["invocation_id"], "Passed", "done")
    ]
    [newest] = world.use(lambda host: host.audit.newest(1))
    assert newest.entry.action == "invocation.finished"
    assert list((world.home / "connector-host.db.processes").iterdir()) == []


def test_each_of_a_thousand_is_in_exactly_one_list_when_time_is_over(tmp_path: Path) -> None:
    """The server answers each after 60 ms, so that about 500 of 1,000 are done within a second."""
    import asyncio

    from tests.world import serving_app

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await asyncio.sleep(0.06)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"ok": true}'})

    ids = [f"id-{number}" for number in range(1000)]
    with serving_app(app) as base:
        world = own(tmp_path, DO, base)
        begun = time.monotonic()
        result = run(world, "do_each", {"ids": ids}, options=Options(deadline_seconds=1))
        assert time.monotonic() - begun < 3
    done = [one["item"] for one in result.context_data]
    failed = [entry.item for entry in result.errors if entry.item is not None]
    assert sorted([*done, *failed]) == sorted(ids)
    unknown = [entry for entry in result.errors if entry.effect == "unknown"]
    untried = [entry for entry in result.errors if "not tried" in entry.message]
    assert result.status is Status.PARTIAL
    assert done
    assert untried
    assert len(unknown) <= 128
    assert {entry.effect for entry in result.errors if entry.item and entry not in unknown} == {"none"}


def test_an_idle_connection_that_the_server_closes_fails_no_post(tmp_path: Path) -> None:
    """The server closes each connection a random moment after its answer."""
    import random
    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    seen: list[int] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                seen.append(len(data))
                connection.sendall(GOOD)
                connection.settimeout(random.uniform(0, 0.02))
                try:
                    if not connection.recv(1, socket.MSG_PEEK):
                        return
                except TimeoutError:
                    return
                connection.settimeout(None)

    def accept() -> None:
        while True:
            try:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    world = own(tmp_path, DO, f"http://127.0.0.1:{listener.getsockname()[1]}")

    async def many(host: Any) -> Any:
        results = []
        for _ in range(120):
            results.append(await host.run("acme", "do_it", "own", {"what": "x"}))
            await anyio.sleep(random.uniform(0, 0.02))
        return results

    results = world.use(many)
    listener.close()
    assert [one.errors[0].message for one in results if one.status is not Status.PASSED] == []
    assert len(seen) == 120


def test_a_repeated_call_with_a_key_is_done_once(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)
        key = Options(idempotency_key="k1")
        first = run(world, "do_it", {"what": "x"}, options=key)
        again = run(world, "do_it", {"what": "x"}, options=key)
        assert (again.invocation_id, again.status, again.raw_data) == (
            first.invocation_id,
            first.status,
            first.raw_data,
        )
        assert "first invocation with this idempotency key" in again.notes[-1]
        with pytest.raises(KeyReused):
            run(world, "do_it", {"what": "y"}, options=key)
        run(world, "do_it", {"what": "y"}, options=Options(idempotency_key="k2"))
        assert sum(one.startswith(b"POST") for one in received) == 2


def test_two_programs_with_one_key_do_it_once_and_the_second_waits(tmp_path: Path) -> None:
    with raw_server(GOOD, delay=1.0) as (base, received):
        world = own(tmp_path, DO, base)
        children = [program(world, tmp_path, "x", "the-key") for _ in range(3)]
        found = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    assert {one["status"] for one in found} == {"Passed"}
    assert len({one["invocation_id"] for one in found}) == 1
    assert sum(one.startswith(b"POST") for one in received) == 1


def test_an_invocation_has_the_id_that_the_caller_gave(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, DO, base)
        given = "0199f1c2-7b7e-7cc1-b1b5-6d1f0c3f8a11"
        assert run(world, "do_it", {"what": "x"}, options=Options(invocation_id=given)).invocation_id == given
        with pytest.raises(WrongUse):
            run(world, "do_it", {"what": "x"}, options=Options(invocation_id="1; drop table"))
        with pytest.raises(WrongUse):
            run(world, "do_it", {"what": "x"}, options=Options(invocation_id=given))


def test_a_server_that_asks_to_wait_for_ever_is_not_heeded_for_more_than_an_hour(tmp_path: Path, clock: Any) -> None:
    busy = answered(b"{}", "429 Too Many Requests", "Retry-After: 1000000000")
    with raw_server(busy, GOOD) as (base, _):
        world = own(tmp_path, DO, base, clock=clock)
        result = run(world, "look", options=Options(deadline_seconds=4000))
        assert result.status is Status.PASSED
        assert max(clock.slept) <= 3601


SLEEPER = '''"""Acme."""
import time
from connector_host import command


@command
def nap(call):
    """Heed nothing."""
    time.sleep(3)
'''


def test_a_deadline_is_kept_within_a_tenth(tmp_path: Path) -> None:
    world = own(tmp_path, "  nap:\n    title: Nap\n", code=SLEEPER)

    async def timed(host: Any) -> float:
        begun = time.monotonic()
        await host.run("acme", "nap", "own", options=Options(deadline_seconds=1))
        return time.monotonic() - begun

    assert 0.95 <= world.use(timed) <= 1.15


LIMITED = """\
id: acme
name: Acme
version: 1.0.0
servers: {api: {url: $.connection.url, limit: {per: key, requests: REQUESTS, seconds: SECONDS}}}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
commands:
  ping:
    title: Ping
    read_only: true
    request: {server: api, path: /ping}
"""
SENDER = """
import sys, time, anyio
from pathlib import Path
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]), manifest=Path(sys.argv[2]))) as host:
        session, until = host.as_operator(), time.monotonic() + float(sys.argv[3])
        async def many():
            while time.monotonic() < until:
                await session.run("acme", "ping", "own")
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(many)
anyio.run(main)
"""


WINDOW = int(os.environ.get("WINDOW_SECONDS", "6"))  # 60: the real one, 900 a minute
ALLOWED = 15 * WINDOW


@pytest.mark.long
def test_two_programs_keep_one_limit_and_use_it(tmp_path: Path) -> None:
    """Over seven thirds of a window; what a busy machine delays on its way comes up to half a second late."""
    from tests.world import serving_app

    came: list[float] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        came.append(time.monotonic())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{}"})

    head = LIMITED.replace("REQUESTS", str(ALLOWED)).replace("SECONDS", str(WINDOW))
    lasts = WINDOW * 7 / 3
    with serving_app(app) as base:
        world = own(tmp_path, "", base, head=head)
        words = [sys.executable, "-c", SENDER, str(world.home), str(world.configuration.manifest), str(lasts)]
        children = [subprocess.Popen(words) for _ in range(2)]
        for child in children:
            assert child.wait(60 + lasts) == 0
    most = max(sum(1 for other in came if one <= other < one + WINDOW - 0.5) for one in came)
    assert most <= ALLOWED
    used = len([one for one in came if came[0] + WINDOW / 3 <= one < came[0] + lasts])
    assert used >= 0.95 * 2 * ALLOWED * (1 - 1 / 40 - 0.05)


def test_the_id_of_another_run_is_given_with_a_key(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)
        known = run(world, "look").invocation_id
        options = Options(invocation_id=known, idempotency_key="k")
        for _ in range(2):
            with pytest.raises(InvocationExists):
                run(world, "do_it", {"what": "x"}, options=options)
        assert not any(one.startswith(b"POST") for one in received)
        assert [record.command for record in world.use(lambda host: host.history())] == ["look"]


def test_the_same_id_and_key_are_given_twice(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)
        options = Options(invocation_id=str(uuid.uuid4()), idempotency_key="k")
        first, second = (run(world, "do_it", {"what": "x"}, options=options) for _ in range(2))
        assert first.invocation_id == second.invocation_id == options.invocation_id
        assert sum(one.startswith(b"POST") for one in received) == 1


def test_a_key_is_given_for_a_run_that_is_not_recorded(tmp_path: Path) -> None:
    world = own(tmp_path, DO)
    with pytest.raises(WrongUse, match="must be recorded"):
        run(world, "do_it", {"what": "x"}, options=Options(record=False, idempotency_key="k"))


def test_a_refused_key_leaves_no_run_in_the_history(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, DO, base)
        run(world, "do_it", {"what": "x"}, options=Options(idempotency_key="k"))
        with pytest.raises(KeyReused):
            run(world, "do_it", {"what": "other"}, options=Options(idempotency_key="k"))
        assert len(world.use(lambda host: host.history())) == 1


def test_runs_are_cancelled_while_their_intents_are_written(tmp_path: Path) -> None:
    """A run that waits for the writing thread, and is cut off, leaves nothing begun, and the store opens again."""

    async def cut(host: Any) -> None:
        for delay in (0.1, 0.101, 0.103, 0.106, 0.11, 0.115, 0.12):
            lock = sqlite3.connect(world.home / "connector-host.db", isolation_level=None)
            lock.execute("begin immediate")

            async def one(seconds: float) -> None:
                with anyio.move_on_after(seconds):
                    await host.run("acme", "do_it", "own", {"what": "x"})

            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(one, delay)
                await anyio.sleep(0.1)
                lock.execute("rollback")
                lock.close()

    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, DO, base)
        world.use(cut)
    assert len(world.use(lambda host: host.history(100))) == 28
    assert list((world.home / "connector-host.db.processes").iterdir()) == []


def test_what_cannot_be_written_hangs_no_other_writer(tmp_path: Path) -> None:
    """Several wait for a lock; the work of one fails in a way of its own."""

    async def together(host: Any) -> list[str]:
        lock = sqlite3.connect(world.home / "connector-host.db", isolation_level=None)
        lock.execute("begin immediate")
        told: list[str] = []

        def broken(_db: Any) -> None:
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "of its own")

        async def good() -> None:
            told.append((await host.run("acme", "do_it", "own", {"what": "x"})).status.value)

        async def bad() -> None:
            with pytest.raises(StoreError):
                await host._core.store.history._database.write(broken)

        async with anyio.create_task_group() as group:
            group.start_soon(good)
            await anyio.sleep(0.05)
            group.start_soon(bad)
            group.start_soon(good)
            await anyio.sleep(0.2)
            lock.execute("rollback")
            lock.close()
        return told

    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, DO, base)

        async def bounded(host: Any) -> Any:
            with anyio.fail_after(5):
                return await together(host)

        assert world.use(bounded) == ["Passed", "Passed"]


@pytest.mark.parametrize("name", ["x\ud800", "a\x1b[31mb", "line\nbreak"])
def test_a_callers_name_cannot_be_shown(name: str) -> None:
    for caller in ({"user": name}, {"groups": (name,)}, {"site": name}, {"tenant": name}):
        with pytest.raises(WrongUse, match="cannot be shown"):
            Caller(**caller)


LATE = """
import time
@command
def do_one(call):
    time.sleep(0.6)
    call.request("POST", "/do")
"""


@pytest.mark.parametrize("how", ["cancelled", "deadline"])
def test_a_thread_that_was_left_behind_sends(tmp_path: Path, how: str) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, "\n  do_one:\n    title: Do One\n", base, code=LATE)

        async def cut(host: Any) -> Any:
            if how == "cancelled":
                with anyio.move_on_after(0.3):
                    await host.run("acme", "do_one", "own")
            else:
                await host.run("acme", "do_one", "own", options=Options(deadline_seconds=0.3))
            await anyio.sleep(1)
            return await host.history()

        [record] = world.use(cut)
        assert (record.status, record.effect) == ("Failed", "none")
        assert received == [], "what is told to have done nothing does nothing later"


SIGNED = HEAD.replace(
    'headers: {Authorization: "Bearer {$.connection.key}"}',
    "auth: {type: oauth2, server: login, path: /token, client_id: me, client_secret: $.connection.key}",
).replace("servers: {", "servers: {login: {url: $.connection.url}, ")


def test_a_token_that_was_given_is_no_effect(tmp_path: Path) -> None:
    token = answered(b'{"access_token": "t0ken-of-the-server", "expires_in": 3600}')
    refused = answered(b"{}", "400 Bad Request")
    with raw_server(token, refused) as (base, received):
        result = run(own(tmp_path, DO, base, head=SIGNED), "do_it", {"what": "x"})
    assert [one.split(b" ")[1] for one in received] == [b"/token", b"/do"]
    assert effects(result) == ("Failed", "none", ["none"])


@pytest.mark.parametrize("key", [None, "srv01/mysql"])
def test_the_answer_to_a_new_incident_is_lost_and_it_is_found_by_its_key(
    prod: World, sandbox: Sandbox, key: str | None
) -> None:
    service = prod.run("list_services").raw_data["services"][0]["id"]
    sandbox.faults.lost = 1
    given = {"title": "Disk full", "service_id": service, "incident_key": key}
    result = prod.run("create_incident", {name: value for name, value in given.items() if value})
    assert effects(result) == ("Passed", "done", [])
    made = [one.data for one in sandbox.account.incidents.values() if one.data["title"] == "Disk full"]
    assert [one["id"] for one in made] == [result.raw_data["incident"]["id"]]
    assert made[0]["incident_key"] == key or made[0]["incident_key"].startswith("connector-host-")
    assert "found by its incident key" in result.notes[0]


def test_an_older_incident_with_the_key_is_not_taken_for_the_new_one(prod: World, sandbox: Sandbox) -> None:
    service = prod.run("list_services").raw_data["services"][0]["id"]
    given = {"title": "Disk full", "service_id": service, "incident_key": "srv01"}
    first = prod.run("create_incident", given).raw_data["incident"]["id"]
    again = prod.run("create_incident", {**given, "title": "Disk full again"})
    assert effects(again) == ("Failed", "none", ["none"])
    sandbox.account.incidents[first].change(created_at="2022-01-01T00:00:00Z")
    sandbox.faults.status, sandbox.faults.left = 503, 1
    lost = prod.run("create_incident", {**given, "title": "Disk full"})
    assert effects(lost) == ("Failed", "unknown", ["unknown"])


def test_another_user_takes_the_same_key_and_is_given_nothing_of_the_first(tmp_path: Path) -> None:
    with raw_server(GOOD) as (base, received):
        world = own(tmp_path, DO, base)
        ids = set()
        for user in ("ann", "ben"):
            options = Options(idempotency_key="k")
            work = lambda host, given=options: host.run("acme", "do_it", "own", {"what": "x"}, options=given)  # noqa: E731
            ids.add(world.use(work, Caller(user)).invocation_id)
        assert len(ids) == 2
        assert sum(one.startswith(b"POST") for one in received) == 2
