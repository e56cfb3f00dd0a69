"""What changes in a password vault while its values are kept: found out at the first refusal, not after a minute."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host import Status
from connector_host.model.connection import Change, VaultReference
from tests.openbao import OpenBao
from tests.world import FastClock, Sandbox, World, pagerduty_sandbox

FIRST, SECOND = "u+DoFirstKeyFirstKeybgRQ", "u+DoSecondKeySecondKeyRQ"
EVENT = {"summary": "s", "severity": "Info", "source": "s"}


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[OpenBao]:
    (tmp_path / "bao").mkdir()
    server = OpenBao(tmp_path / "bao")
    server.mount("secret", 2)
    server.put("secret", "pagerduty", api_key=FIRST)
    yield server
    server.kill()


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with pagerduty_sandbox(api_key=FIRST) as sandbox:
        yield sandbox


@pytest.fixture
def kept(tmp_path: Path, clock: FastClock, bao: OpenBao, served: Sandbox) -> World:
    world = World(tmp_path / "home", clock=clock)
    vault = Change(parameters={"server_url": bao.base}, secrets={"token": bao.root})
    world.use(lambda host: host.connections.add("corp-vault", "hashicorp_vault", vault))
    base = {"server_url": served.base, "event_url": served.base, "default_from": "earline.greenholt@example.com"}
    reference = VaultReference("corp-vault", "secret/pagerduty", "api_key")
    world.use(lambda host: host.connections.add("prod", "pagerduty", Change({}, base, vault={"api_key": reference})))
    return world


CALLS = [
    ("list_users", {}),
    ("get_user", {"user_ids": ["PU00001", "PU00002"]}),
    ("resolve_incidents", {"incident_ids": ["Q1"]}),
]


@pytest.mark.parametrize(("command", "inputs"), CALLS)
def test_a_rotated_secret_fails_nothing(
    kept: World, bao: OpenBao, served: Sandbox, command: str, inputs: dict[str, Any]
) -> None:
    if command == "resolve_incidents":
        inputs = {"incident_ids": [next(iter(served.account.incidents))]}

    async def work(host: Any) -> Any:
        first = await host.run("pagerduty", "list_users", "prod")
        bao.put("secret", "pagerduty", api_key=SECOND)
        served.options["api_key"] = SECOND
        return first, await host.run("pagerduty", command, "prod", inputs), await host.connections.show("prod")

    first, second, shown = kept.use(work)
    assert (first.status, second.status) == (Status.PASSED, Status.PASSED), second.errors
    assert not shown["health"]["attention"]
    assert SECOND not in second.json()


def test_a_test_after_a_rotation_raises_no_alarm(kept: World, bao: OpenBao, served: Sandbox) -> None:
    async def work(host: Any) -> Any:
        await host.test("prod")
        bao.put("secret", "pagerduty", api_key=SECOND)
        served.options["api_key"] = SECOND
        return await host.test("prod"), await host.connections.show("prod")

    result, shown = kept.use(work)
    assert result.status is Status.PASSED
    assert (shown["state"], shown["health"]["attention"]) == ("healthy", "")


def test_a_key_that_is_refused_for_good_is_asked_for_once_more_alone(
    kept: World, bao: OpenBao, served: Sandbox
) -> None:
    async def work(host: Any) -> Any:
        await host.run("pagerduty", "list_users", "prod")
        served.options["api_key"] = "another-key-than-ours"
        before = len(served.requests)
        result = await host.run("pagerduty", "list_users", "prod")
        return result, len(served.requests) - before, await host.connections.show("prod")

    result, asked, shown = kept.use(work)
    assert result.errors[0].kind == "unauthorized"
    assert asked == 1, "the vault gave the same value, so that the product is not asked again"
    assert shown["health"]["attention"]


def test_a_refusal_while_the_vault_is_down_is_told_as_the_refusal(kept: World, bao: OpenBao, served: Sandbox) -> None:
    async def work(host: Any) -> Any:
        await host.run("pagerduty", "list_users", "prod")
        served.options["api_key"] = SECOND
        bao.kill()
        return await host.run("pagerduty", "list_users", "prod")

    assert kept.use(work).errors[0].kind == "unauthorized"


@pytest.mark.parametrize("how", ["upgraded", "made anew"])
def test_a_mount_that_changes_is_found_out_at_the_first_refusal(tmp_path: Path, clock: FastClock, how: str) -> None:
    (tmp_path / "bao").mkdir()
    server = OpenBao(tmp_path / "bao")
    try:
        server.mount("kv", 1)
        server.put("kv", "pagerduty", 1, api_key=FIRST)
        world = World(tmp_path / "home", clock=clock)
        vault = Change(parameters={"server_url": server.base}, secrets={"token": server.root})
        world.use(lambda host: host.connections.add("corp-vault", "hashicorp_vault", vault))

        async def work(host: Any) -> Any:
            reference = VaultReference("corp-vault", "kv/pagerduty", "api_key")
            first = await host.test_look_up(reference)
            if how == "upgraded":
                server.ask("POST", "sys/mounts/kv/tune", {"options": {"version": "2"}})
                import anyio

                await anyio.sleep(1.5)  # the server moves the secrets
            else:
                server.ask("DELETE", "sys/mounts/kv", None)
                server.mount("kv", 2)
                server.put("kv", "pagerduty", api_key=SECOND)
            return first, await host.test_look_up(reference)

        first, second = world.use(work)
    finally:
        server.kill()
    assert (first.status, second.status) == (Status.PASSED, Status.PASSED), second.errors
