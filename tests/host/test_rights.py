"""Rights: each way around them is refused, in words that tell nothing to whom it does not concern."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connector_host.model.caller import Caller
from connector_host.model.connection import Change, VaultReference
from connector_host.model.errors import ConnectorHostError, NotAllowed, UnknownConnection
from connector_host.model.result import Status
from tests.own import own
from tests.own import run as run_own
from tests.world import World

ANN = Caller(user="ann", site="hq")
STRANGER = Caller(user="eve", site="shop")
REFUSED = r"Only the operator"


@pytest.fixture
def placed(prod: World) -> World:
    """`prod` at the site hq, administered by Ann."""

    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_tenant("acme")
        await host.sites.put_site("hq")
        await host.sites.put_site("branch")
        await host.sites.put_site("shop", tenant="acme", internal=False)
        await host.connections.edit("prod", Change({"site": "hq", "admin_users": ("ann",)}))

    prod.use(fill)
    return prod


def test_options_are_fetched_with_the_callers_rights(placed: World) -> None:
    async def asked(host: Any) -> Any:
        return await host.choices("pagerduty", "create_incident", "service_id", "prod")

    assert placed.use(asked, ANN)
    with pytest.raises(UnknownConnection):
        placed.use(asked, STRANGER)


SITES: list[Callable[[Any], Awaitable[Any]]] = [
    lambda host: host.sites.map(),
    lambda host: host.sites.put_tenant("new"),
    lambda host: host.sites.put_site("new"),
    lambda host: host.sites.remove_tenant("acme"),
    lambda host: host.sites.remove_site("branch"),
]


@pytest.mark.parametrize("number", range(len(SITES)))
def test_each_call_on_sites_and_tenants_refuses_a_caller(placed: World, number: int) -> None:
    before = placed.use(lambda host: host.sites.map())
    with pytest.raises(NotAllowed, match=REFUSED):
        placed.use(SITES[number], ANN)
    assert placed.use(lambda host: host.sites.map()) == before


BOUNDARY = {
    "name": "other", "site": "branch", "shared_to_internal_sites": True, "recipient_site": "branch",
    "tenants": ("acme",), "agent": "far",
}  # fmt: skip


@pytest.mark.parametrize("field", BOUNDARY)
def test_an_administrator_moves_no_boundary(placed: World, field: str) -> None:
    with pytest.raises(NotAllowed, match=field):
        placed.use(lambda host: host.connections.edit("prod", Change({field: BOUNDARY[field]})), ANN)
    placed.use(lambda host: host.connections.edit("prod", Change({"description": "may"})), ANN)


LOOK = """
  look:
    title: Look
    kind: credential
    input: {required: [path, field], properties: {path: {title: Path, type: string}, field: {title: Field, type: string}}}
"""
CODE = """
asked = []

@command
async def look(call, path, field):
    asked.append(path)
    return {"value": "k" * 20}

@command
async def go(call):
    return {"key": len(call.connection["key"])}
"""


@pytest.fixture
def vaults(tmp_path: Path) -> World:
    """The vault `own`, and `one` and `two` whose key comes from it; Ann administers `one`, and may use the vault."""
    world = own(tmp_path, f"{LOOK}  go: {{title: Go}}\n", code=CODE)

    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_site("hq")
        await host.connections.edit("own", Change({"site": "hq", "allowed_users": ("ann",)}))
        reference = {"key": VaultReference("own", "a/b", "c")}
        for name in ("one", "two"):
            fields = {"site": "hq", "admin_users": ("ann", "ben")}
            change = Change(fields, {"url": "http://127.0.0.1:1"}, {}, (), reference)
            await host.connections.add(name, "acme", change)

    world.use(fill)
    return world


def test_an_administrator_leads_no_looked_up_secret_to_another_server(vaults: World) -> None:
    away = Change(parameters={"url": "https://elsewhere.example.com"})
    with pytest.raises(NotAllowed, match="give its secrets again: key"):
        vaults.use(lambda host: host.connections.edit("one", away), ANN)
    again = Change(
        parameters={"url": "https://elsewhere.example.com"}, vault={"key": VaultReference("own", "a/b", "c")}
    )
    vaults.use(lambda host: host.connections.edit("one", again), ANN)


def test_an_administrator_refers_to_no_vault_that_he_may_not_use(vaults: World) -> None:
    ben = Caller(user="ben", site="hq")
    change = Change(vault={"key": VaultReference("own", "x", "y")})
    with pytest.raises(UnknownConnection, match="no connection 'own' that you may use"):
        vaults.use(lambda host: host.connections.edit("one", change), ben)


def test_a_deactivated_vault_hands_out_nothing_that_is_kept(vaults: World) -> None:
    async def work(host: Any) -> list[Any]:
        first = await host.run("acme", "go", "one")
        await host.connections.edit("own", Change({"active": False}))
        second = await host.run("acme", "go", "two")
        return [first.status, second.status, second.errors[0].message]

    first, second, words = vaults.use(work)
    assert (first, second) == (Status.PASSED, Status.FAILED)
    assert "'own' is not active" in words


def test_a_connection_of_another_plugin_is_refused_naming_its_owner(prod: World) -> None:
    with pytest.raises(ConnectorHostError, match="'prod' belongs to pagerduty, not to urlscan"):
        prod.use(lambda host: host.run("urlscan", "get_result", "prod", {}))


def test_the_plugin_of_this_file_works(vaults: World) -> None:
    assert run_own(vaults, "go", name="one").raw_data == {"key": 20}


def test_an_empty_caller_may_not_even_upload(placed: World) -> None:
    with pytest.raises(NotAllowed):
        placed.use(lambda host: host.uploads.put("a", b"1"), Caller())
