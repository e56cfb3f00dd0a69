"""Health checks: run when due, once, whoever runs them; people are told once, and once more when it works again."""

import datetime as dt
import email
import email.policy
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from connector_host.model.connection import Change, HealthCheck, Selection, State
from connector_host.model.errors import NoticeUndelivered, WrongUse
from connector_host.ports.parts import Notice
from tests.certificates import write_certificate
from tests.openbao import free_port
from tests.world import API_KEY, FastClock, Sandbox, World, pagerduty_sandbox

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # over TLS from the start there is no STARTTLS
CHECK = HealthCheck(10, 3, ("soc@example.com", "ann@example.com"))


class Mailbox:
    """What the mail server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the server calls it so
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


def trusted(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def login(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"soar", b"mail-password"), handled=False)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture(params=["starttls", "tls"])
def smtp(request: pytest.FixtureRequest, files: tuple[Path, Path], mailbox: Mailbox) -> Iterator[dict[str, Any]]:
    """The host manifest's smtp section for a real mail server that demands encryption and a login."""
    options: dict[str, Any] = {"auth_required": True, "authenticator": login}
    if request.param == "starttls":
        options |= {"tls_context": trusted(files), "require_starttls": True}
    else:
        options |= {"ssl_context": trusted(files), "auth_require_tls": False}
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    section = {"host": "127.0.0.1", "port": port, "security": request.param, "sender": "soar@example.com"}
    yield {**section, "user": "soar", "password": "env:SMTP_PASSWORD", "ca_bundle": str(files[0])}
    controller.stop()


@pytest.fixture
def watched(
    tmp_path: Path, clock: FastClock, sandbox: Sandbox, smtp: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> World:
    """A world that sends mail, with the connection `prod` checked every ten minutes."""
    monkeypatch.setenv("SMTP_PASSWORD", "mail-password")
    world = World(tmp_path / "home", clock=clock, manifest=host_manifest(tmp_path, smtp))
    world.add(sandbox.base, health_check=CHECK)
    return world


def host_manifest(folder: Path, smtp: dict[str, Any] | None = None) -> Path:
    import yaml

    from connector_host.configuration import bundled

    value = yaml.safe_load((bundled() / "manifest.yaml").read_text())
    value["plugins"] = [str(bundled() / one) for one in value["plugins"]]
    file = folder / "host-manifest.yaml"
    file.write_text(yaml.safe_dump({**value, **({"notifiers": ["smtp"], "smtp": smtp} if smtp else {})}))
    return file


def run_due(world: World) -> tuple[int, int]:
    done = world.use(lambda host: host.health.run_due())
    return done.passed, done.failed


def pass_minutes(world: World, minutes: float) -> None:
    clock = world.configuration.clock
    assert clock is not None
    anyio.run(clock.sleep, minutes * 60)


def state(world: World, name: str = "prod") -> Any:
    return world.use(lambda host: host.connections.show(name))


def test_people_are_told_once_and_once_more_when_it_works_again(
    watched: World, sandbox: Sandbox, mailbox: Mailbox
) -> None:
    assert run_due(watched) == (1, 0)
    sandbox.options["api_key"] = "another-key-than-ours"
    for turn in range(1, 6):
        pass_minutes(watched, 12)
        assert run_due(watched) == (0, 1)
        assert len(mailbox.mails) == (2 if turn >= 3 else 0)
    mail, _ = mailbox.mails
    assert mailbox.recipients == [[one] for one in CHECK.recipients]
    assert mail["Subject"] == "Connection 'prod' fails (3 health checks in a row)"
    body = mail.get_content()
    assert "Status Code: 2006. Message: You shall not pass." in body
    assert "connector-host health history prod" in body
    assert API_KEY not in mail.as_string()
    health = state(watched)["health"]
    assert (health["failures"], health["mailed"], health["status"]) == (5, True, "Failed")
    assert state(watched)["state"] == "needs attention"
    sandbox.options["api_key"] = API_KEY
    for _ in range(2):
        pass_minutes(watched, 12)
        assert run_due(watched) == (1, 0)
    assert [one["Subject"] for one in mailbox.mails[2:]] == ["Connection 'prod' works again"] * 2
    assert (state(watched)["health"]["failures"], state(watched)["state"]) == (0, "healthy")


def test_a_mail_that_did_not_go_out_is_tried_again(
    watched: World, sandbox: Sandbox, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.options["api_key"] = "another-key-than-ours"
    monkeypatch.setenv("SMTP_PASSWORD", "a-wrong-password")
    for _ in range(3):
        run_due(watched)
        pass_minutes(watched, 12)
    assert (mailbox.mails, state(watched)["health"]["mailed"]) == ([], False)
    monkeypatch.setenv("SMTP_PASSWORD", "mail-password")
    run_due(watched)
    assert (len(mailbox.mails), state(watched)["health"]["mailed"]) == (2, True)


def test_what_the_mail_server_refuses_is_told(smtp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from connector_host.notifiers.smtp import SmtpNotifier

    class Part:
        def __init__(self, **more: Any) -> None:
            self.options = lambda _name: {**smtp, **more}

    def notify(**more: Any) -> None:
        anyio.run(SmtpNotifier(Part(**more)).notify, Notice("x", "c", ("a@example.com",), "s", "t"))  # type: ignore[arg-type]

    monkeypatch.setenv("SMTP_PASSWORD", "a-wrong-password")
    with pytest.raises(NoticeUndelivered, match="refuses the login"):
        notify()
    monkeypatch.setenv("SMTP_PASSWORD", "mail-password")
    with pytest.raises(NoticeUndelivered, match="certificate verify failed"):
        notify(ca_bundle="")
    with pytest.raises(NoticeUndelivered, match="could not be used"):
        notify(port=1)
    with pytest.raises(NoticeUndelivered, match="could not be used"):
        notify(password="file:/nowhere")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, "needs the host manifest's smtp section"),
        ({"host": "mail.example.com", "sender": "a@example.com", "security": "none"}, "unencrypted"),
        ({"host": "m", "sender": "a@example.com", "security": "ssl"}, "one of starttls, tls, none"),
        ({"host": "m", "sender": "a@example.com", "password": "hunter2"}, "not itself"),
        ({"host": "m", "sender": "a@example.com", "pasword": "env:X"}, "may hold"),
        ({"host": "m", "sender": "a@example.com", "port": "25"}, "whole number"),
    ],
)
def test_wrong_mail_settings_are_refused_at_start(tmp_path: Path, section: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        World(tmp_path, manifest=host_manifest(tmp_path, section or {"host": ""})).use(lambda host: host.history())


@pytest.fixture
def checked(prod: World) -> World:
    """`prod`, checked every ten minutes; nobody is told."""
    prod.use(lambda host: host.connections.edit("prod", Change({"health_check": HealthCheck(10)})))
    return prod


def test_checks_run_when_due_and_not_before(checked: World) -> None:
    assert run_due(checked) == (1, 0)
    assert run_due(checked) == (0, 0)
    pass_minutes(checked, 8.9)
    assert run_due(checked) == (0, 0)
    pass_minutes(checked, 2.2)
    assert run_due(checked) == (1, 0)


def test_after_a_pause_an_overdue_check_runs_once(checked: World, sandbox: Sandbox) -> None:
    run_due(checked)
    pass_minutes(checked, 60 * 24 * 7)
    before = len(sandbox.requests)
    assert run_due(checked) == (1, 0)
    assert run_due(checked) == (0, 0)
    assert sandbox.requests[before:] == ["GET /abilities", "POST /v2/enqueue"]


def test_a_changed_interval_counts_at_once(checked: World) -> None:
    checked.use(lambda host: host.connections.edit("prod", Change({"health_check": HealthCheck(60 * 24)})))
    run_due(checked)
    pass_minutes(checked, 12)
    assert run_due(checked) == (0, 0)
    checked.use(lambda host: host.connections.edit("prod", Change({"health_check": HealthCheck(10)})))
    assert run_due(checked) == (1, 0)


def test_only_active_connections_are_checked(checked: World, sandbox: Sandbox) -> None:
    checked.use(lambda host: host.connections.edit("prod", Change({"active": False})))
    assert run_due(checked) == (0, 0)
    assert sandbox.requests == []
    checked.use(lambda host: host.connections.edit("prod", Change({"active": True})))
    assert run_due(checked) == (1, 0)


def test_each_check_is_in_the_history_with_its_error_log(checked: World, sandbox: Sandbox) -> None:
    run_due(checked)
    checked.run("list_users")
    sandbox.options["api_key"] = "another-key-than-ours"
    pass_minutes(checked, 12)
    run_due(checked)
    newest, oldest = checked.use(lambda host: host.history(10, "prod", checks=True))
    assert (newest.caller, newest.command, newest.status) == ("health check", "test_connection", "Failed")
    assert "2006" in newest.error
    assert (oldest.status, oldest.error) == ("Passed", None)


def test_a_claim_that_was_left_behind_lapses(checked: World) -> None:
    async def leave(host: Any) -> Any:
        log, now = host._core.store.health, host._core.clock.now()
        return await log.claim("a program that was killed", now, now + dt.timedelta(seconds=360), 10)

    assert len(checked.use(leave)) == 1
    assert run_due(checked) == (0, 0)
    pass_minutes(checked, 6.1)
    assert run_due(checked) == (1, 0)


def test_a_late_finisher_does_not_overwrite(checked: World) -> None:
    async def late(host: Any) -> Any:
        log, now = host._core.store.health, host._core.clock.now()
        [(connection_id, before)] = await log.claim("late", now, now + dt.timedelta(seconds=1), 10)
        await host._core.clock.sleep(2)
        await host.health.run_due()
        return await log.finish(connection_id, "late", before, 1.0)

    assert checked.use(late) is False
    assert state(checked)["health"]["status"] == "Passed"


def test_a_check_that_is_cut_off_gives_its_claim_up(checked: World, sandbox: Sandbox) -> None:
    async def cut(host: Any) -> None:
        with anyio.move_on_after(0.3):
            await host.health.run_due()

    with pagerduty_sandbox(latency=5000) as slow:
        checked.point_to(slow.base)
        checked.use(cut)
    checked.point_to(sandbox.base)
    assert state(checked)["health"]["last_run"] is None
    assert run_due(checked) == (1, 0)


def test_a_broken_plugin_is_a_failed_check(checked: World, tmp_path: Path) -> None:
    import yaml

    file = host_manifest(tmp_path)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "plugins": []}))
    without = World(checked.home, clock=checked.configuration.clock, manifest=file)
    assert run_due(without) == (0, 1)
    shown = state(without)
    assert (shown["state"], shown["health"]["failures"]) == ("needs attention", 1)
    assert "is not installed any more" in shown["health"]["attention"]


def test_an_authentication_failure_needs_attention_until_a_test_passes(prod: World, sandbox: Sandbox) -> None:
    sandbox.options["api_key"] = "another-key-than-ours"
    prod.run("list_users")
    shown = state(prod)
    assert shown["state"] == "needs attention"
    assert "You shall not pass." in shown["health"]["attention"]
    selected = prod.use(lambda host: host.connections.list(Selection(state=State.ATTENTION)))
    assert [one.connection.name for one in selected] == ["prod"]
    sandbox.options["api_key"] = API_KEY
    prod.run("list_users")
    assert state(prod)["state"] == "needs attention"
    prod.use(lambda host: host.test("prod"))
    assert state(prod)["state"] == "healthy"


def test_two_programs_check_everything_once(world: World, sandbox: Sandbox) -> None:
    async def fill(host: Any) -> None:
        parameters = {"server_url": sandbox.base, "event_url": sandbox.base}
        for number in range(120):
            fields = {"health_check": HealthCheck(10)}
            secrets = {"api_key": f"key-of-{number:04}-padded-to-length"}
            await host.connections.add(f"c{number:04}", "pagerduty", Change(fields, parameters, secrets))

    world.use(fill)
    code = """
import sys, anyio
from pathlib import Path
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]))) as host:
        print("ready", flush=True)
        sys.stdin.readline()
        done = await host.as_operator().health.run_due()
        print(done.passed, done.failed)
anyio.run(main)
"""
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(world.home)], stdin=PIPE, stdout=PIPE, text=True)
        for _ in range(2)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    counts = [tuple(map(int, program.communicate()[0].split())) for program in programs]
    assert [sum(column) for column in zip(*counts, strict=True)] == [120, 0]
    assert all(passed > 0 for passed, _ in counts)
    assert len(world.use(lambda host: host.history(1000))) == 120
    assert len(sandbox.requests) == 120


def test_serve_runs_until_it_is_told_to_stop(checked: World, sandbox: Sandbox) -> None:
    import os
    import signal

    program = subprocess.Popen(
        [sys.executable, "-m", "connector_host", "serve"],
        env={**os.environ, "CONNECTOR_HOST_HOME": str(checked.home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    timer = threading.Timer(20, program.kill)
    timer.start()
    while state(checked)["state"] == "untested" and program.poll() is None:  # a check under way is cut by the signal
        threading.Event().wait(0.05)
    program.send_signal(signal.SIGTERM)
    assert program.stderr is not None
    assert "Stopped." in program.stderr.read()
    assert program.wait() == 0
    program.stderr.close()
    timer.cancel()
    assert state(checked)["state"] == "healthy"


@pytest.mark.parametrize(
    "check",
    [HealthCheck(0), HealthCheck(5, 0), HealthCheck(5, 3, ("nobody",)), HealthCheck(5, 3, ("a@b\nBcc: c@d",))],
)
def test_a_health_check_that_makes_no_sense_is_refused(prod: World, check: HealthCheck) -> None:
    with pytest.raises(WrongUse):
        prod.use(lambda host: host.connections.edit("prod", Change({"health_check": check})))


PAGER = """
from pathlib import Path


class Pager:
    def __init__(self, surroundings):
        self._file = surroundings.home / "paged"

    async def notify(self, notice):
        with self._file.open("a") as file:
            file.write(f"{notice.event} {notice.connection} {','.join(notice.recipients)}\\n")
"""


def test_another_channel_comes_in_by_the_slot(
    checked: World, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import types

    import yaml

    from connector_host import Configuration
    from connector_host.app import App
    from connector_host.ports.hookspecs import plug

    (tmp_path / "pager.py").write_text(PAGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = host_manifest(tmp_path)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "notifiers": ["pager"]}))
    change = Change({"health_check": HealthCheck(10, 1, ("ann@example.com",))})
    checked.use(lambda host: host.connections.edit("prod", change))
    sandbox.options["api_key"] = "another-key-than-ours"
    package = types.SimpleNamespace(provide=plug(lambda: {"notifier": {"pager": "pager:Pager"}}))

    async def work() -> None:
        clock = checked.configuration.clock
        joiner = App(Configuration(home=checked.home, manifest=file, clock=clock, plugs=(package,)))
        async with joiner.open() as host:
            await host.as_operator().health.run_due()
            sandbox.options["api_key"] = API_KEY
            assert clock is not None
            await clock.sleep(12 * 60)
            await host.as_operator().health.run_due()

    anyio.run(work)
    paged = (checked.home / "paged").read_text().splitlines()
    assert paged == ["connection.failing prod ann@example.com", "connection.recovered prod ann@example.com"]
