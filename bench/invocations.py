"""What an invocation costs: CPU time, interleaved in one process with a bare client's; `python -m bench.invocations BASE`."""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from bench import ROOT
from connector_host import Change, Configuration
from connector_host.app import App
from connector_host.ports.hookspecs import plug
from connector_host.ports.parts import Permit, Reply, Request, Tls

KEY = "a" * 32
INPUTS = {"summary": "s", "source": "s", "severity": "Info", "dedup_key": "warm"}
BODY = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "warm",
    "payload": {"summary": "s", "source": "s", "severity": "info"},
}
BLOCK, BLOCKS = 100, 25
AT_ONCE = 64


class Nothing:
    """A transport that answers by itself: what is left is the host's own part."""

    def __init__(self, _surroundings: Any) -> None:
        self._reply = Reply(
            202, {"content-type": "application/json"}, b'{"status":"success","message":"ok","dedup_key":"warm"}'
        )

    def open(self, _tls: Tls, _permit: Permit) -> "Nothing":
        """Return itself."""
        return self

    async def send(self, _request: Request) -> Reply:
        """Answer."""
        return self._reply

    async def close(self) -> None:
        """Do nothing."""


def app(home: Path, transport: str = "lean") -> App:
    """Return a host's app with the bench's transport beside the others."""
    text = (ROOT / "manifest.yaml").read_text("utf-8").replace("transport: lean", f"transport: {transport}")
    text = text.replace("- plugins/", f"- {ROOT}/plugins/")
    home.mkdir(parents=True, exist_ok=True)
    (home / "manifest.yaml").write_text(text, "utf-8")
    package = types.SimpleNamespace(provide=plug(lambda: {"transport": {"nothing": "bench.invocations:Nothing"}}))
    return App(Configuration(home=home, manifest=home / "manifest.yaml", plugs=(package,)))


async def add(session: Any, base: str, ca: str | None = None) -> None:
    """Add the connection."""
    parameters = {"server_url": base, "event_url": base, **({"ca_bundle": ca} if ca else {})}
    parameters |= {"rest_requests_per_minute": 10**9, "events_per_minute": 10**9}  # type: ignore[dict-item]
    await session.connections.add(
        "bench", "pagerduty", Change(parameters=parameters, secrets={"api_key": KEY, "integration_key": KEY})
    )


async def block(work: Callable[[], Awaitable[Any]], times: int = BLOCK) -> float:
    """CPU microseconds of one piece of work, over a block of them."""
    begun = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - begun) / times * 1e6


def written() -> int:
    """Bytes that this process gave to the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def largest_log(folder: Path) -> float:
    """Size of the largest write-ahead log, in MB."""
    return max(file.stat().st_size for file in folder.rglob("*-wal")) / 2**20


async def at_once(work: Callable[[], Awaitable[Any]], times: int) -> dict[str, float]:
    """Sixty-four workers: how many a second by the clock and by CPU, and the slowest one in a hundred."""
    taken: list[float] = []

    async def worker() -> None:
        for _ in range(times // AT_ONCE):
            begun = time.perf_counter()
            await work()
            taken.append(time.perf_counter() - begun)

    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    ordered = sorted(taken)
    return {
        "per_second": len(taken) / seconds,
        "per_cpu_second": len(taken) / cpu,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
    }


class Weighed:
    """A history's store, and the CPU microseconds that it took to tell of what begins, and to keep what came of it.

    Sixty-four that ended are written together, within the last one's call.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self.begun: list[float] = []
        self.kept: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def begin(self, *given: Any) -> None:
        """Tell of a run."""
        begun = time.process_time()
        await self._store.begin(*given)
        self.begun.append((time.process_time() - begun) * 1e6)

    async def end(self, *given: Any) -> None:
        """Keep a run."""
        begun = time.process_time()
        await self._store.end(*given)
        self.kept.append((time.process_time() - begun) * 1e6)


async def store_share(session: Any) -> dict[str, float]:
    """CPU microseconds of the store's part of a run that acts, of its intent alone, and intents of one that reads."""
    history = session._core.history
    store = history._store = Weighed(history._store)
    try:
        for _ in range(64 * BLOCK // 4):
            await session.run("pagerduty", "create_event", "bench", INPUTS)
        acted = statistics.mean(store.begun), statistics.mean(store.kept)
        store.begun.clear()
        for _ in range(BLOCK):
            await session.run("pagerduty", "get_user", "bench", {"user_id": "P1"})
        return {"intent_us": acted[0], "us": sum(acted), "read_only_intents": len(store.begun)}
    finally:
        history._store = store._store


async def measure(base: str) -> dict[str, Any]:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as made:
        async with (
            app(Path(made) / "whole").open() as whole,
            app(Path(made) / "own", "nothing").open() as own,
            httpx2.AsyncClient() as bare,
        ):
            ours, alone = whole.as_operator(), own.as_operator()
            await add(ours, base)
            await add(alone, base)

            async def invoke(session: Any = ours) -> None:
                result = await session.run("pagerduty", "create_event", "bench", INPUTS)
                assert not result.errors, result.errors

            async def post() -> None:
                assert (await bare.post(f"{base}/v2/enqueue", json=BODY)).status_code == 202

            rows: dict[str, list[float]] = {"invocation_us": [], "bare_us": [], "own_us": []}
            for turn in range(BLOCKS + 2):
                found = await block(invoke), await block(post), await block(lambda: invoke(alone))
                if turn > 1:
                    for name, value in zip(rows, found, strict=True):
                        rows[name].append(value)
            report: dict[str, Any] = {name: statistics.median(values) for name, values in rows.items()}
            ratios = [one / other for one, other in zip(rows["invocation_us"], rows["bare_us"], strict=True)]
            report["ratio"] = statistics.median(ratios)
            before = written()
            await block(invoke, 2000)
            report["bytes_alone"] = (written() - before) / 2000
            before = written()
            report["at_once"] = await at_once(invoke, 64 * 100)
            report["bytes_at_once"] = (written() - before) / (64 * 100)
            report["bare_at_once"] = await at_once(post, 64 * 30)
            report["wal_mb"] = largest_log(Path(made))
            report["store"] = await store_share(alone)
    return report


def main() -> None:
    """Print it as JSON."""
    if os.environ.get("UVLOOP"):
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(measure(sys.argv[1]))))
    else:
        print(json.dumps(asyncio.run(measure(sys.argv[1]))))


if __name__ == "__main__":
    main()
