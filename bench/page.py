"""What the page costs among 100,000 connections: the server's CPU and clock for a window, its bytes, and its first paint."""

import asyncio
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from bench.connections import MANY, changed, places
from bench.web import cpu_of, served
from connector_host import Configuration, Scope, Token, open_host

ROUNDS, LOADS, PATIENCE = 30, 7, 500
MOST_MS, MOST_KB, MOST_PAINT_MS = 60, 150, 300
WINDOWS = {
    "Connections, 50 of them": "/connections",
    "Connections, by letters": "/connections?q=C0999",
    "choice of a connection": "/run/connections?connection=c99",
    "Test Command": "/run?connection=c000001&command=create_event",
    "History": "/history",
}
PAINT = "performance.getEntriesByType('paint').find((one) => one.name === 'first-contentful-paint')?.startTime ?? 0"


def measured(base: str) -> dict[str, Any]:
    """Return the windows' milliseconds and bytes, and the first paint of the list."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        text = asyncio.run(_furnished(home, base))
        with served(home) as (address, server), _signed_in(address, text) as client:
            found = {title: _window(client, path, server) for title, path in WINDOWS.items()}
            return {"windows": found, "first_paint_ms": _first_paint(address, text)}


def show(found: dict[str, Any]) -> None:
    for title, row in found["windows"].items():
        print(
            f"{title:28} {row['cpu_ms']:6.1f} ms CPU  {row['ms']:6.1f} ms ({MOST_MS})   {row['kb']:5.0f} KB ({MOST_KB})"
        )
    paint = found["first_paint_ms"]
    print(f"{'first paint':28} {'no chromium here' if paint is None else f'{paint:6.0f} ms ({MOST_PAINT_MS})'}")


async def _furnished(home: Path, base: str) -> str:
    async with open_host(Configuration(home=home)) as host:
        session = host.as_operator()
        await places(session)
        for number in range(MANY):
            await session.connections.add(f"c{number:06}", "pagerduty", changed(base, number))
        return (await session.tokens.add(Token("bench", (Scope.ADMIN,))))[1]


@contextmanager
def _signed_in(address: str, text: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address, trust_env=False, timeout=60) as client:
        answer = client.post("/sign-in", data={"token": text}, headers={"Origin": address})
        assert answer.status_code == 303, answer.text
        yield client


def _window(client: httpx2.Client, path: str, server: int) -> dict[str, float]:
    times, kb = [], 0.0
    client.get(path)
    before = cpu_of(server)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
        kb = len(answer.content) / 1024
    spent = (cpu_of(server) - before) / ROUNDS * 1000
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    kb += sum(len(client.get(file).content) for file in dict.fromkeys(files)) / 1024
    return {"ms": statistics.median(times), "cpu_ms": spent, "kb": kb}


def _first_paint(address: str, text: str) -> float | None:
    """Return the median of some loads, each with a cold cache; None where there is no Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    paints = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(LOADS + 1):
            context = browser.new_context()
            context.request.post(f"{address}/sign-in", form={"token": text}, headers={"Origin": address})
            page = context.new_page()
            page.goto(f"{address}/connections")
            for _ in range(PATIENCE):
                painted = float(page.evaluate(PAINT))
                if painted:
                    break
                page.wait_for_timeout(20)
            assert painted, "the page was not painted"
            paints.append(painted)
            context.close()
        browser.close()
    return statistics.median(paints[1:])


if __name__ == "__main__":
    import sys

    print(json.dumps(measured(sys.argv[1])))
