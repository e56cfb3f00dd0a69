"""What HTTP adds to a recorded command: the same in process and through `serve`, in turn, with each process' own CPU."""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from connector_host import Change, Configuration, Scope, Session, Token, open_host

ROUNDS, CALLS, AT_ONCE = 5, 2000, 16
LIMITS = {"rest_requests_per_minute": 10**9, "events_per_minute": 10**9}
EVENT = {"summary": "disk full", "severity": "Info", "source": "db1", "dedup_key": "warm"}
BODY = {"plugin": "pagerduty", "command": "create_event", "connection": "bench", "inputs": EVENT}


def measured() -> dict[str, Any]:
    """Return the medians of all rounds."""
    with tempfile.TemporaryDirectory() as folder, _fast() as base:
        home = Path(folder) / "home"
        token = asyncio.run(_furnished(home, base))
        with served(home) as (address, server):
            rounds = [asyncio.run(_round(home, address, token, server)) for _ in range(ROUNDS)]
    found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    found["added_ms"] = found["http_cpu_ms"] - found["in_process_cpu_ms"]
    found["rate"] = found["http_per_s"] / found["in_process_per_s"]
    return found


def show(found: dict[str, Any]) -> None:
    print(f"in process   {found['in_process_cpu_ms']:.2f} ms CPU   {found['in_process_per_s']:.0f}/s")
    print(f"over HTTP    {found['http_cpu_ms']:.2f} ms CPU   {found['http_per_s']:.0f}/s")
    print(f"added        {found['added_ms']:.2f} ms (0.30)   rate {found['rate']:.0%} (70 %)")


class _fast:  # noqa: N801 - used as a function
    """The server that answers in microseconds."""

    def __enter__(self) -> str:
        self.process = subprocess.Popen([sys.executable, "-m", "bench.fast_server"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        return f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


class served:  # noqa: N801 - used as a function
    """A server of this data folder: its address, and its process."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> tuple[str, int]:
        program = str(Path(sys.executable).with_name("connector-host"))
        environment = {**os.environ, "CONNECTOR_HOST_HOME": str(self.home)}
        command = [program, "serve", "--port", "0", "--no-scheduler"]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = re.search(r"at (http://[^/]+)/api", self.process.stderr.readline())
        assert found is not None
        return found[1], self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


async def _furnished(home: Path, base: str) -> str:
    async with open_host(Configuration(home=home)) as host:
        session = host.as_operator()
        where = {"server_url": base, "event_url": base, **LIMITS}
        await session.connections.add(
            "bench", "pagerduty", Change({}, where, {"api_key": "a" * 32, "integration_key": "b" * 32})
        )
        return (await session.tokens.add(Token("bench", (Scope.RUN,), user="bench")))[1]


async def _round(home: Path, address: str, token: str, server: int) -> dict[str, float]:
    async with open_host(Configuration(home=home)) as host:
        session = host.as_operator()
        own = await _rate(lambda: _in_process(session), os.getpid())
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=address, headers=headers, limits=limits, trust_env=False) as client:
        http = await _rate(lambda: _over_http(client), server)
    return {"in_process_cpu_ms": own[0], "in_process_per_s": own[1], "http_cpu_ms": http[0], "http_per_s": http[1]}


async def _in_process(session: Session) -> None:
    assert (await session.run("pagerduty", "create_event", "bench", EVENT)).status == "Passed"


async def _over_http(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/api/v1/invocations", json=BODY)).json()["status"] == "Passed"


async def _rate(call: Callable[[], Awaitable[None]], process: int) -> tuple[float, float]:
    """Return CPU milliseconds of a process for each call, and calls a second, with so many at once."""
    for _ in range(20):
        await call()

    async def several() -> None:
        for _ in range(CALLS // AT_ONCE):
            await call()

    before, begun = cpu_of(process), time.perf_counter()
    await asyncio.gather(*(several() for _ in range(AT_ONCE)))
    count = CALLS // AT_ONCE * AT_ONCE
    return (cpu_of(process) - before) / count * 1000, count / (time.perf_counter() - begun)


def cpu_of(process: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
