"""Retries, rate limits, redirects, and requests that try to leave their server."""

import logging
import ssl
from pathlib import Path
from typing import Any

import anyio
import pytest

from connector_host.app import App
from connector_host.http.limits import Limiter
from connector_host.model.connection import Change
from connector_host.model.invocation import Options
from connector_host.model.invocation_errors import RateLimited
from connector_host.model.result import Status
from connector_host.ports.parts import Allowance, Reply, Request
from tests.world import API_KEY, FastClock, World, http, pagerduty_sandbox, raw_server

GOOD = http("200 OK", b'{"users": [{"id": "P1"}], "more": false}')
EVENT = {"summary": "s", "severity": "Info", "source": "s"}


@pytest.mark.parametrize("fail", ["429:1", "500:1", "503:3", "408:2"])
def test_a_passing_failure_is_tried_again(world: World, clock: FastClock, fail: str) -> None:
    with pagerduty_sandbox(fail=fail) as sandbox:
        world.add(sandbox.base)
        assert world.run("list_users").status is Status.PASSED
        assert len(sandbox.requests) == int(fail[-1]) + 1
    assert len(clock.slept) == int(fail[-1])


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        (["Retry-After: 7"], 7, 8),
        (["ratelimit-reset: 20"], 20, 21),
        (["Retry-After: 3", "ratelimit-reset: 20"], 3, 4),
        (["Retry-After: soon"], 30, 30),
        ([], 30, 30),
    ],
)
def test_the_servers_own_hint_decides_how_long_to_wait(
    world: World, clock: FastClock, headers: list[str], least: float, most: float
) -> None:
    with raw_server(http("429 Too Many Requests", b"", *headers), GOOD) as (base, _):
        world.add(base)
        assert world.run("list_users").status is Status.PASSED
    assert len(clock.slept) >= 1
    assert least <= sum(clock.slept) <= most


def test_a_date_as_hint(world: World, clock: FastClock) -> None:
    import datetime as dt
    from email.utils import format_datetime

    soon = format_datetime(clock.now() + dt.timedelta(seconds=40), usegmt=True)
    with raw_server(http("503 Busy", b"", f"Retry-After: {soon}"), GOOD) as (base, _):
        world.add(base)
        assert world.run("list_users").status is Status.PASSED
    assert 38 <= clock.slept[0] <= 41


def test_three_times_thirty_seconds_apart_then_the_failure(world: World, clock: FastClock) -> None:
    with raw_server(http("429 Too Many Requests", b"")) as (base, received):
        world.add(base)
        result = world.run("list_users")
    assert clock.slept == [30, 30, 30]
    assert len(received) == 4
    assert (result.status, result.errors[0].status_code) == (Status.FAILED, "429")


def test_a_wait_beyond_the_deadline_fails_at_once(world: World, clock: FastClock) -> None:
    with raw_server(http("429 Too Many Requests", b"", "Retry-After: 900")) as (base, _):
        world.add(base)
        [entry] = world.run("list_users").errors
    assert clock.slept == []
    assert "asks to wait 90" in entry.message
    assert entry.kind == "rate_limited"


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "409 Conflict"]
)
def test_a_refusal_is_sent_once_only(world: World, status: str) -> None:
    with raw_server(http(status, b'{"error": "text"}')) as (base, received):
        world.add(base)
        assert world.run("list_users").status is Status.FAILED
    assert len(received) == 1


def test_a_write_that_may_have_happened_is_not_repeated(tmp_path: Path, clock: FastClock) -> None:
    """A POST that is not declared idempotent; a 500 and a lost connection may both mean that it was done."""
    for answer in (http("500 Oops", b"{}"), b""):
        with raw_server(answer) as (base, received):
            assert run_own(tmp_path, clock, base, PLAIN_POST).status is Status.FAILED
        assert len(received) == 1


def test_a_declared_idempotent_write_is(tmp_path: Path, clock: FastClock) -> None:
    with raw_server(http("500 Oops", b"{}"), http("200 OK", b"{}")) as (base, received):
        assert run_own(tmp_path, clock, base, PLAIN_POST + "      idempotent: true\n").status is Status.PASSED
    assert len(received) == 2


PLAIN_POST = """
  send:
    title: Send
    input: {properties: {text: {title: Text, type: string}}}
    request:
      server: api
      path: /things
      method: POST
      body: {text: $.input.text, fixed: 1}
"""

OWN = """
id: acme
name: Acme
version: 1.0.0
servers: {api: {url: $.connection.url, headers: {Authorization: "Bearer {$.connection.key}"}}}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
commands:
"""


def run_own(home: Path, clock: FastClock, base: str, commands: str, inputs: Any = None, name: str = "send") -> Any:
    """Run one command of a plugin written here."""
    folder = home / "acme"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(OWN + commands)
    manifest = home / "manifest.yaml"
    manifest.write_text("plugins: [acme]\nsteps: [retry, limit, audit]\n")
    own = World(home / f"home-{len(list(home.iterdir()))}", manifest=manifest, clock=clock)
    assert App(own.configuration).plugins.broken == {}
    change = Change(parameters={"url": base}, secrets={"key": API_KEY})
    own.use(lambda host: host.connections.add("own", "acme", change))
    return own.use(lambda host: host.run("acme", name, "own", inputs, options=Options(deadline_seconds=60)))


def test_absent_inputs_drop_their_keys(tmp_path: Path, clock: FastClock) -> None:
    with raw_server(http("200 OK", b"{}")) as (base, received):
        run_own(tmp_path, clock, base, PLAIN_POST)
        run_own(tmp_path, clock, base, PLAIN_POST, {"text": 'a"b'})
    assert received[0].endswith(b'{"fixed":1}')
    assert received[1].endswith(b'{"text":"a\\"b","fixed":1}')


def test_an_object_may_be_spread(tmp_path: Path, clock: FastClock) -> None:
    command = PLAIN_POST.replace("{text: {title: Text, type: string}}", "{more: {title: More, type: object}}")
    command = command.replace("text: $.input.text", '"...": $.input.more')
    with raw_server(http("200 OK", b"{}")) as (base, received):
        run_own(tmp_path, clock, base, command, {"more": {"a": [1], "b": None}})
    assert received[0].endswith(b'{"a":[1],"b":null,"fixed":1}')


HOSTILE = ["P1/../../abilities?x=", "..", ".", "", "a b", "é/ü", "a%2fb", "a\r\nX: y", "//evil.example/", "@evil.example", "\\x", "#f"]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_id_stays_in_its_place(world: World, hostile: str) -> None:
    with raw_server(http("404 Not Found", b"")) as (base, received):
        world.add(base)
        result = world.run("get_incident_alerts", {"incident_ids": [hostile]})
    assert result.status is Status.FAILED
    for request in received:
        line = request.split(b"\r\n")[0].split(b" ")
        assert len(line) == 3
        assert line[1].startswith(b"/incidents/")
        assert line[1].split(b"?")[0].endswith(b"/alerts")
        assert line[1].split(b"?")[0].count(b"/") == 3
    if hostile in ("..", ".", ""):
        assert received == []


@pytest.mark.parametrize("sender", ["a@b.c\r\nX-Evil: 1", "a@b.c\nX: 1", "ä@b.de", "a@b.c\x00"])
def test_an_input_can_not_write_headers(world: World, sender: str) -> None:
    with raw_server(http("200 OK", b"{}")) as (base, received):
        world.add(base)
        result = world.run("resolve_incidents", {"incident_ids": ["Q1"], "from": sender})
    assert result.status is Status.FAILED
    assert received == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_to_another_origin_is_not_followed(world: World, status: str) -> None:
    with raw_server(GOOD) as (other, seen), raw_server(http(status, b"", f"Location: {other}/users")) as (base, _):
        world.add(base)
        [entry] = world.run("list_users").errors
    assert seen == []
    assert "another origin" in entry.message


def test_a_redirect_within_the_origin_is_followed(world: World) -> None:
    with raw_server(http("302 Found", b"", "Location: /users?moved=1"), GOOD) as (base, received):
        world.add(base)
        assert world.run("list_users").status is Status.PASSED
    assert b"GET /users?moved=1" in received[1]
    assert API_KEY.encode() in received[1]


def test_redirects_in_a_circle_end(world: World) -> None:
    with raw_server(http("302 Found", b"", "Location: /users")) as (base, _):
        world.add(base)
        assert "redirected more than 5 times" in world.run("list_users").errors[0].message


def test_plain_http_is_for_loopback_only(world: World) -> None:
    from connector_host.model.errors import WrongUse

    with pytest.raises(WrongUse, match="unencrypted"):
        world.add("http://api.pagerduty.com")


def test_an_untrusted_certificate_is_refused_and_a_ca_bundle_mends_it(world: World, tmp_path: Path) -> None:
    from tests.certificates import write_certificate

    certificate, key = write_certificate(tmp_path)
    with pagerduty_sandbox(certificate=str(certificate), key=str(key)) as sandbox:
        world.add(sandbox.base)
        [entry] = world.run("list_users").errors
        assert "No trusted TLS connection" in entry.message
        assert "CA Bundle" in entry.assistance
        bundle = Change(parameters={"ca_bundle": str(certificate)})
        world.use(lambda host: host.connections.edit("prod", bundle))
        assert world.run("list_users").status is Status.PASSED
        gone = Change(parameters={"ca_bundle": str(tmp_path / "gone.pem")})
        world.use(lambda host: host.connections.edit("prod", gone))
        assert "cannot be read" in world.run("list_users").errors[0].message


def test_verification_can_not_be_switched_off() -> None:
    from connector_host.http.tls import TlsContexts
    from connector_host.ports.parts import Tls

    for context in (TlsContexts().get(Tls()), TlsContexts().none()):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    assert TlsContexts().none().cert_store_stats()["x509"] == 0


def test_one_wire_serves_many_invocations_and_is_closed_with_its_version(world: World) -> None:
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base)

        async def work(host: Any) -> tuple[int, int]:
            for _ in range(5):
                await host.run("pagerduty", "list_users", "prod")
            openings = host._core.pool._open
            [first] = openings.values()
            before = first.wires._open["lean"]._kept
            await host.connections.edit("prod", Change(fields={"description": "changed"}))
            await host.run("pagerduty", "list_users", "prod")
            [second] = openings.values()
            assert second is not first
            return before, first.wires._open["lean"]._kept

        assert world.use(work) == (1, 0)


def test_a_change_lets_invocations_under_way_finish_and_then_closes_their_wire(world: World) -> None:
    with pagerduty_sandbox(latency=300) as sandbox:
        world.add(sandbox.base)

        async def work(host: Any) -> list[Any]:
            results: list[Any] = []

            async def run() -> None:
                results.append(await host.run("pagerduty", "list_users", "prod"))

            async with anyio.create_task_group() as group:
                group.start_soon(run)
                await anyio.sleep(0.15)
                [old] = host._core.pool._open.values()
                await host.connections.edit("prod", Change(fields={"description": "changed"}))
                await run()
                kept = old.wires._open["lean"]._kept
            await host.connections.remove("prod")
            return [*results, kept, old.wires._open["lean"]._kept, host._core.pool._open]

        first, second, _, closed, left = world.use(work)
    assert (first.status, second.status, closed, left) == (Status.PASSED, Status.PASSED, 0, {})


def test_the_librarys_own_logging_of_urls_is_quiet(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pagerduty_sandbox() as sandbox, caplog.at_level(logging.INFO):
        world.add(sandbox.base)
        world.run("list_users", {"query": "needle"})
    assert "needle" not in caplog.text


def test_never_more_than_the_limit_in_any_window() -> None:
    """Two hundred requests from twenty tasks, limited to fifty a minute."""
    clock = FastClock()
    limiter = Limiter(clock, lambda _event, _facts: None)
    sent: list[float] = []

    async def send(_: Request) -> Reply:
        sent.append(clock.monotonic())
        return Reply(200, {}, b"")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(ten)

    async def ten() -> None:
        for _ in range(10):
            await limiter(Request("GET", "https://x.example/", "api", allowance=Allowance("key", 50, 60)), send)

    anyio.run(main)
    sent.sort()
    assert len(sent) == 200
    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[50:], strict=False))


def test_a_used_up_limit_slows_down_and_gives_up_at_the_deadline(world: World, clock: FastClock) -> None:
    with pagerduty_sandbox(users=400) as sandbox:
        world.add(sandbox.base, parameters={"rest_requests_per_minute": 2})
        result = world.run("list_users")
        assert result.status is Status.PASSED
        assert sum(clock.slept) >= 120
        late = world.run("list_users", timeout=30)
    assert late.status is Status.PARTIAL
    assert "rate limit of 2 requests in 60 seconds" in late.errors[0].detail


def test_the_limit_is_shared_by_connections_with_the_same_key(world: World, clock: FastClock) -> None:
    with pagerduty_sandbox() as sandbox:
        for name in ("prod", "twin"):
            world.add(sandbox.base, name, parameters={"rest_requests_per_minute": 2})

        async def work(host: Any) -> None:
            for name in ("prod", "twin", "prod", "twin"):
                await host.run("pagerduty", "list_users", name)

        world.use(work)
    assert 59 <= sum(clock.slept) <= 62  # a fortieth of the window is the price of sharing it with other programs


def test_a_429_closes_the_window_for_all() -> None:
    clock = FastClock()
    limiter = Limiter(clock, lambda _event, _facts: None)
    allowance = Allowance("key", 100, 60)

    async def busy(_: Request) -> Reply:
        return Reply(429, {"ratelimit-reset": "20"}, b"")

    async def main() -> None:
        await limiter(Request("GET", "https://x.example/", "api", allowance=allowance), busy)
        await limiter(Request("GET", "https://x.example/", "api", allowance=allowance), busy)
        near = clock.monotonic() + 5
        with pytest.raises(RateLimited):
            await limiter(Request("GET", "https://x.example/", "api", allowance=allowance, deadline=near), busy)

    anyio.run(main)
    assert clock.slept == [20]
