"""What the transport tests share: the scripted server, and each transport behind the same door."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from connector_host.http.httpx2_transport import Httpx2Wire
from connector_host.http.lean_transport import LeanWire
from connector_host.http.tls import TlsContexts
from connector_host.http.transport import Bounds
from connector_host.model.invocation_errors import InvocationError
from connector_host.ports.parts import Reply, Request, Tls, Wire
from tests.transport.scripted import Scripted, scripted_server

WIRES: dict[str, Any] = {"lean": LeanWire, "httpx2": Httpx2Wire}
Opened = Callable[..., AbstractAsyncContextManager["Client"]]


class Client:
    """A wire, and how a test asks over it."""

    def __init__(self, wire: Wire, server: Scripted) -> None:
        self.wire = wire
        self.server = server
        self.host = f"127.0.0.1:{server.ports['plain']}"

    async def ask(self, what: str = "ok", *, kind: str = "plain", seconds: float = 4, **more: Any) -> Reply:
        """Ask for what the scripted server calls so; raises what the wire raises."""
        facts = {"method": "GET", "url": self.server.url(what, kind), "headers": {"X-A": "1"}, **more}
        return await self.wire.send(Request(server="api", deadline=time.monotonic() + seconds, **facts))

    async def fault(self, what: str = "ok", **more: Any) -> InvocationError:
        """Ask, and be refused."""
        with pytest.raises(InvocationError) as caught:
            await self.ask(what, **more)
        return caught.value


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    with scripted_server(tmp_path_factory.mktemp("certificates")) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_seen(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    server.forget()
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=list(WIRES))
def opened(request: pytest.FixtureRequest, server: Scripted) -> Opened:
    """Return what opens a wire of each transport in turn, with some bounds of its own."""

    @asynccontextmanager
    async def opening(tls: Tls | None = None, resolve: Any = None, **bounds: Any) -> AsyncIterator[Client]:
        more = {} if resolve is None else {"resolve": resolve}
        trusted = tls or Tls(ca_bundle=server.authority.roots)
        wire = WIRES[request.param](TlsContexts(), trusted, time.monotonic, Bounds(**bounds), **more)
        try:
            yield Client(wire, server)
        finally:
            await wire.close()

    opening.name = request.param  # type: ignore[attr-defined]
    return opening


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
