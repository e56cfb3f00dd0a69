"""One measured piece of work in a process of its own: `python -m bench.worker CASE BASE CA HOME` prints JSON."""

import asyncio
import datetime as dt
import json
import resource
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

KEY = "a" * 32
RANGE_DAYS = 60


def peak_mb() -> float:
    """Largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], Any]) -> dict[str, Any]:
    """Run once; seconds, how much, and memory above what the process had before."""
    before = peak_mb()
    begun = time.perf_counter()
    count = work()
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "count": count, "mb_above_start": peak_mb() - before}


def official_rest(base: str, ca: str) -> Any:
    import pagerduty

    return pagerduty.RestApiV2Client(KEY, base_url=base, verify=ssl.create_default_context(cafile=ca))


def official_incidents(base: str, ca: str, _home: str) -> dict[str, Any]:
    client = official_rest(base, ca)
    client.get("/abilities")
    return timed(lambda: len(client.list_all("incidents", params={"date_range": "all"})))


def official_alerts(base: str, ca: str, _home: str) -> dict[str, Any]:
    client = official_rest(base, ca)
    ids = [one["id"] for one in client.list_all("incidents", params={"date_range": "all"})]
    return timed(lambda: sum(len(client.list_all(f"incidents/{one}/alerts")) for one in ids))


def hosted(base: str, ca: str, home: str, work: Callable[[Any], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Run async work with a host whose connection `bench` leads to the sandbox, warmed by one call."""
    from connector_host import Configuration, open_host
    from connector_host.model.connection import Change

    async def go() -> dict[str, Any]:
        async with open_host(Configuration(home=Path(home))) as opened:
            host = opened.as_operator()
            parameters = {"server_url": base, "event_url": base, "ca_bundle": ca}
            limits = {"rest_requests_per_minute": 10**9, "events_per_minute": 10**9}
            secrets = {"api_key": KEY, "integration_key": KEY}
            if not await host.connections.list():
                await host.connections.add(
                    "bench", "pagerduty", Change(parameters={**parameters, **limits}, secrets=secrets)
                )
            warm = await host.run("pagerduty", "test_connection", "bench")
            assert not warm.errors, warm.errors
            return await work(host)

    return asyncio.run(go())


async def timed_result(run: Callable[[], Awaitable[Any]], count: Callable[[Any], int]) -> dict[str, Any]:
    before = peak_mb()
    begun = time.perf_counter()
    result = await run()
    seconds = time.perf_counter() - begun
    assert not result.errors, result.errors[:2]
    return {"seconds": seconds, "count": count(result), "mb_above_start": peak_mb() - before}


def fetch_inputs() -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    start, end = now - dt.timedelta(days=RANGE_DAYS), now + dt.timedelta(days=1)
    return {"start_time": start.isoformat(), "end_time": end.isoformat(), "top_recent_incident_number": 1_000_000}


def ours_incidents(base: str, ca: str, home: str) -> dict[str, Any]:
    async def work(host: Any) -> dict[str, Any]:
        inputs = fetch_inputs()
        return await timed_result(
            lambda: host.run("pagerduty", "fetch_incident", "bench", inputs), lambda one: len(one.raw_data["incidents"])
        )

    return hosted(base, ca, home, work)


def ours_alerts(base: str, ca: str, home: str) -> dict[str, Any]:
    async def work(host: Any) -> dict[str, Any]:
        ids = (await host.run("pagerduty", "fetch_incident", "bench", fetch_inputs())).key_fields["IncidentIDs"]
        return await timed_result(
            lambda: host.run("pagerduty", "get_incident_alerts", "bench", {"incident_ids": ids}),
            lambda one: len(one.raw_data["alerts"]),
        )

    return hosted(base, ca, home, work)


def main() -> None:
    case, base, ca, home = sys.argv[1:5]
    print(json.dumps(globals()[case](base, ca, home)))


if __name__ == "__main__":
    main()
