"""Attacks by a plugin with `isolation: process`: on the host's files, memory, network and processes, and on its word."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector_host import Options, Status
from connector_host.model.connection import Change
from connector_host.model.effects import Effect
from connector_host.running.isolated.confinement import landlock_version
from tests.world import World, serving_app

VERSION = landlock_version()
confined = pytest.mark.skipif(VERSION == 0, reason="this kernel has no Landlock")
MANIFEST = """\
id: acme
name: Acme
version: 1.0.0
isolation: process
servers:
  api: {url: $.connection.url}
connection:
  required: [url]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
commands:
  attempt: {title: Try, input: {required: [code], properties: {code: {title: Code, type: string}}}}
  file: {title: File, input: {required: [file], properties: {file: {title: File, type: string, format: file}}}}
  each: {title: Each, each: ids, input: {required: [ids], properties: {ids: {title: IDs, type: array, items: {type: string}}}}}
"""
CODE = """
import os
import anyio
from connector_host import AsyncCall, Upload, command

@command
async def attempt(call: AsyncCall, code: str) -> dict:
    found = {}
    try:
        exec(code, found)
    except BaseException as error:
        return {"error": type(error).__name__, "words": str(error)}
    return {"found": found.get("found")}

@command
async def file(call: AsyncCall, file: Upload) -> dict:
    return {"content": file.read().decode(), "beside": os.listdir(file.path.parent)}

@command
async def each(call: AsyncCall, item: str) -> dict:
    if item == "exit":
        os._exit(3)
    if item == "sleep":
        await call.request("POST", f"/{item}")
        await anyio.sleep(100)
    return {"answer": await call.request("POST" if item != "read" else "GET", f"/{item}")}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return acme(tmp_path, "http://127.0.0.1:9")


def acme(tmp_path: Path, base: str) -> World:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "manifest.yaml").write_text(MANIFEST)
    (folder / "commands.py").write_text(CODE)
    (tmp_path / "manifest.yaml").write_text(json.dumps({"plugins": ["acme"], "steps": ["retry", "limit"]}))
    world = World(tmp_path / "home", manifest=tmp_path / "manifest.yaml")
    change = Change(parameters={"url": base}, secrets={"key": "s3cret-of-acme"})
    world.use(lambda host: host.connections.add("prod", "acme", change))
    return world


def tried(world: World, code: str) -> Any:
    result = world.use(lambda host: host.run("acme", "attempt", "prod", {"code": code}))
    assert result.status is Status.PASSED, result
    return result.raw_data


@confined
@pytest.mark.parametrize(
    "what", ["the key", "the database", "the folder", "the user's files", "the other's environment"]
)
def test_the_hosts_files_are_read_from_within_a_plugin(world: World, tmp_path: Path, what: str) -> None:
    (tmp_path / "private.txt").write_text("private")
    path = {
        "the key": world.home / "master.key",
        "the database": world.home / "connector-host.db",
        "the folder": world.home,
        "the user's files": tmp_path / "private.txt",
        "the other's environment": Path(f"/proc/{os.getpid()}/environ"),
    }[what]
    assert path.exists()
    code = (
        f"import os; found = os.listdir({str(path)!r})" if path.is_dir() else f"found = len(open({str(path)!r}).read())"
    )
    assert tried(world, code)["error"] == "PermissionError"


@confined
def test_the_plugins_own_folder_is_changed_from_within(world: World, tmp_path: Path) -> None:
    assert tried(world, f"open({str(tmp_path / 'acme' / 'commands.py')!r}, 'a')")["error"] == "PermissionError"
    own = tried(world, f"found = open({str(tmp_path / 'acme' / 'manifest.yaml')!r}).read(9)")
    assert own == {"found": "id: acme\n"}
    spool = "import tempfile; f = tempfile.TemporaryFile(); f.write(b'x' * 9); f.seek(0); found = len(f.read())"
    assert tried(world, spool) == {"found": 9}, "there is a temporary folder to write into"


@confined
@pytest.mark.skipif(VERSION < 4, reason="this kernel's Landlock does not know of TCP")
def test_a_plugin_opens_a_connection_of_its_own(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3); found = 'through'"
        assert tried(world, code)["error"] == "PermissionError"
    assert (
        tried(world, "import socket; socket.create_server(('127.0.0.1', 0)); found = 1")["error"] == "PermissionError"
    )


@confined
def test_the_hosts_memory_is_read_from_within_a_plugin(world: World) -> None:
    code = """
import ctypes, os
buffer = ctypes.create_string_buffer(8)
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
libc = ctypes.CDLL(None, use_errno=True)
here, there = Piece(ctypes.addressof(buffer), 8), Piece(id(os), 8)
found = [libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0), ctypes.get_errno()]
found.append(libc.ptrace(16, os.getppid(), 0, 0))
"""
    assert tried(world, code)["found"] == [-1, 1, -1]


@confined
@pytest.mark.skipif(VERSION < 6, reason="this kernel's Landlock does not know of signals")
def test_the_host_is_ended_by_its_plugin(world: World) -> None:
    assert tried(world, "import os; os.kill(os.getppid(), 9)")["error"] == "PermissionError"


def test_descriptors_of_the_host_are_looked_for(world: World) -> None:
    readable, writable = os.pipe()
    os.set_inheritable(readable, True)
    try:
        probe = """
import os
import anyio
found = []
for number in range(3, 256):
    try:
        found.append(os.fstat(number).st_mode & 0o170000)
    except OSError:
        pass
"""
        kinds = tried(world, probe)["found"]
    finally:
        os.close(readable)
        os.close(writable)
    assert 0o100000 not in kinds, "no regular file of the host, as its database"
    assert kinds.count(0o010000) <= 2, "two pipes of its own: the way to the host and back"


def test_a_file_is_given_to_a_plugin_and_no_other_of_the_spool(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:9")

    async def work(host: Any) -> Any:
        mine = host.uploads.put("a.txt", b"for the plugin")
        host.uploads.put("b.txt", b"of somebody else")
        return await host.run("acme", "file", "prod", {"file": mine})

    result = world.use(work)
    assert result.raw_data["content"] == "for the plugin", result
    assert len(result.raw_data["beside"]) == 1


@contextmanager
def sometimes() -> Iterator[str]:
    """Serve what does `good…` and `sleep`, refuses `no…`, and is a gateway that knows nothing of `lost`."""

    async def answer(request: Request) -> Response:
        if request.url.path.startswith("/no"):
            return JSONResponse({}, 404)
        return JSONResponse({}, 503 if request.url.path == "/lost" else 200)

    with serving_app(Starlette(routes=[Route("/{any}", answer, methods=["GET", "POST"])])) as base:
        yield base


def test_each_element_in_a_process_is_done_failed_or_unknown(tmp_path: Path) -> None:
    with sometimes() as base:
        result = acme(tmp_path, base).use(
            lambda host: host.run("acme", "each", "prod", {"ids": ["good", "lost", "no", "nothing"]})
        )
    assert [(one.item, one.effect) for one in result.errors] == [
        ("lost", "unknown"),
        ("no", "none"),
        ("nothing", "none"),
    ]
    assert result.effect is Effect.UNKNOWN


def test_a_process_is_cut_off_between_its_elements(tmp_path: Path) -> None:
    with sometimes() as base:
        ids = ["good", "sleep", *[f"good{number}" for number in range(3)]]
        result = acme(tmp_path, base).use(
            lambda host: host.run("acme", "each", "prod", {"ids": ids}, options=Options(deadline_seconds=3))
        )
    told = {one.item: (one.kind, one.effect) for one in result.errors}
    assert told == {"sleep": ("timeout", "done"), None: ("timeout", "done")}
    assert result.status is Status.PARTIAL


def test_a_process_dies_between_its_elements(tmp_path: Path) -> None:
    with sometimes() as base:
        ids = ["good", "exit", *[f"good{number}" for number in range(40)]]
        result = acme(tmp_path, base).use(
            lambda host: host.run("acme", "each", "prod", {"ids": ids}, options=Options(deadline_seconds=20))
        )
    told = {one.item: one.message for one in result.errors}
    assert "ended by itself (exit code 3)" in told["exit"]
    assert len(told) > 1
    assert set(told.values()) == {told["exit"]}
