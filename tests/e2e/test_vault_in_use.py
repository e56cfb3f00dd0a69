"""A connection whose API key lives in the real vault: used, changed there, and every way in which the vault fails."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host.model.connection import Change, Selection, VaultReference
from connector_host.model.errors import WrongUse
from connector_host.model.result import Result, Status
from tests.openbao import OpenBao
from tests.world import FastClock, World, pagerduty_sandbox

FIRST, SECOND = "u+DoFirstKeyFirstKeybgRQ", "u+DoSecondKeySecondKeyRQ"
REFERENCE = VaultReference("corp-vault", "secret/pagerduty", "api_key")


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[OpenBao]:
    (tmp_path / "bao").mkdir()
    server = OpenBao(tmp_path / "bao")
    server.mount("secret", 2)
    server.put("secret", "pagerduty", api_key=FIRST)
    yield server
    server.kill()


@pytest.fixture
def world(tmp_path: Path, clock: FastClock, bao: OpenBao) -> Iterator[World]:
    """The connection `prod` to a sandbox that takes the first key only, the key in the vault."""
    made = World(tmp_path / "home", clock=clock)
    vault = Change(parameters={"server_url": bao.base}, secrets={"token": bao.root})
    made.use(lambda host: host.connections.add("corp-vault", "hashicorp_vault", vault))
    with pagerduty_sandbox(api_key=FIRST) as sandbox:
        made.sandbox = sandbox  # type: ignore[attr-defined]
        add_prod(made, sandbox.base)
        yield made


def add_prod(world: World, base: str, name: str = "prod", **vault: VaultReference) -> None:
    change = Change(parameters={"server_url": base, "event_url": base}, vault=vault or {"api_key": REFERENCE})
    world.use(lambda host: host.connections.add(name, "pagerduty", change))


async def listed(host: Any, name: str = "prod") -> Result:
    result: Result = await host.run("pagerduty", "list_users", name)
    return result


def test_the_key_is_fetched_at_use_and_a_new_one_after_the_cache_time(
    world: World, bao: OpenBao, clock: FastClock
) -> None:
    async def work(host: Any) -> list[tuple[Status, str]]:
        results = [await listed(host)]
        bao.put("secret", "pagerduty", api_key=SECOND)
        world.sandbox.options["api_key"] = SECOND  # type: ignore[attr-defined]
        results.append(await listed(host))  # the kept key, which PagerDuty no longer takes: the vault is asked again
        await clock.sleep(61)
        results.append(await listed(host))
        return [(one.status, one.errors[0].status_code if one.errors else "") for one in results]

    assert world.use(work) == [(Status.PASSED, "")] * 3


def test_a_value_within_its_time_serves_while_the_vault_is_down(world: World, bao: OpenBao, clock: FastClock) -> None:
    async def work(host: Any) -> list[Status]:
        statuses = [(await listed(host)).status]
        bao.kill()
        statuses.append((await listed(host)).status)
        await clock.sleep(61)
        return [*statuses, (await listed(host)).status]

    assert world.use(work) == [Status.PASSED, Status.PASSED, Status.FAILED]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("kill", "refuses connections"),
        ("stop", "refuses connections"),
        ("seal", "Vault is sealed"),
        ("revoke", "token expired, or was revoked"),
        ("forget", "There is no secret at 'secret/pagerduty'"),
        ("rename", "has no field 'api_key'"),
        ("forbid", "permission denied"),
        ("deactivate", "'corp-vault' is not active"),
    ],
)
def test_each_failure_names_vault_path_and_field(world: World, bao: OpenBao, harm: str, words: str) -> None:
    harms: dict[str, Callable[[], Any]] = {
        "kill": bao.kill,
        "stop": bao.stop,
        "seal": bao.seal,
        "revoke": lambda: edit_vault(world, {"token": "an-old-token-that-is-gone"}),
        "forget": lambda: bao.ask("DELETE", "secret/metadata/pagerduty"),
        "rename": lambda: bao.put("secret", "pagerduty", key=FIRST),
        "forbid": lambda: edit_vault(
            world, {"token": bao.token('path "secret/data/other" { capabilities = ["read"] }')}, kv_version="2"
        ),
        "deactivate": lambda: world.use(
            lambda host: host.connections.edit("corp-vault", Change(fields={"active": False}))
        ),
    }
    harms[harm]()
    for result in (world.use(listed), world.use(lambda host: host.test("prod"))):
        assert result.status is Status.FAILED
        said = str(result.errors[0])
        assert words in said
        for part in ("vault connection 'corp-vault'", "'secret/pagerduty'", "'api_key'", "(API Key)"):
            assert part in said
        assert FIRST not in json.dumps(result.errors, default=str)


def edit_vault(world: World, secrets: dict[str, str], **parameters: str) -> None:
    change = Change(parameters=parameters, secrets=secrets)
    world.use(lambda host: host.connections.edit("corp-vault", change))


def test_the_value_is_written_nowhere(world: World) -> None:
    assert world.use(listed).status is Status.PASSED
    assert world.use(lambda host: host.test_look_up(REFERENCE)).status is Status.PASSED
    shown = world.use(lambda host: host.connections.show("prod"))
    assert shown["vault"] == {"api_key": {"vault": "corp-vault", "path": "secret/pagerduty", "field": "api_key"}}
    assert FIRST not in json.dumps(shown)
    for file in world.home.rglob("*"):
        if file.is_file():
            assert FIRST.encode() not in file.read_bytes()


def test_any_parameter_can_be_looked_up_and_is_checked_at_use(world: World, bao: OpenBao, clock: FastClock) -> None:
    base = world.sandbox.base  # type: ignore[attr-defined]
    bao.put("secret", "site", url=base, limit="77")
    references = {
        "api_key": REFERENCE,
        "server_url": VaultReference("corp-vault", "secret/site", "url"),
        "rest_requests_per_minute": VaultReference("corp-vault", "secret/site", "limit"),
    }
    change = Change(parameters={"event_url": base}, vault=references)
    world.use(lambda host: host.connections.add("all", "pagerduty", change))
    assert world.use(lambda host: listed(host, "all")).status is Status.PASSED
    bao.put("secret", "site", url=base, limit="a lot of requests")
    [entry] = world.use(lambda host: listed(host, "all")).errors
    assert "does not suit PagerDuty" in entry.message
    assert "a lot of requests" not in str(entry)
    bao.put("secret", "site", url="http://elsewhere.example.com", limit="77")
    assert "unencrypted" in str(world.use(lambda host: listed(host, "all")).errors[0])


def test_a_vault_in_use_is_kept_and_may_be_renamed(world: World) -> None:
    with pytest.raises(WrongUse, match="looked up through it for prod"):
        world.use(lambda host: host.connections.remove("corp-vault"))
    world.use(lambda host: host.connections.edit("corp-vault", Change(fields={"name": "main-vault"})))
    assert world.use(listed).status is Status.PASSED
    assert world.use(lambda host: host.connections.show("prod"))["vault"]["api_key"]["vault"] == "main-vault"
    vault_id = world.use(lambda host: host.connections.show("main-vault"))["id"]
    users = world.use(lambda host: host.connections.list(Selection(uses_vault=vault_id)))
    assert [one.connection.name for one in users] == ["prod"]
    world.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": FIRST})))
    assert world.use(listed).status is Status.PASSED
    world.use(lambda host: host.connections.remove("main-vault"))


def test_circles_are_refused_when_saved(world: World, bao: OpenBao) -> None:
    second = Change(
        parameters={"server_url": bao.base}, vault={"token": VaultReference("corp-vault", "secret/tokens", "second")}
    )
    world.use(lambda host: host.connections.add("second-vault", "hashicorp_vault", second))
    back = {"token": VaultReference("second-vault", "secret/tokens", "first")}
    itself = {"token": VaultReference("corp-vault", "secret/tokens", "first")}
    with pytest.raises(WrongUse, match="would need a value from this connection itself"):
        world.use(lambda host: host.connections.edit("corp-vault", Change(vault=back)))
    with pytest.raises(WrongUse, match="would need a value from this connection itself"):
        world.use(lambda host: host.connections.edit("corp-vault", Change(vault=itself)))
    no_vault = Change(vault={"token": VaultReference("prod", "a/b", "c")})
    with pytest.raises(WrongUse, match="is no vault"):
        world.use(lambda host: host.connections.edit("corp-vault", no_vault))


def test_a_vault_may_get_its_token_from_another(world: World, bao: OpenBao) -> None:
    bao.put("secret", "tokens", second=bao.token('path "secret/data/*" { capabilities = ["read"] }'))
    second = Change(
        parameters={"server_url": bao.base}, vault={"token": VaultReference("corp-vault", "secret/tokens", "second")}
    )
    world.use(lambda host: host.connections.add("second-vault", "hashicorp_vault", second))
    change = Change(vault={"api_key": VaultReference("second-vault", "secret/pagerduty", "api_key")})
    world.use(lambda host: host.connections.edit("prod", change))
    assert world.use(listed).status is Status.PASSED


def test_unsaved_values_go_the_same_way(world: World) -> None:
    base = world.sandbox.base  # type: ignore[attr-defined]
    change = Change(parameters={"server_url": base, "event_url": base}, vault={"api_key": REFERENCE})
    assert world.use(lambda host: host.test_draft("new", "pagerduty", change)).status is Status.PASSED
    wrong = Change(vault={"api_key": VaultReference("corp-vault", "secret/nothing", "api_key")})
    result = world.use(lambda host: host.test_edit("prod", wrong))
    assert "'secret/nothing'" in result.errors[0].message
    assert [one.connection.name for one in world.use(lambda host: host.connections.list())] == ["corp-vault", "prod"]
