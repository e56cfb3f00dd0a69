"""Commands in Python: async and plain, items, pages, fan-out; a bug is one item's failure."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.model.connection import Change
from connector_host.model.invocation import Options
from connector_host.model.result import Result, Status
from tests.world import World, http, raw_server

HEAD = """\
id: own
name: Own
version: 1.0.0
servers: {api: {url: $.connection.url}}
paging: {style: offset, size: 2}
connection:
  properties:
    url: {title: URL, type: string, default: "http://127.0.0.1:1"}
    key: {title: Key, type: string, writeOnly: true}
commands:
"""
IMPORTS = (
    "from connector_host import ApiError, AsyncCall, Call, Failed, InvalidInput, Item, Page, Paging, command, url\n"
)


def own_world(folder: Path, code: str, commands: list[str], *, key: str = "k" * 12, url: str | None = None) -> World:
    """A plugin written here; a command may be `name` or `name: {more manifest}`."""
    plugin = folder / "own"
    plugin.mkdir(parents=True, exist_ok=True)
    lines = []
    for one in commands:
        name, _, more = one.partition(":")
        lines.append(
            f"  {name}:\n    title: {name.title()}\n"
            + "".join(f"    {part}\n" for part in more.strip().split("; ") if part)
        )
    (plugin / "manifest.yaml").write_text(HEAD + "".join(lines))
    (plugin / "commands.py").write_text(IMPORTS + code)
    (folder / "manifest.yaml").write_text("plugins: [own]\nsteps: [retry, limit, audit]\n")
    world = World(folder / "home", manifest=folder / "manifest.yaml")
    assert App(world.configuration).plugins.broken == {}
    parameters = {"url": url} if url else {}
    world.use(lambda host: host.connections.add("own", "own", Change(parameters=parameters, secrets={"key": key})))
    return world


def run(world: World, command: str, inputs: Any = None, **options: Any) -> Result:
    result: Result = world.use(lambda host: host.run("own", command, "own", inputs, options=Options(**options)))
    return result


LIST = "input: {properties: {ids: {title: IDs, type: array, items: {type: string}}, n: {title: N, type: integer, default: 1}}}"

CODE = """
@command
async def value(call, ids=(), n=1):
    return {"n": n}

@command
def plain(call, ids=(), n=1):
    return {"n": n}

@command
async def items(call, ids=(), n=1):
    for one in ids:
        yield Item(one, {"id": one} if one != "bad" else Failed("Bad.", code=7, detail="It is bad."))

@command
def plain_items(call, ids=(), n=1):
    for one in ids:
        yield Item(one, {"id": one} if one != "bad" else Failed("Bad.", code=7))

@command
async def each(call, item, n):
    if item == "bad":
        raise Failed("Bad.", kind="not_found")
    if item == "bug":
        return 1 / 0
    await call.sleep(0.03 if item.endswith("3") else 0)
    return {"id": item, "n": n}

@command
def plain_each(call, item, n):
    if item == "bug":
        raise KeyError(item)
    return {"id": item, "n": n}

@command
async def bug(call, ids=(), n=1):
    yield Item("one", {"id": 1})
    raise RuntimeError("oops")

@command
async def nothing(call, ids=(), n=1):
    return None
"""
NAMES = ["value", "plain", "items", "plain_items", "each: each: ids", "plain_each: each: ids", "bug", "nothing"]


@pytest.fixture
def own(tmp_path: Path) -> World:
    commands = [f"{name}{': ' if ':' not in name else '; '}{LIST}" for name in NAMES]
    commands = [one.replace("items: input", "items: collect: things; input") for one in commands]
    return own_world(tmp_path, CODE, commands)


@pytest.mark.parametrize("command", ["value", "plain"])
def test_a_value_is_the_raw_data(own: World, command: str) -> None:
    result = run(own, command, {"n": 5})
    assert (result.status, result.raw_data, result.context_data) == (Status.PASSED, {"n": 5}, [{"n": 5}])


@pytest.mark.parametrize("command", ["items", "plain_items"])
def test_items_succeed_and_fail_by_themselves(own: World, command: str) -> None:
    result = run(own, command, {"ids": ["a", "bad", "b"]})
    assert (result.status, result.raw_data) == (Status.PARTIAL, {"things": [{"id": "a"}, {"id": "b"}]})
    [entry] = result.errors
    assert (entry.item, entry.status_code, entry.message) == ("bad", "7", "Bad.")
    assert run(own, command, {"ids": ["bad"]}).status is Status.FAILED
    assert run(own, command, {"ids": ["a"]}).status is Status.PASSED


def test_fan_out_answers_in_order_and_bugs_are_one_items(own: World, caplog: pytest.LogCaptureFixture) -> None:
    ids = [f"i{number}" for number in range(60)]
    ids[10], ids[20] = "bad", "bug"
    with caplog.at_level(logging.ERROR):
        result = run(own, "each", {"ids": ids, "n": 3})
    assert result.status is Status.PARTIAL
    assert [one["item"] for one in result.context_data] == [one for one in ids if one not in {"bad", "bug"}]
    by_item = {entry.item: entry for entry in result.errors}
    assert by_item["bad"].status_code == "404"
    reference = by_item["bug"].reference
    assert reference is not None
    assert reference in by_item["bug"].message
    assert reference in caplog.text
    assert "ZeroDivisionError: division by zero" in caplog.text
    assert "division by zero" not in str(by_item["bug"])


def test_a_plain_function_fans_out_too(own: World) -> None:
    result = run(own, "plain_each", {"ids": ["a", "bug", "b"], "n": 3})
    assert [one["value"] for one in result.context_data] == [{"id": "a", "n": 3}, {"id": "b", "n": 3}]
    assert [entry.item for entry in result.errors] == ["bug"]


def test_what_came_before_a_bug_is_kept(own: World) -> None:
    result = run(own, "bug")
    assert (result.status, result.raw_data) == (Status.PARTIAL, {"id": 1})


def test_code_that_can_not_be_imported_is_a_failure(tmp_path: Path) -> None:
    world = own_world(tmp_path, "import nowhere_to_be_found\n\n@command\ndef go(call): ...\n", ["go"])
    [entry] = run(world, "go").errors
    assert "ModuleNotFoundError" in entry.detail


def test_code_that_hangs_is_left_at_the_deadline(tmp_path: Path) -> None:
    code = """
import asyncio, time
@command
async def waits(call):
    yield Item("first", {"id": 1})
    await asyncio.sleep(60)
@command
def sleeps(call):
    time.sleep(2.5)
"""
    world = own_world(tmp_path, code, ["waits", "sleeps"])
    for command, status in (("waits", Status.PARTIAL), ("sleeps", Status.FAILED)):
        begun = time.monotonic()
        result = run(world, command, deadline_seconds=0.2)
        assert result.status is status
        assert result.errors[-1].kind == "timeout"
        assert time.monotonic() - begun < 8


PAGES = [
    http("200 OK", b'{"things": [{"id": 1}, {"id": 2}], "more": true}'),
    http("200 OK", b'{"things": [{"id": 3}], "more": false}'),
]


@pytest.mark.parametrize("command", ["reads", "reads_plainly"])
def test_pages_for_both_kinds_of_functions(tmp_path: Path, command: str) -> None:
    code = """
@command
async def reads(call):
    async for page in call.pages("/things", "things"):
        yield page
@command
def reads_plainly(call):
    listing = call.pages("/things", "things", query={"a": [1, True, None]})
    for page in listing:
        yield page
    assert listing.complete and listing.stopped_because is None and not listing.window_full
    assert call.now().tzinfo is not None
    call.sleep(0.01)
    call.note("read")
"""
    with raw_server(*PAGES) as (base, received):
        world = own_world(tmp_path, code, ["reads: collect: things", "reads_plainly: collect: things"], url=base)
        result = run(world, command)
    assert result.raw_data == {"things": [{"id": 1}, {"id": 2}, {"id": 3}]}
    assert result.completeness is not None
    assert (result.completeness.complete, result.completeness.pages) == (True, 2)
    if command == "reads_plainly":
        assert b"GET /things?a=1&a=true&limit=2&offset=2 " in received[1]


@pytest.mark.parametrize(
    ("paging", "answers", "second"),
    [
        (
            'Paging(style="cursor", position_parameter="after", next="$.next")',
            [b'{"t": [1], "next": "c 2"}', b'{"t": [2], "next": null}'],
            b"GET /t?limit=100&after=c+2 ",
        ),
        (
            'Paging(style="link", next="$.links.next")',
            [b'{"t": [1], "links": {"next": "BASE/t?page=2"}}', b'{"t": [2], "links": {}}'],
            b"GET /t?page=2",
        ),
        ('Paging(style="link", next="$.next")', [b'{"t": [1], "next": "/t?page=2"}', b'{"t": [2]}'], b"GET /t?page=2"),
    ],
)
def test_cursors_and_links(tmp_path: Path, paging: str, answers: list[bytes], second: bytes) -> None:
    code = f"""
@command
async def reads(call):
    async for page in call.pages("/t", "t", paging={paging}):
        yield page
"""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from connector_host.cli.sandbox import serving

    lines: list[bytes] = []

    async def answer(request: Request) -> Response:
        lines.append(f"GET {request.url.path}?{request.url.query} ".encode())
        base = f"http://{request.headers['host']}".encode()
        return Response(answers[len(lines) - 1].replace(b"BASE", base))

    with serving(Starlette(routes=[Route("/t", answer)])) as base:
        result = run(own_world(tmp_path, code, ["reads: collect: t"], url=base), "reads")
    assert (result.status, result.raw_data) == (Status.PASSED, {"t": [1, 2]})
    assert lines[1].startswith(second)


def test_a_link_to_another_server_is_not_followed(tmp_path: Path) -> None:
    code = """
@command
async def reads(call):
    async for page in call.pages("/t", "t", paging=Paging(style="link", next="$.next")):
        yield page
"""
    with raw_server(http("200 OK", b"{}")) as (evil, seen):
        with raw_server(http("200 OK", b'{"t": [1], "next": "%s/t"}' % evil.encode())) as (base, _):
            result = run(own_world(tmp_path, code, ["reads: collect: t"], url=base), "reads")
    assert seen == []
    assert (result.status, result.raw_data) == (Status.PARTIAL, {"t": [1]})
    assert "another server" in result.errors[0].detail


@pytest.mark.parametrize(
    "path",
    [
        "things",
        "//evil.example/x",
        "/a/../b",
        "/a/%2e%2E/b",
        "/a?b=c",
        "/a#b",
        "/a b",
        "/a\\..\\b",
        "http://evil.example/",
        "/a\r\nX: y",
        "/.",
    ],
)
def test_a_path_that_is_not_one_is_not_sent(tmp_path: Path, path: str) -> None:
    code = f"""
@command
async def go(call):
    return await call.request("GET", {path!r})
"""
    with raw_server(http("200 OK", b"{}")) as (base, received):
        result = run(own_world(tmp_path, code, ["go"], url=base), "go")
    if path != "//evil.example/x":
        assert result.status is Status.FAILED
        assert received == []
    else:  # still on the declared server
        assert received[0].startswith(b"GET //evil.example/x HTTP/1.1")


def test_servers_that_are_not_declared_can_not_be_called(tmp_path: Path) -> None:
    code = """
@command
async def go(call):
    return await call.request("GET", "/", server="other")
"""
    [entry] = run(own_world(tmp_path, code, ["go"]), "go").errors
    assert "declares no server 'other'" in entry.message


def test_url_keeps_each_part_in_its_place() -> None:
    from connector_host.model.authoring import url
    from connector_host.model.invocation_errors import RequestRefused

    assert url("/incidents/{}/alerts", "P1/../../abilities?x=") == "/incidents/P1%2F..%2F..%2Fabilities%3Fx%3D/alerts"
    assert url("/a/{}/{}", 7, "ü") == "/a/7/%C3%BC"
    for bad in ("", ".", "..", "\ud800"):
        with pytest.raises(RequestRefused):
            url("/a/{}", bad)


CONCEALS = """
@command
async def log_in(call):
    call.memory["token"] = "token-of-this-session"
    call.conceal(call.memory["token"])
    return {"said": "you are token-of-this-session"}

@command
def plain(call):
    token = call.memory.get("token", "none")
    call.conceal("another-token-of-today")
    return {"said": f"another-token-of-today and {token}"}
"""


def test_what_a_command_conceals_is_masked_and_its_memory_lasts_while_the_connection_stays(tmp_path: Path) -> None:
    world = own_world(tmp_path, CONCEALS, ["log_in", "plain"])

    async def work(host: Any) -> list[str]:
        said = [(await host.run("own", "log_in", "own")).raw_data["said"]]
        said.append((await host.run("own", "plain", "own")).raw_data["said"])
        await host.connections.edit("own", Change(fields={"description": "changed"}))
        said.append((await host.run("own", "plain", "own")).raw_data["said"])
        kept = [one.result for one in await host.history()]
        assert "token-of" not in "".join(kept)
        return said

    assert world.use(work) == ["you are ********", "******** and ********", "******** and none"]
