"""A server as a user starts it: its own process, a data folder, PagerDuty's stand-in behind it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector_host import Change, Session
from connector_host.model.token import Scope, Token
from tests.world import API_KEY, INTEGRATION_KEY, SENDER, Sandbox, World, pagerduty_sandbox

PROGRAM = str(Path(sys.executable).with_name("connector-host"))


class Web:
    """A running server; `client()` is somebody who shows a token."""

    def __init__(self, world: World, base: str, sandbox: Sandbox) -> None:
        self.world, self.base, self.sandbox = world, base, sandbox
        self.texts: dict[str, str] = {}
        self.open: list[httpx2.Client] = []

    def token(self, name: str, *scopes: Scope, **more: Any) -> str:
        """Make a token, once for each name; give its text."""
        if name not in self.texts:

            async def work(session: Session) -> str:
                return (await session.tokens.add(Token(name, scopes or (Scope.ADMIN,), **more)))[1]

            self.texts[name] = self.world.use(work)
        return self.texts[name]

    def client(self, name: str = "operator", *scopes: Scope, **more: Any) -> httpx2.Client:
        """Somebody with a token of their own."""
        return self.stranger(Authorization=f"Bearer {self.token(name, *scopes, **more)}")

    def stranger(self, **headers: str) -> httpx2.Client:
        """Somebody without one."""
        self.open.append(httpx2.Client(base_url=self.base, headers=headers, timeout=30, trust_env=False))
        return self.open[-1]


def serving(home: Path, *arguments: str, expect: str = r"HTTP API at (\S+)/api/v1") -> AbstractContextManager[str]:
    return started("serve", "--port", "0", *arguments, expect=expect, CONNECTOR_HOST_HOME=str(home))


@contextmanager
def started(*arguments: str, expect: str, **settings: str) -> Iterator[str]:
    """A program that runs until it is told to end, and then ends well; what it told of itself by the pattern."""
    command, environment, nowhere = [PROGRAM, *arguments], {**os.environ, **settings}, subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=nowhere, text=True) as program:
        assert program.stderr is not None
        try:
            told = ""
            while not (found := re.search(expect, told)):
                line = program.stderr.readline()
                assert line, told
                told += line
            yield found[1]
        finally:
            program.terminate()
            rest = program.stderr.read()
            assert program.wait(20) == 0, rest


def _furnished(home: Path, base: str) -> World:
    """Two tenants with a site each, and connections: one at each site, one that names its users, one unplaced."""
    world = World(home)
    where = {"server_url": base, "event_url": base, "default_from": SENDER}
    secrets = {"api_key": API_KEY, "integration_key": INTEGRATION_KEY}

    async def work(session: Session) -> None:
        await session.sites.put_tenant("us", master=True)
        await session.sites.put_tenant("them")
        await session.sites.put_site("hq", tenant="us")
        await session.sites.put_site("away", tenant="them")
        places: dict[str, dict[str, Any]] = {
            "prod": {"site": "hq"},
            "theirs": {"site": "away"},
            "named": {"site": "hq", "allowed_users": ("ann",), "admin_users": ("ada",)},
        }
        for name, fields in places.items():
            await session.connections.add(name, "pagerduty", Change(fields, where, secrets))

    world.use(work)
    return world


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    home = tmp_path_factory.mktemp("web") / "home"
    with pagerduty_sandbox() as sandbox:
        world = _furnished(home, sandbox.base)
        with pagerduty_sandbox(latency=600) as slow, serving(home) as base:
            world.add(slow.base, "slow")
            made = Web(world, base, sandbox)
            yield made
            for client in made.open:
                client.close()
