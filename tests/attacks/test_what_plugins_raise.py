"""A plugin decides over its own run alone, whatever it raises or gives: the host and its server go on."""

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest

from connector_host import Options, Scope, Status, Token
from tests.own import own, run
from tests.web.conftest import started
from tests.world import World

GO = """\
  go:
    title: Go
    input: {required: [what], properties: {what: {title: What, type: string}}}
"""
CODE = """
import asyncio
RAISED = {
    "cancelled": asyncio.CancelledError, "exit": SystemExit, "generator": GeneratorExit,
    "base": type("Odd", (BaseException,), {}),
}
@command
async def go(call, what):
    if what == "another":
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task
    if what == "large":
        return 10**5000
    if what == "half":
        return ["\\ud800", {"\\ud83d": 1}]
    if what == "sleep":
        await asyncio.sleep(3600)
    raise RAISED[what]("told by the plugin")
"""
ODD = ["cancelled", "another", "exit", "generator", "base", "large"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return own(tmp_path, GO, code=CODE)


@pytest.mark.parametrize("what", ODD)
def test_whatever_is_raised_is_the_runs_failure(world: World, what: str) -> None:
    result = run(world, "go", {"what": what})
    assert (result.status, result.errors[0].kind) == (Status.FAILED, "internal")
    json.loads(result.json())


def test_half_characters_are_shown_in_windows(served: httpx2.Client) -> None:
    given = {"token": served.headers["Authorization"].removeprefix("Bearer ")}
    here = {"Origin": str(served.base_url).rstrip("/"), "HX-Request": "true"}
    served.post("/sign-in", data=given, headers=here)
    form = {"connection": "own", "command": "go", "i:what": "half"}
    shown = served.post("/run", data=form, headers=here)
    assert ("✔ Passed" in shown.text, shown.status_code) == (True, 200), shown.text


def test_a_run_that_is_cancelled_is_cancelled(world: World) -> None:
    async def work(session: object) -> bool:
        with anyio.move_on_after(0.3) as scope:
            await session.run("acme", "go", "own", {"what": "sleep"}, options=Options())  # type: ignore[attr-defined]
        return scope.cancelled_caught

    assert world.use(work)


@pytest.fixture
def served(world: World, tmp_path: Path) -> Iterator[httpx2.Client]:
    token = world.use(lambda session: session.tokens.add(Token("any", (Scope.RUN,), user="ann")))[1]
    settings = {
        "CONNECTOR_HOST_HOME": str(tmp_path / "home"),
        "CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml"),
    }
    with started("serve", "--port", "0", "--no-scheduler", expect=r"HTTP API at (\S+)/api/v1", **settings) as base:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=base, headers=headers, timeout=30, trust_env=False) as client:
            yield client


def test_the_server_goes_on(served: httpx2.Client) -> None:
    for what in [*ODD, "half", *ODD]:
        body = {"plugin": "acme", "command": "go", "connection": "own", "inputs": {"what": what}}
        answer = served.post("/api/v1/invocations", json=body)
        assert answer.status_code == 200, (what, answer.text)
    for _ in range(70):  # none is left that counts as under way
        body = {"plugin": "acme", "command": "go", "connection": "own", "inputs": {"what": "cancelled"}}
        assert served.post("/api/v1/invocations", json=body, headers={"Prefer": "respond-async"}).status_code in (
            202,
            429,
        )
    assert served.post("/api/v1/invocations", json=body).status_code == 200
