"""Thousands of requests at once, many cancelled at any moment: every answer is its own request's, and nothing leaks."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.transport.conftest import Client, Opened

WORKERS, EACH, CANCELLED = 64, 50, 0.3
pytestmark = pytest.mark.long


async def _worker(client: Client, kind: str, dice: random.Random, told: dict[str, int]) -> None:
    for _ in range(EACH):
        number = str(dice.randrange(10_000))
        task = asyncio.ensure_future(
            client.ask(number, kind=kind, method="POST", body=number.encode() * dice.randrange(1, 90), seconds=60)
        )
        if dice.random() < CANCELLED:
            await asyncio.sleep(dice.random() * 0.02)
            task.cancel()
        try:
            reply = await task
        except asyncio.CancelledError:
            told["cancelled"] += 1
        else:
            told["right" if reply.body.startswith(number.encode()) else "wrong"] += 1


def _sockets() -> int:
    count = 0
    for one in Path("/proc/self/fd").iterdir():
        try:
            count += str(one.readlink()).startswith("socket")
        except OSError:
            continue
    return count


# What is left open is counted; anyio leaves a socket to the collector where it is cancelled on uvloop at a bad moment.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell what is open")
@pytest.mark.parametrize("kind", ["plain", "tls"])
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_storm_of_cancelled_requests(opened: Opened, factory: Any, kind: str) -> None:
    told = dict.fromkeys(("right", "wrong", "cancelled"), 0)

    async def storm() -> tuple[int, int, int]:
        before = _sockets()
        async with opened() as client:
            dice = random.Random(5)
            await asyncio.gather(*(_worker(client, kind, dice, told) for _ in range(WORKERS)))
            assert (await client.ask(kind=kind)).body == b"ok"
        await asyncio.sleep(0.3)
        return before, _sockets(), len(asyncio.all_tasks())

    with asyncio.Runner(loop_factory=factory) as runner:
        before, after, tasks = runner.run(storm())
    assert told["wrong"] == 0
    assert told["right"] + told["cancelled"] == WORKERS * EACH
    assert told["cancelled"] > WORKERS * EACH * 0.05
    assert tasks == 1
    assert after - before <= 2 * 64  # the server's ends, which stand in this process too, may linger for a moment
