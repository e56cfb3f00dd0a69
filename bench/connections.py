"""Many connections: what a list, a show and an invocation cost among 100 and among 100,000, and due health checks.

`python -m bench.connections grow BASE HOME COUNT` and `… check HOME` are its workers; both print JSON.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.worker import KEY, peak_mb

FEW, MANY, DUE, ROUNDS = 100, 100_000, 1000, 30


def changed(base: str, number: int, *, due: bool = False) -> Any:
    from connector_host.model.connection import Change, HealthCheck

    fields: dict[str, Any] = {"site": f"site-{number % 50}", "description": f"Number {number}"}
    if due:
        fields["health_check"] = HealthCheck(10)
    parameters = {"server_url": base, "event_url": base, "rest_requests_per_minute": 10**9}
    return Change(fields, parameters, {"api_key": f"{number:032}", "integration_key": KEY})


async def places(host: Any) -> None:
    await host.sites.put_tenant("us", master=True)
    for number in range(50):
        await host.sites.put_site(f"site-{number}")


async def timed(work: Callable[[int], Awaitable[Any]]) -> float:
    """Median milliseconds, the first round left out."""
    times = []
    for turn in range(ROUNDS + 1):
        begun = time.perf_counter()
        await work(turn)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[1:])


async def grow(base: str, home: str, count: int) -> dict[str, float]:
    from connector_host import Configuration, open_host
    from connector_host.model.caller import Caller
    from connector_host.model.connection import Selection, State
    from connector_host.model.errors import UnknownConnection

    async with open_host(Configuration(home=Path(home))) as opened:
        host = opened.as_operator()
        await places(host)
        begun = time.perf_counter()
        for number in range(count):
            await host.connections.add(f"c{number:06}", "pagerduty", changed(base, number))
        added = (time.perf_counter() - begun) * 1000 / count
        step = max(1, count // (ROUNDS + 1))
        others = opened.acting_for(Caller("eve", (), "site-1"))

        async def refused(name: str) -> None:
            try:
                await others.connections.show(name)
            except UnknownConnection:
                return
            raise AssertionError(name)

        selections = {
            "list, first 50 by name": (Selection(limit=50), host),
            "list, 50 of a site": (Selection(site="site-7", limit=50), host),
            "list, one by pattern": (Selection(name=f"*{count - 1:06}", limit=50), host),
            "list, 50 by state": (Selection(state=State.UNTESTED, limit=50), host),
            "list, state that none has": (Selection(state=State.FAILING, limit=50), host),
            "list, 50 that a caller sees": (Selection(limit=50), others),
        }
        found = {"add": added}
        for title, (selection, session) in selections.items():
            found[title] = await timed(lambda _, s=selection, one=session: one.connections.list(s))  # type: ignore[misc]
        found["show"] = await timed(lambda turn: host.connections.show(f"c{turn * step:06}"))
        found["an invocation, first of its connection"] = await timed(
            lambda turn: host.run("pagerduty", "list_users", f"c{turn * step:06}")
        )
        found["an invocation, warm"] = await timed(lambda _: host.run("pagerduty", "list_users", "c000000"))
        found["a name that is forbidden"] = await timed(lambda turn: refused(f"c{turn * 50 % count:06}"))
        found["a name that is unknown"] = await timed(lambda turn: refused(f"x{turn:06}"))
        return found


async def check(home: str) -> dict[str, Any]:
    from connector_host import Configuration, open_host

    before, begun = peak_mb(), time.perf_counter()
    async with open_host(Configuration(home=Path(home))) as opened:
        host = opened.as_operator()
        done = await host.health.run_due()
    return {
        "passed": done.passed,
        "failed": done.failed,
        "seconds": time.perf_counter() - begun,
        "mb_above_start": peak_mb() - before,
    }


def growth(base: str, folder: Path) -> dict[str, Any]:
    """Both sizes, and how much dearer the many are."""
    few, many = (worker("grow", base, str(folder / f"grow-{count}"), str(count)) for count in (FEW, MANY))
    return {title: {"few_ms": few[title], "many_ms": many[title], "ratio": many[title] / few[title]} for title in few}


def health(base: str, folder: Path) -> dict[str, Any]:
    """A thousand checks that are due, run by two programs at the same time."""
    from connector_host import Configuration, open_host

    home = folder / "health"

    async def fill() -> None:
        async with open_host(Configuration(home=home)) as opened:
            host = opened.as_operator()
            await places(host)
            for number in range(DUE):
                await host.connections.add(f"c{number:04}", "pagerduty", changed(base, number, due=True))

    async def count() -> tuple[int, int]:
        async with open_host(Configuration(home=home)) as opened:
            host = opened.as_operator()
            runs = await host.history(10 * DUE)
            return len(runs), len({one.connection_id for one in runs})

    asyncio.run(fill())
    command = [sys.executable, "-m", "bench.connections", "check", str(home)]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    both = [json.loads(program.communicate()[0]) for program in programs]
    runs, connections = asyncio.run(count())
    assert (runs, connections) == (DUE, DUE), (runs, connections)
    return {
        "checked": [one["passed"] + one["failed"] for one in both],
        "failed": sum(one["failed"] for one in both),
        "seconds": max(one["seconds"] for one in both),
        "mb_above_start": [one["mb_above_start"] for one in both],
    }


def worker(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.connections", *arguments]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found


def show(report: dict[str, Any]) -> None:
    checks = report["1,000 health checks"]
    print(
        f"{DUE} due health checks, two programs at once: {checks['checked']} checked, {checks['failed']} failed, "
        f"{checks['seconds']:.1f} s, MB above start {checks['mb_above_start'][0]:.0f} and {checks['mb_above_start'][1]:.0f}"
    )
    print(f"\n{'among how many connections (ms)':42} {FEW:>8} {MANY:>8}   ratio")
    for title, row in report["growth"].items():
        print(f"{title:42} {row['few_ms']:8.2f} {row['many_ms']:8.2f}   {row['ratio']:5.1f}")


if __name__ == "__main__":
    case, *rest = sys.argv[1:]
    if case == "grow":
        print(json.dumps(asyncio.run(grow(rest[0], rest[1], int(rest[2])))))
    else:
        print(json.dumps(asyncio.run(check(rest[0]))))
