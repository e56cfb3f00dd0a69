"""Bounds: of answers, wires, processes, pauses and queues; each held by what is seen from outside."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pluggy
import pytest

from connector_host.http.limits import Limiter
from connector_host.model.invocation import Options
from connector_host.model.invocation_errors import RateLimited
from connector_host.model.result import Status
from connector_host.ports.hookspecs import PROJECT
from connector_host.ports.parts import Allowance, Reply, Request, Surroundings
from tests.own import add, own, run
from tests.world import FastClock, World, http, pagerduty_sandbox, raw_server

GO = "  go: {title: Go, request: {server: api, path: /}}\n"


def test_an_answer_that_announces_more_than_64_mib_is_not_read(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    for size, words in ((64 * 1024 * 1024 + 1, "announces 67108865 bytes"), (64 * 1024 * 1024, "")):
        folder = tmp_path / str(size)
        folder.mkdir()
        with raw_server(head % size + b"{}") as (base, _):
            entry = run(own(folder, GO, base), "go", seconds=3).errors[0]
        assert words in entry.message
        assert bool(words) == ("more than the host accepts" in entry.message)


class Wires:
    """Counts the wires that are open; each answers everything with {}."""

    open = 0
    most = 0

    def __init__(self, _surroundings: Surroundings) -> None:
        Wires.open = Wires.most = 0

    def open_session(self) -> Any:
        Wires.open += 1
        Wires.most = max(Wires.most, Wires.open)
        return SimpleNamespace(send=self._send, close=self._close)

    async def _send(self, _request: Request) -> Reply:
        return Reply(200, {}, b"{}")

    async def _close(self) -> None:
        Wires.open -= 1


class CountingTransport(Wires):
    """The transport `counting`."""

    def open(self, _tls: Any, _permit: Any) -> Any:  # type: ignore[override]
        return self.open_session()


def counting() -> Any:
    def provide() -> Mapping[str, Mapping[str, str]]:
        return {"transport": {"counting": f"{__name__}:CountingTransport"}}

    return SimpleNamespace(provide=pluggy.HookimplMarker(PROJECT)(provide))


@pytest.fixture
def counted(tmp_path: Path, clock: FastClock) -> World:
    return own(tmp_path, GO, settings="slots: {transport: counting}\n", clock=clock, plugs=(counting(),))


def test_the_wire_of_a_removed_connection_is_closed(counted: World) -> None:
    async def work(host: Any) -> list[int]:
        counts = []
        await host.run("acme", "go", "own")
        counts.append(Wires.open)
        await host.connections.remove("own")
        return [*counts, Wires.open]

    assert counted.use(work) == [1, 0]


def test_no_more_than_256_connections_keep_their_wire(counted: World) -> None:
    for number in range(270):
        add(counted, f"c{number}", "http://127.0.0.1:1")

    async def work(host: Any) -> int:
        for number in range(270):
            await host.run("acme", "go", f"c{number}")
        return Wires.open

    assert counted.use(work) == 256
    assert counted.use(_after) == 0


async def _after(_host: Any) -> int:
    return Wires.open


def test_pauses_between_tries_grow(world: World, clock: FastClock) -> None:
    with pagerduty_sandbox(fail="500:9") as sandbox:
        world.add(sandbox.base)
        assert world.run("list_users").status is Status.FAILED
    assert clock.slept == [1, 2, 4]


def test_those_who_were_told_how_long_to_wait_do_not_all_come_back_at_once(world: World, clock: FastClock) -> None:
    good = http("200 OK", b'{"users": [], "more": false}')
    for _ in range(4):
        with raw_server(http("503 Busy", b"", "Retry-After: 10"), good) as (base, _):
            world.point_to(base)
            world.run("list_users")
    assert all(10 <= seconds <= 11 for seconds in clock.slept)
    assert len(set(clock.slept)) == 4


def test_who_stands_too_far_back_is_refused_without_waiting(clock: FastClock) -> None:
    """One request a minute, two minutes' time: the first waits for nothing, the next two in turn, the fourth gives up at once."""
    limiter = Limiter(clock, lambda *_: None)
    request = Request("GET", "http://x/", "api", allowance=Allowance("key", 1, 60), deadline=clock.monotonic() + 130)
    order: list[tuple[str, float]] = []

    async def send(_request: Request) -> Reply:
        return Reply(200, {}, b"")

    async def one(name: str) -> None:
        begun = clock.monotonic()
        try:
            await limiter(request, send)
            order.append((name, clock.monotonic() - begun))
        except RateLimited:
            order.append((f"{name} refused", clock.monotonic() - begun))

    async def all_of_them() -> None:
        await one("first")
        async with anyio.create_task_group() as group:
            for name in ("second", "third", "fourth"):
                group.start_soon(one, name)

    anyio.run(all_of_them)
    assert order[:2] == [("first", 0), ("fourth refused", 0)]
    assert [name for name, _ in order[2:]] == ["second", "third"]


def test_an_isolated_plugin_keeps_four_processes_at_rest(tmp_path: Path) -> None:
    head = (
        "id: acme\nname: Acme\nversion: 1.0.0\nisolation: process\nconnection:\n  properties:\n"
        "    url: {title: URL, type: string}\n    key: {title: Key, type: string, writeOnly: true}\ncommands:\n"
    )
    code = "import os, time\n\n@command\ndef go(call):\n    time.sleep(0.5)\n    return {'pid': os.getpid()}\n"
    world = own(tmp_path, "  go: {title: Go}\n", code=code, head=head)

    async def work(host: Any) -> tuple[int, int]:
        seen: set[int] = set()

        async def one() -> None:
            result = await host.run("acme", "go", "own", options=Options(deadline_seconds=60))
            seen.add(result.raw_data["pid"])

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(one)
        return len(seen), sum(_lives(pid) for pid in seen)

    assert world.use(work) == (6, 4)


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
