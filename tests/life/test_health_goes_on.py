"""Health checks and their mails: one recipient, one notifier, one plugin, one server that fails harms no other."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from connector_host import BadSetting, Status
from connector_host.configuration import bundled
from connector_host.model.connection import Change, HealthCheck, Selection
from tests.openbao import free_port
from tests.own import HEAD, own
from tests.world import FastClock, Sandbox, World, pagerduty_sandbox

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")
HOST = [sys.executable, "-m", "connector_host"]
PEOPLE = ("ann@example.com", "bob@example.com")


class Picky:
    """A mail server that refuses some recipients, and keeps whom it wrote to."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.told: list[tuple[str, str]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - the server calls it so
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the same
        subject = next(line for line in envelope.content.decode().splitlines() if line.startswith("Subject:"))
        kind = "again" if "again" in subject else "fails"
        self.told += [(address, kind) for address in envelope.rcpt_tos]
        return "250 OK"


@contextmanager
def mail_server(picky: Picky, **options: Any) -> Iterator[dict[str, Any]]:
    controller = Controller(picky, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield {"host": "127.0.0.1", "port": controller.port, "security": "none", "sender": "soar@example.com"}
    finally:
        controller.stop()


def watched(tmp_path: Path, base: str, smtp: dict[str, Any], people: tuple[str, ...] = PEOPLE) -> World:
    manifest = tmp_path / "manifest.yaml"
    plugins = [str(bundled() / "plugins" / "pagerduty")]
    manifest.write_text(json.dumps({"plugins": plugins, "notifiers": ["smtp"], "smtp": smtp, "steps": ["retry"]}))
    world = World(tmp_path / "home", clock=FastClock(), manifest=manifest)
    world.add(base, health_check=HealthCheck(10, 1, people))
    return world


def turn(world: World, minutes: float = 12) -> Any:
    done = world.use(lambda host: host.health.run_due())
    clock = world.configuration.clock
    assert clock is not None
    anyio.run(clock.sleep, minutes * 60)
    return done


def test_a_refused_recipient_makes_no_storm_for_the_others(tmp_path: Path, sandbox: Sandbox) -> None:
    picky = Picky("ann@example.com")
    with mail_server(picky) as smtp:
        world = watched(tmp_path, sandbox.base, smtp)
        sandbox.options["api_key"] = "another-key-than-ours"
        for _ in range(6):
            done = turn(world)
        assert picky.told == [("bob@example.com", "fails")]
        assert done.undelivered == 1
        health = world.use(lambda host: host.connections.show("prod"))["health"]
        assert "ann@example.com" in str(health["deliveries"])
        picky.refused.clear()
        for _ in range(20):
            turn(world)
        assert picky.told == [("bob@example.com", "fails"), ("ann@example.com", "fails")]
        sandbox.options["api_key"] = None
        for _ in range(3):
            turn(world)
    assert sorted(picky.told[2:]) == [("ann@example.com", "again"), ("bob@example.com", "again")]


def test_pauses_between_tries_grow(tmp_path: Path, sandbox: Sandbox) -> None:
    picky = Picky(*PEOPLE)
    with mail_server(picky) as smtp:
        world = watched(tmp_path, sandbox.base, smtp, ("ann@example.com",))
        sandbox.options["api_key"] = "another-key-than-ours"
        tries = []
        for _ in range(40):
            turn(world)
            one = world.use(lambda host: host.connections.show("prod"))["health"]["deliveries"]["ann@example.com"]
            tries.append(one["tries"])
    assert tries[0] == 1
    assert tries[-1] <= 8


@pytest.mark.parametrize("bad", ["müller@example.com", "ann@exa\u00admple.com", "ann.@example.com"])
def test_an_address_that_cannot_be_written_keeps_nobody_else_from_being_told(
    tmp_path: Path, sandbox: Sandbox, bad: str
) -> None:
    picky = Picky()
    with mail_server(picky) as smtp:
        world = watched(tmp_path, sandbox.base, smtp, (bad, "bob@example.com"))
        sandbox.options["api_key"] = "another-key-than-ours"
        turn(world)
        environment = {"CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml")}
        words = [*HOST, "health", "list", "--output", "json"]
        told = json.loads(subprocess.run(words, env=_with(environment), capture_output=True, check=True).stdout)
    assert ("bob@example.com", "fails") in picky.told
    if (bad, "fails") not in picky.told:
        assert bad in told[0]["undelivered"]


def _with(more: dict[str, str]) -> dict[str, str]:
    import os

    return {**os.environ, **more}


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_password_beyond_ascii_logs_in_or_says_why_not(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    given: list[bytes] = []

    def login(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
        given.append(data.password)
        return AuthResult(success=data.password == "pässwört".encode())

    monkeypatch.setenv("SMTP_PASSWORD", "pässwört")
    picky = Picky()
    hidden = {"PLAIN", "LOGIN"} - {mechanism}
    options = {
        "auth_required": True,
        "authenticator": login,
        "auth_require_tls": False,
        "auth_exclude_mechanism": hidden,
    }
    with mail_server(picky, **options) as smtp:
        world = watched(tmp_path, sandbox.base, {**smtp, "user": "soar", "password": "env:SMTP_PASSWORD"})
        sandbox.options["api_key"] = "another-key-than-ours"
        done = turn(world)
    assert (done.checked, done.failed) == (1, 1)
    assert bool(picky.told) == (mechanism == "PLAIN")
    assert done.undelivered == (0 if mechanism == "PLAIN" else 2)
    assert base64.b64encode("pässwört".encode()).decode() not in str(
        world.use(lambda host: host.connections.show("prod"))
    )


def test_whatever_a_notifier_does_a_round_goes_on(tmp_path: Path, sandbox: Sandbox) -> None:
    from connector_host.host.notices import Notices
    from connector_host.model.connection import Connection, ConnectionHealth

    class Loud:
        async def notify(self, _notice: Any) -> None:
            raise ZeroDivisionError("a notifier's own fault")

    told: list[Any] = []

    class Quiet:
        async def notify(self, notice: Any) -> None:
            told.append(notice.recipients)

    connection = Connection("prod", "pagerduty", health_check=HealthCheck(10, 1, PEOPLE))
    now = FastClock().now()
    health = ConnectionHealth("Failed", now, failures=1)
    notices = Notices([Loud(), Quiet()])

    async def tell() -> ConnectionHealth:
        return await notices.told(connection, health, "words", now)

    kept = anyio.run(tell)
    assert kept.mailed
    assert told == [("ann@example.com",), ("bob@example.com",)]
    alone = Notices([Loud()])
    assert not anyio.run(lambda: alone.told(connection, health, "words", now)).mailed
    assert alone.undelivered == 2


# What a test proves


@pytest.mark.parametrize("event_url", ["http://127.0.0.1:1", "http://127.0.0.1:1/elsewhere"])
def test_a_dead_events_server_is_no_passed_test(world: World, sandbox: Sandbox, event_url: str) -> None:
    world.add(sandbox.base, parameters={"event_url": event_url})
    result = world.use(lambda host: host.test("prod"))
    assert result.status is Status.PARTIAL
    assert [entry.item for entry in result.errors] == ["Events server"]
    assert result.errors[0].kind == "unreachable"


def test_a_mistyped_event_url_is_no_passed_test(world: World, sandbox: Sandbox) -> None:
    world.add(sandbox.base, parameters={"event_url": f"{sandbox.base}/wrong"})
    assert world.use(lambda host: host.test("prod")).status is Status.PARTIAL


def test_what_no_secret_needs_is_not_checked_and_the_list_says_so(world: World) -> None:
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base, parameters={"event_url": "http://127.0.0.1:1"}, secrets={"integration_key": None})
        result = world.use(lambda host: host.test("prod"))
        assert result.status is Status.PASSED
        assert sandbox.account.events == []
        (one,) = world.use(lambda host: host.connections.list())
        assert one.health.unchecked == ("Events server",)
        listed = subprocess.run(
            [*HOST, "health", "list", "--output", "json"], capture_output=True, check=True, text=True
        )
    assert json.loads(listed.stdout)[0]["not_checked"] == ["Events server"]


def test_test_connection_creates_nothing(prod: World, sandbox: Sandbox) -> None:
    result = prod.use(lambda host: host.test("prod"))
    assert result.status is Status.PASSED
    assert sandbox.account.events == []
    assert sandbox.requests == ["GET /abilities", "POST /v2/enqueue"]


# A connection whose plugin is missing, broken or older than its values


GO = "  go: {title: Go, request: {server: api, path: /go}}\n"


def gone(tmp_path: Path, how: str) -> World:
    world = own(tmp_path, GO)
    if how == "missing":
        shutil.rmtree(tmp_path / "acme")
    elif how == "broken":
        (tmp_path / "acme" / "manifest.yaml").write_text("id: [")
    else:
        head = HEAD.replace("    key: {title: Key, type: string, writeOnly: true}\n", "").replace("url, key", "url")
        head = head.replace(', headers: {Authorization: "Bearer {$.connection.key}"}', "")
        (tmp_path / "acme" / "manifest.yaml").write_text(head.replace("1.0.0", "0.9.0") + GO)
    return world


@pytest.mark.parametrize("how", ["missing", "broken", "older"])
@pytest.mark.parametrize(
    "fields",
    [{"active": False}, {"name": "renamed"}, {"description": "was Acme"}, {"health_check": None},
     {"allowed_users": ("ann",)}],
)  # fmt: skip
def test_the_windows_own_fields_never_need_the_plugin(tmp_path: Path, how: str, fields: dict[str, Any]) -> None:
    world = gone(tmp_path, how)
    kept = world.use(lambda host: host.connections.edit("own", Change(fields)))
    for name, value in fields.items():
        assert getattr(kept, name) == value
    shown = world.use(lambda host: host.connections.list())
    assert [one.connection.name for one in shown] == [kept.name]


@pytest.mark.parametrize("how", ["missing", "broken"])
def test_a_parameter_needs_the_plugin(tmp_path: Path, how: str) -> None:
    world = gone(tmp_path, how)
    with pytest.raises(Exception, match="acme"):
        world.use(lambda host: host.connections.edit("own", Change(parameters={"url": "http://127.0.0.1:2"})))
    with pytest.raises(Exception, match="acme"):
        world.use(lambda host: host.connections.copy("own", "twin"))


@pytest.mark.parametrize("how", ["missing", "broken", "older"])
def test_an_export_carries_it_as_it_is(tmp_path: Path, how: str) -> None:
    world = gone(tmp_path, how)
    document = world.use(lambda host: host.transfer.export(Selection()))
    (one,) = document["connections"]
    assert one["parameters"] == {"url": "http://127.0.0.1:1"}
    assert one["missing_secrets"] == ["key"]
    (tmp_path / "two").mkdir()
    other = own(tmp_path / "two", GO)
    one["name"] = "came"
    (outcome,) = other.use(lambda host: host.transfer.take(document, secrets={"came": {"key": "k3y-of-mine"}}))
    assert outcome.error == ""


def test_a_field_that_makes_no_sense_is_refused_all_the_same(tmp_path: Path) -> None:
    world = own(tmp_path, GO)
    with pytest.raises(BadSetting, match="no Test Connection"):
        world.use(lambda host: host.connections.edit("own", Change({"health_check": HealthCheck(10)})))


@pytest.mark.parametrize(
    "bad", ["a,b@example.com", "Ann <ann@example.com>", "ann@example.com;bob@example.com", '"a"@b']
)
def test_what_is_several_addresses_or_more_than_one_is_refused(prod: World, bad: str) -> None:
    with pytest.raises(BadSetting, match="no e-mail address"):
        prod.use(lambda host: host.connections.edit("prod", Change({"health_check": HealthCheck(10, 3, (bad,))})))


def test_a_test_by_hand_ends_the_count_so_that_the_next_outage_is_told(tmp_path: Path, sandbox: Sandbox) -> None:
    picky = Picky()
    with mail_server(picky) as smtp:
        world = watched(tmp_path, sandbox.base, smtp, ("ann@example.com",))
        sandbox.options["api_key"] = "another-key-than-ours"
        turn(world)
        turn(world)
        assert picky.told == [("ann@example.com", "fails")]
        sandbox.options["api_key"] = None
        assert world.use(lambda host: host.test("prod")).status is Status.PASSED
        sandbox.options["api_key"] = "another-key-than-ours"
        turn(world)
        turn(world)
        assert picky.told == [("ann@example.com", "fails")] * 2
        sandbox.options["api_key"] = None
        turn(world)
    assert picky.told[2:] == [("ann@example.com", "again")]


def test_a_password_that_is_not_there_is_told_as_that(tmp_path: Path, sandbox: Sandbox) -> None:
    with mail_server(Picky()) as smtp:
        login = {"user": "soar", "password": "env:CONNECTOR_HOST_TEST_UNSET"}
        world = watched(tmp_path, sandbox.base, {**smtp, **login}, ("ann@example.com",))
        sandbox.options["api_key"] = "another-key-than-ours"
        turn(world)
        told = world.use(lambda host: host.connections.show("prod"))["health"]["deliveries"]["ann@example.com"]["error"]
    assert "CONNECTOR_HOST_TEST_UNSET" in told


def test_a_trial_message_says_whether_mail_works(tmp_path: Path, sandbox: Sandbox) -> None:
    picky = Picky("bob@example.com")
    with mail_server(picky) as smtp:
        world = watched(tmp_path, sandbox.base, smtp)
        assert world.use(lambda host: host.health.send_trial("ann@example.com")) == {"SmtpNotifier": ""}
        assert picky.told == [("ann@example.com", "fails")]  # anything that does not say `again`
        [error] = world.use(lambda host: host.health.send_trial("bob@example.com")).values()
        assert "refuses bob@example.com" in error
        environment = {**os.environ, "CONNECTOR_HOST_HOME": str(world.home)}
        environment["CONNECTOR_HOST_MANIFEST"] = str(tmp_path / "manifest.yaml")
        for address, code in (("ann@example.com", 0), ("bob@example.com", 1)):
            done = subprocess.run(
                [*HOST, "health", "test-mail", address], env=environment, capture_output=True, text=True
            )
            assert (done.returncode, "SmtpNotifier: " in done.stdout + done.stderr) == (code, True)


def test_a_message_leads_to_where_it_is_mended() -> None:
    from connector_host.host.notices import failing
    from connector_host.model.connection import Connection, ConnectionHealth

    connection, health = Connection("caf\u00e9 & co", "pagerduty"), ConnectionHealth(failures=3)
    with_page = failing(connection, health, "words", "ann@example.com", "https://soar.example.com").text
    assert "https://soar.example.com/connections?q=caf%C3%A9%20%26%20co" in with_page
    assert "Mend it" not in failing(connection, health, "words", "ann@example.com").text
