"""Long lists of realistic records, in CPU seconds and memory above start: `python -m bench.lists CASE BASE CA` prints JSON."""

import asyncio
import json
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.invocations import KEY, add, app
from bench.worker import fetch_inputs, peak_mb

RECORDS = 10_000


async def hosted(
    base: str, ca: str, work: Callable[[Any], Awaitable[Any]], count: Callable[[Any], int]
) -> dict[str, Any]:
    """Measure one command of a warm host."""
    with tempfile.TemporaryDirectory() as made:
        async with app(Path(made)).open() as host:
            session = host.as_operator()
            await add(session, base, ca)
            assert not (await session.run("pagerduty", "test_connection", "bench")).errors
            before, begun = peak_mb(), time.process_time()
            result = await work(session)
            seconds = time.process_time() - begun
            assert not result.errors, result.errors[:2]
            assert count(result) == RECORDS, count(result)
            return {"cpu_s": seconds, "mb": peak_mb() - before}


def users(base: str, ca: str) -> dict[str, Any]:
    """List 10,000 users."""
    return asyncio.run(
        hosted(
            base, ca, lambda one: one.run("pagerduty", "list_users", "bench"), lambda one: len(one.raw_data["users"])
        )
    )


def intake(base: str, ca: str) -> dict[str, Any]:
    """Take 10,000 incidents in."""
    inputs = fetch_inputs()
    return asyncio.run(
        hosted(
            base,
            ca,
            lambda one: one.ingest("pagerduty", "fetch_incident", "bench", inputs),
            lambda one: int(one.raw_data["new"]),
        )
    )


def official(base: str, ca: str, what: str) -> dict[str, Any]:
    """The same list with the official client."""
    import pagerduty

    client = pagerduty.RestApiV2Client(KEY, base_url=base, verify=ssl.create_default_context(cafile=ca))
    client.get("/abilities")
    before, begun = peak_mb(), time.process_time()
    assert len(client.list_all(what, params={"date_range": "all"} if what == "incidents" else {})) == RECORDS
    return {"cpu_s": time.process_time() - begun, "mb": peak_mb() - before}


CASES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "users": users,
    "intake": intake,
    "official_users": lambda base, ca: official(base, ca, "users"),
    "official_incidents": lambda base, ca: official(base, ca, "incidents"),
}


if __name__ == "__main__":
    print(json.dumps(CASES[sys.argv[1]](sys.argv[2], sys.argv[3])))
