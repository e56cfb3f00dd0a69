"""A program that forks itself, is killed somewhere in its work, and begins again: `python -m tests.e2e.killed`.

Its arguments are the data folder, the server, the name of the work, and how often to kill. What was acknowledged is
printed, a JSON list per line, as soon as it was.
"""

import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import jsonschema_rs  # noqa: F401 - imported before the forks, for the same work in less time

import connector_host.crypto.aes_gcm
import connector_host.crypto.key_rings
import connector_host.http.lean_transport
import connector_host.stores.sqlite  # noqa: F401
from connector_host import Configuration, Options, Session, open_host
from connector_host.model.connection import Change, HealthCheck

Say = Callable[..., None]
Work = Callable[[Session, str, int, Say], Awaitable[None]]
AT_ONCE = 4

# So that none waits for its rate limit, however often programs are killed.
NO_LIMIT = {"rest_requests_per_minute": 10**9, "events_per_minute": 10**9}


async def administer(host: Session, base: str, turn: int, say: Say) -> None:
    """Add, edit, rotate, retire and check, for ever."""
    for number in itertools.count(1):
        name = f"c{turn}-{number}"
        parameters = {"server_url": base, "event_url": base, **NO_LIMIT}
        secrets = {"api_key": f"key-of-{name}-padded", "integration_key": "i" * 32}
        await host.connections.add(name, "pagerduty", Change({"health_check": HealthCheck(1)}, parameters, secrets))
        say("add", name)
        for value in range(1, 4):
            change = Change({"description": str(value)}, secrets={"api_key": f"key-of-{name}-edit-{value}"})
            await host.connections.edit(name, change)
            say("edit", name, value)
        await host.keys.rotate()
        await host.keys.retire()
        say("rotate")
        done = await host.health.run_due()
        say("checked", done.passed, done.failed)


async def act(host: Session, base: str, turn: int, say: Say) -> None:
    """Open incidents, take all in, and edit and rotate between them; what the killed one began is asked for again."""
    service = (await host.run("pagerduty", "list_services", "prod")).raw_data["services"][0]["id"]

    async def open_incident(title: str) -> None:
        options = Options(idempotency_key=title)
        result = await host.run(
            "pagerduty", "create_incident", "prod", {"title": title, "service_id": service}, options=options
        )
        say("opened", title, result.status.value, result.effect.value, result.invocation_id)

    for number in itertools.count(1):
        say("begins", number)
        before = [f"t{turn - 1}-{number}-{one}" for one in range(AT_ONCE)] if turn else []
        async with anyio.create_task_group() as group:
            for title in [*before, *(f"t{turn}-{number}-{one}" for one in range(AT_ONCE))]:
                group.start_soon(open_incident, title)
        taken = await host.ingest("pagerduty", "fetch_incident", "prod")
        say("ingested", taken.status.value, taken.raw_data["fetched"] if taken.raw_data else 0)
        await host.connections.edit("prod", Change({"description": f"{turn}-{number}"}))
        await host.keys.rotate()
        say("rotated")


WORK: dict[str, Work] = {"administer": administer, "act": act}


async def busy(home: Path, base: str, work: Work, turn: int, tell: int) -> None:
    def say(*words: Any) -> None:
        os.write(tell, (json.dumps(words) + "\n").encode())

    async with open_host(Configuration(home=home)) as host:
        say("open")
        await work(host.as_operator(), base, turn, say)


def main() -> None:
    home, base, work, kills = Path(sys.argv[1]), sys.argv[2], WORK[sys.argv[3]], int(sys.argv[4])
    chance = random.Random(7)
    for turn in range(kills):
        hear, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(hear)
            try:
                anyio.run(busy, home, base, work, turn, tell)
            finally:
                os._exit(9)
        os.close(tell)
        with os.fdopen(hear) as lines:
            heard = [lines.readline() for _ in range(chance.randint(1, 16))]  # however slow the machine is today
            time.sleep(chance.random() * 0.02)
            os.kill(child, signal.SIGKILL)
            sys.stdout.write("".join([*heard, lines.read()]))
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"the program ended by itself in turn {turn}"


if __name__ == "__main__":
    main()
