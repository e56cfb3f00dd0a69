"""Programs killed at random points: what was acknowledged is there, nothing is torn, and what was done is recorded.

KILLS=300 kills as often as a release wants; the tests by themselves a fifth of it.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connector_host import Change
from tests.e2e.killed import NO_LIMIT
from tests.world import Sandbox, World, opened

KILLS = int(os.environ.get("KILLS", "60"))
pytestmark = pytest.mark.timeout(max(120, 4 * KILLS))
ROOT = Path(__file__).resolve().parents[2]


def killed(world: World, sandbox: Sandbox, work: str) -> list[list[Any]]:
    """Let a program do this work and be killed, again and again; return what it acknowledged."""
    sandbox.options["rate_limit"] = 10**9
    words = [sys.executable, "-m", "tests.e2e.killed", str(world.home), sandbox.base, work, str(KILLS)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.endswith("]")]
    assert sum(one[0] == "open" for one in said) == KILLS
    return said


@pytest.mark.long
def test_nothing_acknowledged_is_lost(world: World, sandbox: Sandbox) -> None:
    said = killed(world, sandbox, "administer")
    edited = {one[1]: one[2] for one in said if one[0] == "edit"}
    added = [one[1] for one in said if one[0] == "add"]
    kinds = [one[0] for one in said]
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


@pytest.mark.long
def test_every_effect_has_its_record_and_nothing_is_done_twice(prod: World, sandbox: Sandbox) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change(parameters=NO_LIMIT)))
    said = killed(prod, sandbox, "act")
    answered = [one for one in said if one[0] == "opened"]
    assert len(answered) > KILLS / 2
    assert sum(one[0] == "ingested" for one in said) > KILLS / 20
    there = Counter(one.data["title"] for one in sandbox.account.incidents.values() if one.data["title"][0] == "t")
    assert [title for title, count in there.items() if count > 1] == []

    async def look(host: Any) -> Any:
        records = {one.invocation_id: one for one in await host.history(10_000)}
        assert not [one for one in answered if one[4] not in records], "acknowledged, and not recorded"
        return records

    records = prod.use(look)
    opening = [one for one in records.values() if one.command == "create_incident"]
    effects = {json.loads(one.inputs)["title"]: one.effect for one in opening}
    assert len(effects) == len(opening), "one key, one invocation"
    assert {title for title in there if effects.get(title) not in {"done", "unknown"}} == set()
    assert {title for title, effect in effects.items() if effect == "done"} <= set(there)
    for _, title, status, effect, _ in answered:
        assert (effect == "done") <= (title in there), title
        assert (status == "Passed") <= (effects[title] == "done"), title
    assert any(effect == "unknown" for effect in effects.values()), "no kill came between the request and its record"

    async def rest(host: Any) -> Any:
        await host.ingest("pagerduty", "fetch_incident", "prod")
        return await host.ingested("fetch_incident", "prod", 100_000)

    keys = [one.unique_key for one in prod.use(rest)]
    assert len(keys) == len(set(keys))
    assert {name for name, one in sandbox.account.incidents.items() if one.data["title"][0] == "t"} <= set(keys)
