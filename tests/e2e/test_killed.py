"""Programs killed at random points, two hundred times: nothing that was acknowledged is lost, nothing is torn."""

import json
import subprocess
import sys
from typing import Any

from tests.world import Sandbox, World, opened

KILLS = 200
# Forks a program that adds, edits, rotates, retires and checks for ever, kills it somewhere in it, and goes on.
HARNESS = """
import json, os, random, signal, sys, time
from pathlib import Path
import anyio
import connector_host.stores.sqlite, connector_host.crypto.key_rings
import connector_host.crypto.aes_gcm, connector_host.http.httpx2_transport, jsonschema_rs
from connector_host.model.connection import Change, HealthCheck
from connector_host import Configuration, open_host
from connector_host.model.errors import ConnectorHostError

home, base, kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
chance = random.Random(7)

async def busy(turn, tell):
    def say(*words):
        os.write(tell, (json.dumps(words) + "\\n").encode())
    async with open_host(Configuration(home=home)) as host:
        say("open")
        number = 0
        while True:
            number += 1
            name = f"c{turn}-{number}"
            parameters = {"server_url": base, "event_url": base}
            secrets = {"api_key": f"key-of-{name}-padded", "integration_key": "i" * 32}
            session = host.as_operator()
            await session.connections.add(name, "pagerduty", Change({"health_check": HealthCheck(1)}, parameters, secrets))
            say("add", name)
            for value in range(1, 4):
                change = Change({"description": str(value)}, secrets={"api_key": f"key-of-{name}-edit-{value}"})
                await session.connections.edit(name, change)
                say("edit", name, value)
            await session.keys.rotate()
            await session.keys.retire()
            say("rotate")
            done = await session.health.run_due()
            say("checked", done.passed, done.failed)

for turn in range(kills):
    hear, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hear)
        try:
            anyio.run(busy, turn, tell)
        finally:
            os._exit(9)
    os.close(tell)
    with os.fdopen(hear) as lines:
        heard = [lines.readline() for _ in range(chance.randint(1, 9))]  # however slow the machine is today
        time.sleep(chance.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        print(*heard, lines.read(), sep="", end="")
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the program ended by itself in turn {turn}"
"""


def test_nothing_acknowledged_is_lost(world: World, sandbox: Sandbox) -> None:
    sandbox.options["rate_limit"] = 10**9
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, str(world.home), sandbox.base, str(KILLS)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = [json.loads(line) for line in done.stdout.splitlines() if line.endswith("]")]
    edited = {name: value for kind, name, value in (one for one in said if one[0] == "edit")}
    added = [one[1] for one in said if one[0] == "add"]
    kinds = [one[0] for one in said]
    assert kinds.count("open") == KILLS
    assert min(kinds.count(kind) for kind in ("add", "edit", "rotate", "checked")) > KILLS / 20

    async def look(host: Any) -> None:
        names = set()
        for one in await host.connections.list():
            name = one.connection.name
            names.add(name)
            value = int(one.connection.description or 0)
            assert value >= edited.get(name, 0)
            secrets = await opened(host, name)
            key = f"key-of-{name}-edit-{value}" if value else f"key-of-{name}-padded"
            assert secrets == {"api_key": key, "integration_key": "i" * 32}
        assert set(added) <= names
        verdict = await host.audit.verify()
        assert verdict.problems == ()
        assert verdict.records >= len(added) + kinds.count("edit")

    world.use(look)
