"""Attacks on what listens, by their numbers: identities, keys under load, patterns, uploads, many who are idle."""

import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from connector_host import BadSetting, Caller, Change, NotAllowed, UnknownConnection, WrongUse
from connector_host.app import App
from connector_host.host.session import Session
from connector_host.manifests.patterns import matches
from connector_host.model.token import Scope
from tests.attacks.test_page import HERE, signed_in
from tests.web.conftest import Web, serving
from tests.web.conftest import web as web  # noqa: PLC0414 - the fixture
from tests.world import API_KEY, World, pagerduty_sandbox

NOBODY = Caller()


def test_attack_02_no_identity_is_no_right(prod: World) -> None:
    """What forgets to say for whom it acts may do nothing; the operator is an explicit value."""
    assert prod.use(lambda session: session.connections.list(), NOBODY) == []
    for work in (
        lambda session: session.run("pagerduty", "list_users", "prod"),
        lambda session: session.connections.show("prod"),
        lambda session: session.mappings.get("prod", "fetch_incident"),
    ):
        with pytest.raises(UnknownConnection):
            prod.use(work, NOBODY)
    for refused in (
        lambda session: session.audit.newest(1),
        lambda session: session.tokens.list(),
        lambda session: session.connections.add("x", "pagerduty", Change()),
        lambda session: session.run_with("pagerduty", "list_users", {}),
        lambda session: session.intake.run_due(),
        lambda session: session.preferences.put(None),
    ):
        with pytest.raises(NotAllowed):
            prod.use(refused, NOBODY)
    assert prod.use(lambda session: session.intake.read(), NOBODY).arrivals == []
    assert prod.use(lambda session: session.history(), NOBODY) == []

    async def none(session: Session) -> None:
        from connector_host import Host

        for nobody in (None, "", "operator", 0):
            with pytest.raises(WrongUse, match="for a Caller"):
                Host(session._core).acting_for(nobody)  # type: ignore[arg-type]

    prod.use(none)


def test_attack_11_a_token_is_shown_once(web: Web) -> None:
    client = web.client()
    made = client.post("/api/v1/tokens", json={"name": "once", "scopes": ["read"], "user": "ann", "site": "hq"})
    text = made.json()["token"]
    assert made.headers["Cache-Control"] == "no-store"
    page = signed_in(web)
    for found in (client.get("/api/v1/tokens"), page.get("/tokens"), page.get("/audit"), client.get("/api/v1/audit")):
        assert text not in found.text
        assert text.rpartition("_")[2] not in found.text
        assert found.headers["Cache-Control"] == "no-store"
    shown = page.post("/tokens", data={"name": "by page", "scopes": "read", "user": "ann", "site": "hq"}, headers=HERE)
    [again] = re.findall(r"ch_[0-9a-f]{12}_[0-9a-f]{72}", shown.text)
    assert (shown.headers["Cache-Control"], again in page.get("/tokens").text) == ("no-store", False)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_attack_19_a_thousand_calls_with_one_key_and_a_restart(tmp_path: Path) -> None:
    from connector_host.model.token import Token

    world, body = World(tmp_path / "home"), {"plugin": "pagerduty", "command": "create_event", "connection": "prod"}
    event = {**body, "inputs": {"summary": "s", "severity": "Info", "source": "x"}}
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base)
        _, text = world.use(lambda session: session.tokens.add(Token("op", (Scope.ADMIN,))))
        headers = {"Authorization": f"Bearer {text}", "Idempotency-Key": "once"}
        told: list[tuple[int, str]] = []

        def many(client: httpx2.Client) -> None:
            for _ in range(63):
                found = client.post("/api/v1/invocations", json=event)
                told.append((found.status_code, found.json().get("invocation_id", "")))

        for restart in range(2):
            with serving(world.home) as base:
                clients = [
                    httpx2.Client(base_url=base, headers=headers, trust_env=False, timeout=60) for _ in range(16)
                ]
                threads = [
                    threading.Thread(target=many, args=[client]) for client in clients[: 16 if not restart else 1]
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                for client in clients:
                    client.close()
        sent = [one for one in sandbox.requests if "/v2/enqueue" in one]
    assert len(told) > 1000
    assert len(sent) == 1
    assert {status for status, _ in told} <= {200, 409}
    assert len({one for status, one in told if status == 200}) == 1


WORST = (
    "a" * 10_000,
    "a" * 9_999 + "!",
    "=" * 10_000,
    "0" * 9_999 + "x",
    "a@" * 5_000,
    "://" * 3_300,
    " " * 10_000,
    "a.b-" * 2_500,
)


def patterns_in(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
        return own.union(*map(patterns_in, schema.values()))
    return set().union(*map(patterns_in, schema)) if isinstance(schema, list | tuple) else set()


def test_attack_30_no_pattern_takes_long() -> None:
    found: set[str] = set()
    for manifest in App().plugins.plugins.values():
        found |= patterns_in(manifest.connection)
        for command in manifest.commands.values():
            found |= patterns_in(command.input) | patterns_in(command.output)
    assert len(found) > 5
    for pattern in found:
        for text in WORST:
            begun = time.process_time()
            matches(pattern, text)
            assert time.process_time() - begun < 0.05, pattern


def test_attack_30_a_plugin_whose_pattern_may_take_for_ever_does_not_load(tmp_path: Path) -> None:
    from connector_host.authoring.checking import validate
    from connector_host.authoring.scaffold import scaffold
    from connector_host.configuration import bundled

    scaffold("acme", tmp_path / "acme", None)
    file = tmp_path / "acme" / "manifest.yaml"
    text = file.read_text("utf-8")
    where = text.index("type: array")
    for pattern in (r"^(?=a)(a+)+$", r"(a+)\1"):
        indent = " " * (where - text.rindex("\n", 0, where) - 1)
        file.write_text(f"{text[:where]}pattern: '{pattern}'\n{indent}{text[where:]}", "utf-8")
        told = [str(problem) for problem in validate(tmp_path / "acme", bundled() / "schemas").problems]
        assert any("can take for ever" in one for one in told), told
    begun = time.process_time()
    assert not matches(r"^(a+)+$", "a" * 10_000 + "!")  # on an engine that takes time with the text alone
    assert time.process_time() - begun < 0.05


def test_attack_44_uploads_are_bounded_before_the_disk(web: Web) -> None:
    where = urlsplit(web.base)
    token = web.token("operator")
    for length in (10_000_000_000, 25_000_001):
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as wire:
            head = f"POST /api/v1/files?name=x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            wire.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
            assert wire.recv(100).split()[1] == b"413"
    client = web.client("uploader", Scope.RUN, user="upa", site="hq")
    for name in ("../../etc/passwd", "x.svg", "bomb.zip", "a\\..\\b"):
        kept = client.post("/api/v1/files", params={"name": name}, content=b"<svg onload=alert(1)>").json()
        assert client.get(f"/api/v1/files/{kept['reference']}").status_code in (404, 405)  # nothing is served again
        assert client.delete(f"/api/v1/files/{kept['reference']}").status_code == 204
    assert not list((web.world.home / "uploads").rglob("*.svg"))
    statuses = [client.post("/api/v1/files?name=x", content=b"x").status_code for _ in range(201)]
    assert (statuses[:200], statuses[200]) == ([201] * 200, 422)
    assert web.client().post("/api/v1/files?name=x", content=b"x").status_code == 201  # others have their own


def test_a_file_goes_into_a_command_from_its_form(tmp_path: Path) -> None:
    from connector_host.model.token import Token
    from tests.own import HEAD, own

    command = (
        "  send: {title: Send, input: {required: [paper], properties: {paper: {title: Paper, type: string, format: file}}},"
        " request: {server: api, method: POST, path: /x, multipart: {paper: $.input.paper}}}\n"
    )
    came: list[bytes] = []

    async def product(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            came.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{}"})

    from tests.world import serving_app

    with serving_app(product) as base:
        world = own(tmp_path, command, head=HEAD)
        world.use(lambda session: session.connections.edit("own", Change(parameters={"url": base})))
        _, text = world.use(lambda session: session.tokens.add(Token("op", (Scope.ADMIN,))))
        App(world.configuration).plugins.link(tmp_path / "acme")
        with serving(world.home) as address:
            client = httpx2.Client(base_url=address, trust_env=False, timeout=30)
            client.post("/sign-in", data={"token": text}, headers=HERE)
            page = client.get("/run?connection=own&command=send").text
            assert 'type="file"' in page
            files = {"i:paper": ("../a.txt", b"the paper's own words", "text/plain")}
            done = client.post("/run", data={"connection": "own", "command": "send"}, files=files, headers=HERE)
            client.close()
    assert "Passed" in done.text
    assert b"the paper's own words" in b"".join(came)
    assert b"../" not in b"".join(came)
    assert not list((world.home / "uploads").rglob("*.bin"))


@pytest.mark.parametrize("name", ["pro\u202ed", "a\u2066b", "a\u200bb", "x\x07y"])
def test_attack_48_what_cannot_be_shown_is_no_name(web: Web, name: str) -> None:
    client = web.client()
    body = {"name": name, "plugin": "pagerduty", "parameters": {}, "secrets": {"api_key": API_KEY}}
    assert client.post("/api/v1/connections", json=body).status_code == 422
    assert name not in client.get("/api/v1/connections?limit=500").text


@pytest.mark.parametrize(
    "host",
    ["\u0430pi.pagerduty.com", "api.p\u0430gerduty.com", "api\u3002pagerduty\u3002com", "\uff41pi.pagerduty.com"],
)
def test_attack_48_a_look_alike_of_a_server_is_shown_as_what_it_is(world: World, host: str) -> None:
    """An address that mixes scripts is refused, or kept in the plain form that says what it is."""
    where = {"server_url": f"https://{host}", "event_url": "https://events.pagerduty.com"}
    try:
        world.use(lambda session: session.connections.add("x", "pagerduty", Change({}, where, {"api_key": API_KEY})))
    except BadSetting:
        return
    kept = world.use(lambda session: session.connections.show("x"))["parameters"]["server_url"]
    assert kept.isascii(), kept


@pytest.mark.long
@pytest.mark.timeout(180)
def test_attack_21_five_thousand_who_are_idle(web: Web) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 6000:
        pytest.skip("this system lets a process open fewer files than that")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    where = urlsplit(web.base)
    idle = [socket.create_connection((where.hostname or "", where.port or 0), timeout=10) for _ in range(5000)]
    try:
        client, took = web.client(), []
        for _ in range(100):
            begun = time.monotonic()
            assert client.get("/healthz").status_code == 200
            took.append(time.monotonic() - begun)
        assert sorted(took)[98] < 1
        for wire in (idle[0], idle[2500], idle[-1]):
            wire.settimeout(30)
            assert wire.recv(10) == b""  # their time is over
    finally:
        for wire in idle:
            wire.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert json.loads(web.client().get("/api/v1/plugins").text)["items"]
