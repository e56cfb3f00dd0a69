"""Serves the application over HTTP: uvicorn on this event loop, with bounds on how long clients may take."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from msgspec import Struct
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connector_host.model.errors import BadSetting

PATIENCE = 10.0  # seconds for a head, for a body, and for an answer to be read


class Listening(Struct, frozen=True):
    """Where and how to listen: an address and a port, or a socket file; over TLS with a certificate."""

    host: str = "127.0.0.1"
    port: int = 8080
    uds: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which lets nobody take longer than PATIENCE over a request, or over reading its answer."""

    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waited()
        self.resume_writing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait()

    def on_message_complete(self) -> None:
        self._waited()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(PATIENCE, self._end)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _wait(self) -> None:
        self._waited()
        self._timer = self.loop.call_later(PATIENCE, self._end)

    def _waited(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class _Quiet(uvicorn.Server):
    """A server that leaves signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving_http(app: ASGIApp, listening: Listening, listener: socket.socket) -> AsyncIterator[None]:
    """Serve while the block runs; raises BadSetting for a certificate that is none."""
    tls: dict[str, Any] = (
        {"ssl_certfile": listening.certificate, "ssl_keyfile": listening.key} if listening.certificate else {}
    )
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False, "lifespan": "off"}
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        loop="none",
        timeout_graceful_shutdown=5,
        proxy_headers=listening.behind_proxy,
        **options,
        **tls,
    )
    server = _Quiet(config)
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        listener.close()
        raise BadSetting(f"The certificate or its key cannot be used: {error}.") from error
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        try:
            yield
        finally:
            server.should_exit = True


def listener_of(listening: Listening) -> socket.socket:
    """Return a socket that listens; raises BadSetting for an address that is none."""
    try:
        return _opened(listening)
    except OSError as error:
        place = listening.uds or f"{listening.host}:{listening.port}"
        raise BadSetting(f"Nothing can listen at {place}: {error.strerror}.") from error


def _opened(listening: Listening) -> socket.socket:
    if listening.uds is not None:
        listening.uds.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(listening.uds))
        listening.uds.chmod(0o600)
    else:
        family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listening.host, listening.port))
    listener.listen(2048)
    _allow_many_files()
    return listener


def _allow_many_files() -> None:
    """Let connections be many: each is a file to the system, of which a process may open few unless it asks."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def address_of(listening: Listening, listener: socket.socket) -> str:
    """Return where people reach it."""
    if listening.uds is not None:
        return f"unix:{listening.uds}"
    scheme = "https" if listening.certificate else "http"
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"
