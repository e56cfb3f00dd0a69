"""A host of several tenants and sites: what a caller may not use, he cannot see, by any way."""

import json
from typing import Any

import pytest

from connector_host.host.session import Session
from connector_host.model.caller import Caller
from connector_host.model.connection import Change, VaultReference
from connector_host.model.errors import NotAllowed, UnknownConnection, WrongUse
from connector_host.model.result import Status
from tests.world import API_KEY, FastClock, Sandbox, World

ANN, EVE = Caller("ann", ("soc",), "hq"), Caller("eve", ("soc",), "acme-soc")


@pytest.fixture
def world(world: World, sandbox: Sandbox) -> World:
    async def places(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_tenant("acme")
        await host.sites.put_site("hq")
        await host.sites.put_site("lab")
        await host.sites.put_site("shop", internal=False)
        await host.sites.put_site("acme-soc", tenant="acme")

    world.use(places)
    world.add(sandbox.base, "ours", site="hq", admin_users=("ann",))
    world.add(sandbox.base, "theirs", site="acme-soc")
    world.add(sandbox.base, "shared", shared_to_internal_sites=True, recipient_site="lab")
    world.add(sandbox.base, "lent", site="hq", tenants=("acme",), admin_users=("ann", "eve"))
    world.add(sandbox.base, "named", site="shop", allowed_users=("zoe",))
    return world


def seen(world: World, caller: Caller | None) -> list[str]:
    return [one.connection.name for one in world.use(lambda host: host.connections.list(), caller)]


@pytest.mark.parametrize(
    ("caller", "names"),
    [
        (Caller(), []),
        (None, ["lent", "named", "ours", "shared", "theirs"]),
        (ANN, ["lent", "ours", "shared"]),
        (EVE, ["lent", "theirs"]),
        (Caller("zoe", (), "shop"), ["named"]),
        (Caller("tom", (), "shop"), []),
        (Caller("ann"), []),
        (Caller("ann", (), "mars"), []),
    ],
)
def test_a_caller_sees_and_runs_what_is_his_and_nothing_else(
    world: World, caller: Caller | None, names: list[str]
) -> None:
    assert seen(world, caller) == names
    for name in ("lent", "named", "ours", "shared", "theirs"):
        if name in names:
            result = world.use(lambda host, n=name: host.run("pagerduty", "list_users", n), caller)  # type: ignore[misc]
            assert result.status is Status.PASSED
        else:
            with pytest.raises(UnknownConnection):
                world.use(lambda host, n=name: host.run("pagerduty", "list_users", n), caller)  # type: ignore[misc]


WAYS = {
    "show": lambda host, name: host.connections.show(name),
    "run": lambda host, name: host.run("pagerduty", "list_users", name),
    "run with another plugin": lambda host, name: host.run("hashicorp_vault", "test_connection", name),
    "take in": lambda host, name: host.ingest("pagerduty", "fetch_incident", name),
    "taken in": lambda host, name: host.ingested("fetch_incident", name),
    "test": lambda host, name: host.test(name),
    "test edit": lambda host, name: host.test_edit(name, Change()),
    "edit": lambda host, name: host.connections.edit(name, Change()),
    "remove": lambda host, name: host.connections.remove(name),
    "look up": lambda host, name: host.test_look_up(VaultReference(name, "a/b", "c")),
    "history": lambda host, name: host.history(5, name),
    "diagnose": lambda host, name: host.diagnose(name),
}


@pytest.mark.parametrize("way", WAYS)
def test_forbidden_and_unknown_can_not_be_told_apart(world: World, clock: FastClock, way: str) -> None:
    said, waited = [], []
    for name in ("ours", "theres"):  # the second is near to one that the caller may see
        before = len(clock.slept)
        with pytest.raises(UnknownConnection) as refusal:
            world.use(lambda host, n=name: WAYS[way](host, n), EVE)  # type: ignore[misc]
        said.append(str(refusal.value).replace(name, "NAME"))
        waited.append(clock.slept[before:])
    assert said == ["There is no connection 'NAME' that you may use."] * 2
    assert waited[0] == waited[1] == [0.01]


def test_the_history_of_others_is_hidden(world: World) -> None:
    ids = world.use(lambda host: host.run("pagerduty", "list_users", "ours"), ANN).invocation_id
    assert list(world.use(lambda host: host.history(), EVE)) == []
    assert [one.invocation_id for one in world.use(lambda host: host.history(), ANN)] == [ids]
    assert world.use(lambda host: host.past(ids), ANN).command == "list_users"
    assert world.use(lambda host: host.past(ids), EVE) is None
    assert world.use(lambda host: host.history(1, "ours"), ANN)[0].caller == "user ann at hq"


def test_sharing_to_a_tenant_goes_one_way(world: World) -> None:
    with pytest.raises(NotAllowed):
        world.use(lambda host: host.connections.edit("lent", Change(fields={"description": "mine now"})), EVE)
    with pytest.raises(NotAllowed):
        world.use(lambda host: host.connections.remove("lent"), EVE)
    world.use(lambda host: host.connections.edit("lent", Change(fields={"description": "x"})), ANN)
    with pytest.raises(WrongUse, match="Only a connection of the master tenant"):
        world.use(lambda host: host.connections.edit("theirs", Change(fields={"tenants": ("us",)})))


@pytest.mark.parametrize(
    "fields",
    [{"name": "x"}, {"site": "lab"}, {"tenants": ("acme",)}, {"agent": "a"}, {"shared_to_internal_sites": True}],
)
def test_an_administrator_stays_within_his_bounds(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="Only the operator"):
        world.use(lambda host: host.connections.edit("ours", Change(fields=fields)), ANN)


def test_an_administrator_can_not_lead_secrets_to_a_server_of_his_own(world: World, sandbox: Sandbox) -> None:
    away = {"server_url": "https://evil.example.com"}
    for change in (Change(parameters=away), Change(parameters={"ca_bundle": "-----BEGIN CERTIFICATE-----"})):
        with pytest.raises(NotAllowed, match="give its secrets again: api_key, integration_key"):
            world.use(lambda host, c=change: host.connections.edit("ours", c), ANN)  # type: ignore[misc]
        with pytest.raises(NotAllowed):
            world.use(lambda host, c=change: host.test_edit("ours", c), ANN)  # type: ignore[misc]
    both = {"api_key": "anns-own-key-anns-own-key", "integration_key": "another-integration-key"}
    world.use(lambda host: host.connections.edit("ours", Change(parameters=away, secrets=both)), ANN)
    assert API_KEY[:4] not in json.dumps(world.use(lambda host: host.connections.show("ours")))


@pytest.mark.parametrize(
    "way",
    [
        lambda host: host.connections.add("new", "pagerduty", Change()),
        lambda host: host.connections.copy("ours", "new", Change()),
        lambda host: host.test_draft("new", "pagerduty", Change()),
        lambda host: host.transfer.export(),
        lambda host: host.transfer.take({}),
        lambda host: host.sites.put_site("new"),
        lambda host: host.sites.remove_tenant("acme"),
        lambda host: host.sites.map(),
        lambda host: host.audit.newest(1),
        lambda host: host.audit.verify(),
        lambda host: host.keys.rotate(),
        lambda host: host.keys.retire(),
        lambda host: host.health.run_due(),
        lambda host: host.connections.upgrade(),
    ],
)
def test_some_things_are_the_operators(world: World, way: Any) -> None:
    with pytest.raises(NotAllowed):
        world.use(way, ANN)


def test_events_of_a_shared_connection_go_to_the_recipient_site(world: World, sandbox: Sandbox) -> None:
    from tests.plugins.test_pagerduty_commands import RANGE

    for name, site in (("shared", "lab"), ("ours", "hq")):
        result = world.use(lambda host, n=name: host.ingest("pagerduty", "fetch_incident", n, RANGE))  # type: ignore[misc]
        assert result.status is Status.PASSED
        assert {one.site for one in world.use(lambda host, n=name: host.ingested("fetch_incident", n))} == {site}  # type: ignore[misc]
    world.use(lambda host: host.connections.edit("shared", Change(fields={"recipient_site": None})))
    [entry] = world.use(lambda host: host.ingest("pagerduty", "fetch_incident", "shared", RANGE)).errors
    assert "no recipient site" in entry.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"site": "hqq"}, "Did you mean 'hq'"),
        ({"tenants": ("acne",)}, "Did you mean 'acme'"),
        ({"site": "hq", "shared_to_internal_sites": True}, "not both"),
        ({"recipient_site": "hq"}, "belongs to a connection that is shared"),
        ({"site": None, "shared_to_internal_sites": True, "recipient_site": "shop"}, "no internal site"),
        ({"tenants": ("us",)}, "is the master tenant"),
        ({"allowed_users": ("",)}, "1 to 100 printable"),
        ({"agent": "a\nb"}, "1 to 100 printable"),
    ],
)
def test_places_that_make_no_sense_are_refused(world: World, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        world.use(lambda host: host.connections.edit("ours", Change(fields=fields)))


def test_places_in_use_are_kept(world: World) -> None:
    with pytest.raises(WrongUse, match="still has connections"):
        world.use(lambda host: host.sites.remove_site("lab"))
    with pytest.raises(WrongUse, match="still has sites"):
        world.use(lambda host: host.sites.remove_tenant("acme"))
    with pytest.raises(WrongUse, match="master tenant: remove the others first"):
        world.use(lambda host: host.sites.remove_tenant("us"))
    with pytest.raises(WrongUse, match="only one"):
        world.use(lambda host: host.sites.put_tenant("bolt", master=True))
    with pytest.raises(WrongUse, match="Did you mean 'shop'"):
        world.use(lambda host: host.sites.remove_site("shp"))
    world.use(lambda host: host.connections.remove("named"))
    world.use(lambda host: host.sites.remove_site("shop"))
    assert "shop" not in world.use(lambda host: host.sites.map()).sites


def test_a_site_that_becomes_a_clients_is_closed_at_once(world: World) -> None:
    async def work(host: Any) -> tuple[list[Any], list[Any]]:
        ann, tom = (Session(host._core, caller) for caller in (ANN, Caller("tom", (), "hq")))
        before = await ann.connections.list()
        await host.sites.put_site("hq", internal=False)
        return before, await tom.connections.list()

    before, after = world.use(work)
    assert ("shared" in [one.connection.name for one in before], after) == (True, [])
