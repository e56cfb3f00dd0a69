"""CyberArk's Central Credential Provider against its stand-in, and the general vault fitted to one nobody knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connector_host.app import App
from connector_host.cli.sandbox import serving
from connector_host.model.connection import Change, VaultReference
from connector_host.model.errors import WrongUse
from connector_host.model.result import Result, Status
from connector_host.running.python import plugin_module
from tests.certificates import write_certificate
from tests.world import World, pagerduty_sandbox

PASSWORD = "u+DoSandboxSandboxbgRQ"


@pytest.fixture
def ccp(world: World) -> Iterator[Any]:
    app = plugin_module(App().plugins.plugin("cyberark_ccp"), "sandbox").build()
    with serving(app) as base:
        change = Change(parameters={"server_url": base, "app_id": "SOAR"})
        world.use(lambda host: host.connections.add("ccp", "cyberark_ccp", change))
        yield app.state.vault


def test_ccp_is_shown_the_client_certificate(world: World, tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    app = plugin_module(App().plugins.plugin("cyberark_ccp"), "sandbox").build()
    pem = certificate.read_text()
    with serving(app, certificate=str(certificate), key=str(key), client_ca=str(certificate)) as base:
        shown = {"server_url": base, "app_id": "SOAR", "ca_bundle": pem, "client_certificate": pem}
        change = Change(parameters=shown, secrets={"client_key": key.read_text()})
        world.use(lambda host: host.connections.add("mutual", "cyberark_ccp", change))
        assert look_up(world, "mutual", "SOAR/pagerduty", "Content").status is Status.PASSED
        bare = Change(parameters={"client_certificate": None}, remove_secrets=("client_key",))
        world.use(lambda host: host.connections.edit("mutual", bare))
        assert look_up(world, "mutual", "SOAR/pagerduty", "Content").errors[0].kind == "unreachable"


def look_up(world: World, vault: str, path: str, field: str) -> Result:
    result: Result = world.use(lambda host: host.test_look_up(VaultReference(vault, path, field)))
    return result


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("SOAR/pagerduty", "Content", "************"),
        ("SOAR/Root/pagerduty", "Content", "************"),
        ("SOAR/Root/tickets/jira", "Content", "************"),
        ("Safe=SOAR;Object=pagerduty", "UserName", "************"),
    ],
)
def test_ccp_paths(world: World, ccp: Any, path: str, field: str, value: str) -> None:
    result = look_up(world, "ccp", path, field)
    assert (result.status, result.raw_data["value"]) == (Status.PASSED, value), result.errors


@pytest.mark.parametrize(
    ("path", "field", "code", "words"),
    [
        ("SOAR/nothing", "Content", "APPAP004E", "was not found"),
        ("Safe=SOAR", "Content", "APPAP228E", "3 password objects"),
        ("SOAR", "Content", "400", "is no account's path"),
        ("SOAR/pagerduty", "Pasword", "404", "has no property 'Pasword'"),
    ],
)
def test_ccp_refusals(world: World, ccp: Any, path: str, field: str, code: str, words: str) -> None:
    [entry] = look_up(world, "ccp", path, field).errors
    assert entry.status_code == code
    assert words in entry.message
    assert PASSWORD not in str(entry)


def test_ccp_says_that_a_password_is_being_changed(world: World, ccp: Any) -> None:
    assert "being changed" in look_up(world, "ccp", "SOAR/changing", "Content").notes[0]


def test_ccp_test_connection(world: World, ccp: Any) -> None:
    result = world.use(lambda host: host.test("ccp"))
    assert (result.status, result.raw_data) == (Status.PASSED, {"answers": True})
    world.use(lambda host: host.connections.edit("ccp", Change(parameters={"test_path": "SOAR/nothing"})))
    assert world.use(lambda host: host.test("ccp")).status is Status.FAILED
    change = Change(parameters={"app_id": "ELSE", "test_path": None})
    world.use(lambda host: host.connections.edit("ccp", change))
    [entry] = world.use(lambda host: host.test("ccp")).errors
    assert (entry.status_code, entry.kind) == ("APPAP306E", "access_denied")


def test_a_connection_uses_ccp(world: World, ccp: Any) -> None:
    with pagerduty_sandbox(api_key=PASSWORD) as sandbox:
        vault = {"api_key": VaultReference("ccp", "SOAR/pagerduty", "Content")}
        change = Change(parameters={"server_url": sandbox.base, "event_url": sandbox.base}, vault=vault)
        world.use(lambda host: host.connections.add("prod", "pagerduty", change))
        assert world.run("list_users").status is Status.PASSED
        assert "Reason=Connector+Host" in ccp.requests[0]


async def in_house(request: Request) -> JSONResponse:
    """A vault of somebody's own: `/box/health`, and secrets with their fields and life below `/box`."""
    if request.headers.get("x-box-key") != "box-key-of-the-house":
        return JSONResponse({"error": {"message": "Who are you?"}}, 401)
    path = request.path_params["path"]
    if path == "health":
        return JSONResponse({"well": True})
    if path == "text":
        return JSONResponse("no object")
    if path != "soar/pager duty" or request.query_params.get("version") != "latest":
        return JSONResponse({"error": {"message": f"No box {path}."}}, 404)
    return JSONResponse({"box": {"things": {"api_key": PASSWORD, "number": 7}, "seconds": 5}})


@pytest.fixture
def house(world: World) -> Iterator[World]:
    with serving(Starlette(routes=[Route("/box/{path:path}", in_house)])) as base:
        parameters = {
            "server_url": f"{base}/box",
            "query": {"version": "latest"},
            "fields_path": "$.box.things",
            "lease_path": "$.box.seconds",
        }
        change = Change(parameters=parameters, secrets={"headers": {"X-Box-Key": "box-key-of-the-house"}})
        world.use(lambda host: host.connections.add("house", "rest_vault", change))
        yield world


def test_the_general_vault_is_fitted_by_parameters_alone(house: World) -> None:
    assert house.use(lambda host: host.test("house")).status is Status.PASSED
    result = look_up(house, "house", "soar/pager duty", "api_key")
    assert (result.status, result.raw_data) == (Status.PASSED, {"value": "************", "lease_seconds": 5})


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("soar/nothing", "api_key", "No box soar/nothing."),
        ("soar/pager duty", "api", "There is no field 'api'."),
        ("text", "api_key", "no fields where they should be"),
        ("../box/health", "api_key", "cannot be part of a path"),
        ("soar//pager", "api_key", "cannot be part of a path"),
    ],
)
def test_the_general_vaults_refusals(house: World, path: str, field: str, words: str) -> None:
    [entry] = look_up(house, "house", path, field).errors
    assert words in entry.message
    assert PASSWORD not in str(entry)


def test_a_short_lease_ends_before_the_cache_time(house: World) -> None:
    async def work(host: Any) -> list[int]:
        reference = VaultReference((await host.connections.show("house"))["id"], "soar/pager duty", "api_key")
        untils = []
        for pause in (0, 4, 2):
            await host._core.clock.sleep(pause)
            untils.append((await host._core.vaults.look_up(reference, "x", "y")).until)
        return untils

    first, second, third = house.use(work)
    assert (first == second, third > second) == (True, True)


def test_a_login_that_is_refused_needs_attention(house: World) -> None:
    secret = {"headers": {"X-Box-Key": "another-key-of-the-house"}}
    house.use(lambda host: host.connections.edit("house", Change(secrets=secret)))
    [entry] = look_up(house, "house", "soar/pager duty", "api_key").errors
    assert (entry.message, entry.kind) == ("Who are you?", "unauthorized")
    assert house.use(lambda host: host.connections.show("house"))["state"] == "needs attention"


def test_the_values_paths_are_checked_when_saved(house: World) -> None:
    with pytest.raises(WrongUse, match="Fields Path"):
        house.use(lambda host: host.connections.edit("house", Change(parameters={"fields_path": "things"})))
    house.use(lambda host: host.connections.edit("house", Change(parameters={"fields_path": "$.[[["})))
    assert "cannot be parsed" in look_up(house, "house", "soar/pager duty", "api_key").errors[0].message
