"""Proxies: chosen for each origin, named by their own name, asked once where they will refuse again, told what is wrong."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host import BadSetting, Status
from connector_host.http.proxies import proxy_for
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.proxy import Proxy
from tests.certificates import write_certificate
from tests.world import World, pagerduty_sandbox


class ConnectProxy:
    """A CONNECT proxy on a thread of its own: with a login where one is set, and a status for those it refuses."""

    def __init__(self, login: str = "", status: int = 200) -> None:
        self.login, self.status = login, status
        self.asked: list[str] = []
        self.base = ""
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready: threading.Event) -> None:
        async def begin() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.base = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()

        self._loop.run_until_complete(begin())
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split(" ")[1]
        self.asked.append(target)
        right = base64.b64encode(self.login.encode()).decode()
        if self.login and f"Proxy-Authorization: Basic {right}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif self.status != 200:
            writer.write(f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            host, _, port = target.rpartition(":")
            inner, outer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_pump(reader, outer), _pump(inner, writer), return_exceptions=True)
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def served(files: tuple[Path, Path]) -> Iterator[Any]:
    with pagerduty_sandbox(certificate=str(files[0]), key=str(files[1])) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


def world_of(tmp_path: Path, base: str, files: tuple[Path, Path], transport: str, settings: str = "") -> World:
    from connector_host.configuration import bundled

    manifest = tmp_path / "manifest.yaml"
    plugins = bundled() / "plugins" / "pagerduty"
    manifest.write_text(f"plugins: [{plugins}]\nsteps: [retry]\nslots: {{transport: {transport}}}\n{settings}")
    world = World(tmp_path / "home", manifest=manifest)
    world.add(base, parameters={"ca_bundle": str(files[0])})
    return world


both = pytest.mark.parametrize("transport", ["lean", "httpx2"])


@both
def test_a_proxy_with_a_password_from_the_host_manifest(
    tmp_path: Path, served: Any, files: tuple[Path, Path], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = ConnectProxy("soar:p@ss w:rd")
    monkeypatch.setenv("PROXY_PASSWORD", "p@ss w:rd")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    settings = f'proxies: [{{url: "{proxy.base}", user: soar, password: "env:PROXY_PASSWORD"}}]\n'
    world = world_of(tmp_path, served.base, files, transport, settings)
    result = world.run("list_users")
    assert result.status is Status.PASSED, result.errors
    assert proxy.asked == [served.base.removeprefix("https://")]
    assert "p@ss" not in result.json()


@both
def test_a_proxy_is_for_the_connections_and_servers_that_it_names(
    tmp_path: Path, served: Any, files: tuple[Path, Path], transport: str
) -> None:
    proxy = ConnectProxy()
    settings = f'proxies: [{{url: none, servers: ["localhost"]}}, {{url: "{proxy.base}", connections: ["via-*"]}}]\n'
    world = world_of(tmp_path, served.base, files, transport, settings)
    parameters = {"ca_bundle": str(files[0])}
    world.add(served.base, "via-proxy", parameters=parameters)
    here = served.base.replace("127.0.0.1", "localhost")
    world.add(here, "via-none", parameters=parameters)

    async def work(host: Any) -> Any:
        return [await host.run("pagerduty", "list_users", name) for name in ("prod", "via-proxy", "via-none")]

    assert [result.status for result in world.use(work)] == [Status.PASSED] * 3
    assert len(proxy.asked) == 1


@both
def test_each_origin_is_judged_by_itself(
    tmp_path: Path, served: Any, files: tuple[Path, Path], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = ConnectProxy()
    monkeypatch.setenv("HTTPS_PROXY", proxy.base)
    monkeypatch.setenv("NO_PROXY", "localhost")
    world = world_of(tmp_path, served.base, files, transport)
    localhost = served.base.replace("127.0.0.1", "localhost")
    parameters = {"ca_bundle": str(files[0]), "event_url": localhost}
    world.add(served.base, "both", parameters=parameters)
    event = {"summary": "s", "severity": "Info", "source": "s"}

    async def work(host: Any) -> Any:
        first = await host.run("pagerduty", "create_event", "both", event)
        return first, await host.run("pagerduty", "list_users", "both")

    first, second = world.use(work)
    assert (first.status, second.status) == (Status.PASSED, Status.PASSED), (first.errors, second.errors)
    assert proxy.asked == [served.base.removeprefix("https://")]


@both
@pytest.mark.parametrize("status", [407, 403, 503])
def test_what_a_proxy_refuses_is_told_with_its_name(
    tmp_path: Path, served: Any, files: tuple[Path, Path], transport: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = ConnectProxy("a:b" if status == 407 else "", 200 if status == 407 else status)
    monkeypatch.setenv("HTTPS_PROXY", f"http://a:wrong@{proxy.base}" if status == 407 else proxy.base)
    world = world_of(tmp_path, served.base, files, transport)
    (entry,) = world.run("list_users", timeout=2).errors
    assert f"The proxy {proxy.base}" in entry.message
    assert ("login" in entry.message) == (status == 407)
    assert "wrong" not in str(entry)
    assert "deadline" in entry.detail or status != 503
    assert len(proxy.asked) == (1 if status != 503 else len(proxy.asked))


@both
def test_a_proxy_that_is_not_there_is_named_and_not_the_product(
    tmp_path: Path, served: Any, files: tuple[Path, Path], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    world = world_of(tmp_path, served.base, files, transport)
    (entry,) = world.run("list_users", timeout=2).errors
    assert "the proxy 127.0.0.1:1 refuses connections" in entry.message
    assert served.base.removeprefix("https://") not in entry.message


@both
def test_a_page_of_a_gateway_says_that_a_proxy_was_in_between(
    tmp_path: Path, files: tuple[Path, Path], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    from tests.world import serving_app

    proxy = ConnectProxy()
    monkeypatch.setenv("HTTPS_PROXY", proxy.base)
    page = Route("/{path:path}", lambda _request: HTMLResponse("<html><title>Denied</title></html>", 403))
    with serving_app(Starlette(routes=[page]), certificate=str(files[0]), key=str(files[1])) as base:
        (entry,) = world_of(tmp_path, base, files, transport).run("list_users").errors
    assert entry.kind == "gateway"
    assert f"through the proxy {proxy.base}" in entry.detail


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "used"),
    [
        ("example.com", "api.example.com", 443, False),
        (".example.com", "api.example.com", 443, False),
        (".example.com", "example.com", 443, False),
        ("*.example.com", "api.example.com", 443, False),
        ("example.com", "badexample.com", 443, True),
        ("example.com:8443", "api.example.com", 443, True),
        ("example.com:8443", "api.example.com", 8443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "11.1.2.3", 443, True),
        ("[::1]:443", "::1", 443, False),
        ("::1", "::1", 443, False),
        ("a.example b.example", "b.example", 443, False),
        ("*", "anything.example", 443, False),
        ("EXAMPLE.com", "Api.Example.COM.", 443, False),
        ("", "api.example.com", 443, True),
        (" , ,", "api.example.com", 443, True),
    ],
)
def test_no_proxy_is_read_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, port: int, used: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    found = proxy_for(host, port, None)
    assert (found == Proxy("http", "proxy.example", 3128)) == used


def test_all_proxy_serves_where_no_other_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://u:p%40w@proxy.example")
    assert proxy_for("x.example", 443, None) == Proxy("socks5", "proxy.example", 1080, "u", "p@w")
    monkeypatch.setenv("HTTPS_PROXY", "https://proxy.example")
    assert proxy_for("x.example", 443, None) == Proxy("https", "proxy.example", 443)


@pytest.mark.parametrize(
    "bad", ["http://", "ftp://proxy", "http://us:p4ss@proxy:notaport", "http://proxy/path", "http://[::1"]
)
def test_a_bad_address_says_so_and_quotes_nothing(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", bad)
    with pytest.raises(RequestRefused, match="HTTPS_PROXY is no proxy's address") as caught:
        proxy_for("x.example", 443, None)
    assert "p4ss" not in str(caught.value)


@both
def test_a_socks_proxy_works_or_is_refused_in_words(
    tmp_path: Path, served: Any, files: tuple[Path, Path], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    (entry,) = world_of(tmp_path, served.base, files, transport).run("list_users", timeout=2).errors
    assert "author" not in str(entry)
    assert "ImportError" not in str(entry)
    assert "transport: httpx2" in str(entry) or "extra" in str(entry) or "the proxy 127.0.0.1:1" in str(entry)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("proxies: [{url: 'http://u:pw@proxy:1'}]", "password does not stand in the url"),
        ("proxies: [{url: 'http://proxy:1', password: plain}]", "env:VARIABLE or file:PATH"),
        ("proxies: [{user: x}]", "has a url"),
        ("proxies: [{url: x, servers: y}]", "lists of names"),
        ("proxies: [{url: x, port: 1}]", "have no 'port'"),
        ("proxies: {url: x}", "list of mappings"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, settings: str, words: str) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(f"plugins: []\n{settings}\n")
    with pytest.raises(BadSetting, match=words):
        World(tmp_path / "home", manifest=manifest).use(lambda host: host.connections.list())
