"""What tests work with: a host on a data folder of its own, PagerDuty's stand-in, a clock that does not wait."""

import atexit
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from connector_host import Caller, Configuration, open_host
from connector_host.app import App
from connector_host.cli.sandbox import serving
from connector_host.host.session import Session
from connector_host.model.connection import Change
from connector_host.model.invocation import Options
from connector_host.model.result import Result
from connector_host.running.python import plugin_module

API_KEY = "u+DoSecretApiKey/bgRQ"
INTEGRATION_KEY = "34be7512aaaabbbbccccdddd3c3534ca"
SENDER = "earline.greenholt@example.com"
Answer = bytes | None | Callable[[], bytes]
SHARED = Path(__file__).resolve().parents[2] / "shared"


class FastClock:
    """A clock whose sleeps take no time, and are remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._elapsed = 0.0
        self._start = dt.datetime.now(dt.UTC)

    def now(self) -> dt.datetime:
        return self._start + dt.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._elapsed += seconds
        await anyio.lowlevel.checkpoint()


class World:
    """One data folder and its host, opened anew for each call as separate programs would."""

    def __init__(self, home: Path, **configuration: Any) -> None:
        self.home = home
        self.configuration = Configuration(home=home, **configuration)

    def use(self, work: Callable[[Session], Any], caller: Caller | None = None) -> Any:
        """Open the host, do async work in the operator's session or a caller's, close it."""

        async def go() -> Any:
            async with open_host(self.configuration) as host:
                return await work(host.as_operator() if caller is None else host.acting_for(caller))

        return anyio.run(go)

    def add(self, base: str, name: str = "prod", **more: Any) -> None:
        """Add a PagerDuty connection to the server at `base`."""
        parameters = {"server_url": base, "event_url": base, "default_from": SENDER, **more.pop("parameters", {})}
        secrets = {"api_key": API_KEY, "integration_key": INTEGRATION_KEY, **more.pop("secrets", {})}
        secrets = {key: value for key, value in secrets.items() if value is not None}
        self.use(lambda host: host.connections.add(name, "pagerduty", Change(more, parameters, secrets)))

    def point_to(self, base: str) -> None:
        """Let the connection `prod` lead to `base`; it is added where it is not there."""
        change = Change(parameters={"server_url": base, "event_url": base})
        names = [one.connection.name for one in self.use(lambda host: host.connections.list())]
        if "prod" in names:
            self.use(lambda host: host.connections.edit("prod", change))
        else:
            self.add(base)

    def run(self, command: str, inputs: Mapping[str, Any] | None = None, *, timeout: float | None = None) -> Result:
        """Run a PagerDuty command through the connection `prod`."""
        options = Options(deadline_seconds=timeout)
        result: Result = self.use(lambda host: host.run("pagerduty", command, "prod", inputs, options=options))
        return result


async def opened(session: Any, name: str) -> dict[str, Any]:
    """Return a connection's secrets in the clear: there is no call for that, so a test looks inside."""
    core = session._core
    stored = await core.store.connections.get(name)
    found: dict[str, Any] = await core.secrets.open(stored)
    return found


class Sandbox:
    """PagerDuty's stand-in while it is being served."""

    def __init__(self, app: Any, base: str) -> None:
        self.base = base
        self.account = app.state.account
        self.faults = app.state.faults
        self.options = app.state.options

    @property
    def requests(self) -> list[str]:
        """All that came, as METHOD PATH?QUERY."""
        found: list[str] = self.faults.requests
        return found


@contextmanager
def pagerduty_sandbox(*, certificate: str | None = None, key: str | None = None, **options: Any) -> Iterator[Sandbox]:
    manifest = App().plugins.plugin("pagerduty")
    app = plugin_module(manifest, "sandbox").build(**options)
    with serving_app(app, certificate=certificate, key=key) as base:
        yield Sandbox(app, base)


class _Stage:
    """A server that outlives a test, for one app after the other: to start and to stop it takes a third of a second."""

    def __init__(self) -> None:
        self.app: Any = None
        self._server = serving(self)
        self.base = self._server.__enter__()
        atexit.register(self._server.__exit__, None, None, None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


async def _closed(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 410, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"Its test is over."})


_STAGES: list[_Stage] = []


@contextmanager
def serving_app(
    app: Any, *, certificate: str | None = None, key: str | None = None, date: bool = True
) -> Iterator[str]:
    """Serve an ASGI app of the test's; gives its base URL."""
    if certificate or not date:
        with serving(app, certificate=certificate, key=key, date=date) as base:
            yield base
        return
    stage = _STAGES.pop() if _STAGES else _Stage()
    stage.app = app
    try:
        yield stage.base
    finally:
        stage.app = _closed
        _STAGES.append(stage)


@contextmanager
def raw_server(*answers: Answer, repeat: bool = True, delay: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """Serve the given bytes, one answer per connection (None: never answer); gives base URL and what was received."""
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stop = threading.Event()
    thread = threading.Thread(target=_answer, args=(listener, answers, repeat, received, stop, delay), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        stop.set()
        thread.join()
        listener.close()


def _answer(
    listener: socket.socket,
    answers: Sequence[Answer],
    repeat: bool,
    received: list[bytes],
    stop: threading.Event,
    delay: float,
) -> None:
    kept: list[socket.socket] = []
    turn = 0
    while not stop.is_set():
        try:
            wire, _ = listener.accept()
        except TimeoutError:
            continue
        wire.settimeout(5)
        try:
            received.append(_request(wire))
            answer = answers[min(turn, len(answers) - 1)] if repeat or turn < len(answers) else b""
            turn += 1
            answer = answer() if callable(answer) else answer
            if answer is None:
                kept.append(wire)
                continue
            time.sleep(delay)
            wire.sendall(answer)
        except OSError:
            pass
        wire.close()
    for wire in kept:
        wire.close()


def _request(wire: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = wire.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += wire.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: str, body: bytes, *headers: str, length: bool = True) -> bytes:
    """One HTTP answer that closes the connection."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
