"""On the wire: what a redirect, the environment and the key service's authority may lead to, and what not."""

from pathlib import Path
from typing import Any

import pytest

from connector_host.model.connection import Change
from connector_host.model.errors import SealError
from connector_host.model.result import Status
from tests.certificates import write_certificate
from tests.openbao import OpenBao
from tests.world import FastClock, World, http, pagerduty_sandbox, raw_server, serving_app

EVENT = {"summary": "s", "severity": "Info", "source": "s"}


def redirecting(target: str) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import RedirectResponse
    from starlette.routing import Route

    async def away(_: Request) -> RedirectResponse:
        return RedirectResponse(target)

    return Starlette(routes=[Route("/{path:path}", away)])


def test_a_redirect_from_https_to_http_is_not_followed(world: World, tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    with (
        raw_server(http("200 OK", b'{"users": []}')) as (plain, received),
        serving_app(redirecting(f"{plain}/users"), certificate=str(certificate), key=str(key)) as base,
    ):
        world.add(base, parameters={"ca_bundle": str(certificate)})
        [entry] = world.run("list_users").errors
    assert "redirects to another origin" in entry.message
    assert received == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirected_post_is_not_sent_again(world: World, status: str) -> None:
    with raw_server(http(status, b"", "Location: /elsewhere")) as (base, received):
        world.add(base)
        [entry] = world.run("create_event", EVENT).errors
    assert "redirects a POST" in entry.message
    assert len(received) == 1


def test_the_proxy_of_the_environment_is_used_save_for_what_it_excepts(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = write_certificate(tmp_path)
    with (
        raw_server(http("407 Proxy Authentication Required", b"")) as (proxy, asked),
        pagerduty_sandbox(certificate=str(certificate), key=str(key)) as sandbox,
    ):
        world.add(sandbox.base, parameters={"ca_bundle": str(certificate)})
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        assert world.run("list_users").status is Status.FAILED
        assert asked[0].startswith(b"CONNECT 127.0.0.1:")
        count = len(asked)
        monkeypatch.setenv("NO_PROXY", "elsewhere.example,127.0.0.1")
        assert world.run("list_users").status is Status.PASSED
        assert len(asked) == count


def test_the_key_services_own_authority_is_trusted_where_it_is_named(
    tmp_path: Path, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = write_certificate(tmp_path)
    (tmp_path / "bao").mkdir()
    server = OpenBao(tmp_path / "bao", certificate, key)
    try:
        server.ask("POST", "sys/mounts/transit", {"type": "transit"})
        monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_TOKEN", server.root)
        world = World(tmp_path / "home", clock=clock, key=f"transit:{server.tls_base}/transit/keys/soar")
        with pytest.raises(SealError, match=r"can ?not be reached"):
            world.add("http://127.0.0.1:1")
        monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_CA", str(certificate))
        world.add("http://127.0.0.1:1")
    finally:
        server.kill()


def test_the_key_services_namespace_goes_along(
    tmp_path: Path, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_TOKEN", "t0ken")
    monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_NAMESPACE", "team/a")
    with raw_server(http("403 Forbidden", b'{"errors": ["no"]}')) as (base, received):
        world = World(tmp_path / "home", clock=clock, key=f"transit:{base}/transit/keys/soar")
        with pytest.raises(SealError, match="refuses the token"):
            world.use(lambda host: host.connections.add("a", "urlscan", Change(secrets={"api_key": "k" * 36})))
    assert b"x-vault-namespace: team/a" in received[0].lower()
