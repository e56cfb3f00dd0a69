"""`isolation: process`: the same semantics as within the host, and nothing a plugin does kills the host."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector_host.model.connection import Change
from connector_host.model.invocation import Options
from connector_host.model.result import Result, Status
from tests.world import FastClock, World, http, raw_server

MANIFEST = """\
id: acme
name: Acme
version: 1.0.0
isolation: %s
servers:
  api: {url: $.connection.url, headers: {Authorization: "Bearer {$.connection.key}"}}
errors: {code: $.code, message: $.message}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string}
    key: {title: Key, type: string, writeOnly: true}
commands:
  go: {title: Go, input: {properties: {what: {title: What, type: string}}}}
  each: {title: Each, each: ids, input: {required: [ids], properties: {ids: {title: IDs, type: array, items: {type: string}}}}}
  plain: {title: Plain, each: ids, input: {required: [ids], properties: {ids: {title: IDs, type: array, items: {type: string}}}}}
  listed: {title: Listed, collect: items}
  spoiled: {title: Spoiled, collect: items}
"""
CODE = '''"""Acme."""
import datetime
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from connector_host.model.authoring import Failed, Item, Page, command
from connector_host.model.invocation_errors import ApiError, InvalidInput
from connector_host.model.requests import Paging
from connector_host.ports.calls import AsyncCall, Call

ODD = {"nan": float("nan"), "object": object(), "set": {1}, "bytes": b"x", "date": datetime.date(2026, 1, 1), "loop": []}
ODD["loop"].append(ODD["loop"])
ODD |= {"tuple": (1, 2), "keys": {1: 2}, "deep": 1, "surrogate": "\\ud800"}
for _ in range(100_000):
    ODD["deep"] = [ODD["deep"]]

SLEEP = "import time; time.sleep(3611)"
WRONG = {
    "detail": lambda call: Failed("m", detail=3),
    "assistance": lambda call: Failed("m", assistance=object()),
    "kind": lambda call: Failed("m", kind="nonsense"),
    "status": lambda call: Failed("m", http_status="x"),
    "api-error": lambda call: ApiError("m", kind="nonsense"),
    "input": lambda call: InvalidInput(1, 2, 3),
    "key": lambda call: Item("k", ValueError("x")),
    "page": lambda call: Page(None),
    "own-page": lambda call: Page([{1, 2}]),
    "note": lambda call: call.note(5),
    "concealed": lambda call: call.conceal(None),
    "reason": lambda call: call.stopped(3, complete=False),
}


@command
async def go(call: AsyncCall, what: str = "request") -> object:
    call.memory["runs"] = call.memory.get("runs", 0) + 1
    if what == "request":
        answer = await call.request("POST", "/x", json={"a": 1}, query={"q": ["1", "2"]}, headers={"X-One": "1"})
        call.note("One sentence.")
        return answer
    if what == "caught":
        try:
            await call.request("GET", "/x")
        except ApiError as error:
            return {"code": error.failure.code, "status": error.failure.http_status}
    if what == "environment":
        return {"names": sorted(os.environ), "pid": os.getpid()}
    if what == "facts":
        return {"connection": repr(call.connection), "year": call.now().year > 2000, "runs": call.memory["runs"]}
    if what == "secret":
        call.conceal("a-token-of-mine")
        print("printed", call.connection["key"], "a-token-of-mine")
        return {"key": call.connection["key"], "token": "a-token-of-mine"}
    if what.startswith("wrong-"):
        return WRONG[what.removeprefix("wrong-")](call)
    if what in ODD:
        return {"no": ODD[what]}
    if what == "exit-with-child":
        subprocess.Popen([sys.executable, "-c", SLEEP], cwd=os.path.dirname(__file__))
        os._exit(4)
    if what == "bug":
        return 1 / 0
    if what == "refused":
        raise InvalidInput("What", "Not that.", "Another.")
    if what == "exit":
        os._exit(3)
    if what == "system-exit":
        raise SystemExit(0)
    if what == "spin":
        while True:
            pass
    if what == "sleep":
        await call.sleep(3600)
    if what == "child":
        subprocess.Popen([sys.executable, "-c", SLEEP], cwd=os.path.dirname(__file__))
        time.sleep(3600)
    if what == "stdin":
        return {"read": sys.stdin.read()}
    if what == "nonsense":
        call._wire.tell(item={"of": "no sense"})
        call._wire._out.write(b"}no JSON{\\n")
        call._wire._out.flush()
    return None


@command
async def each(call: AsyncCall, item: str) -> object:
    return Failed("No such thing.", code=44) if item == "bad" else {"id": item}


@command
def plain(call: Call, item: str) -> object:
    return call.request("GET", f"/{item}")


@command
async def listed(call: AsyncCall) -> AsyncIterator[Page]:
    listing = call.pages("/items", "items", paging=Paging(size=1))
    async for page in listing:
        yield page
    assert listing.complete


@command
async def spoiled(call: AsyncCall) -> AsyncIterator[Page]:
    async for page in call.pages("/items", "items"):
        page.records[0]["odd"] = {1}
        yield page
'''


def acme(tmp_path: Path, base: str, isolation: str, **more: Any) -> World:
    folder = tmp_path / "acme"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(MANIFEST % isolation)
    (folder / "commands.py").write_text(CODE)
    host = {"plugins": ["acme"], "steps": ["retry", "limit"], **more}
    (tmp_path / "manifest.yaml").write_text(json.dumps(host))
    world = World(tmp_path / f"home-{isolation}", clock=FastClock(), manifest=tmp_path / "manifest.yaml")
    change = Change(parameters={"url": base}, secrets={"key": "s3cret-of-acme"})
    world.use(lambda opened: opened.connections.add("prod", "acme", change))
    return world


def run(world: World, command: str, inputs: Any = None, seconds: float | None = None) -> Result:
    options = Options(deadline_seconds=seconds)
    result: Result = world.use(lambda host: host.run("acme", command, "prod", inputs, options=options))
    return result


def told(result: Result) -> Any:
    entries = [
        (one.item, one.kind, one.status_code, one.message.partition(" (reference")[0], one.detail)
        for one in result.errors
    ]
    return result.status, result.raw_data, entries, result.notes, result.completeness


CASES: list[tuple[str, Any]] = [
    *[
        ("go", {"what": what})
        for what in ("request", "caught", "bug", "tuple", "keys", "refused", "facts", "secret", "nothing")
    ],
    ("each", {"ids": ["a", "bad", "b"]}),
    ("plain", {"ids": ["a", "b"]}),
    ("listed", None),
]


@pytest.mark.parametrize(("command", "inputs"), CASES, ids=[f"{one}-{two}" for one, two in CASES])
def test_the_same_within_the_host_and_in_a_process(tmp_path: Path, command: str, inputs: Any) -> None:
    answer = (
        http("409 Conflict", b'{"code": 7, "message": "No"}')
        if inputs == {"what": "caught"}
        else http("200 OK", b'{"items": [{"id": 1}], "more": false}')
    )
    results = []
    for isolation in ("none", "process"):
        with raw_server(answer) as (base, received):
            result = run(acme(tmp_path, base, isolation), command, inputs)
        requests = sorted(one.partition(b"\r\n")[0] for one in received)
        results.append((told(result), requests))
    assert results[0] == results[1]
    assert "s3cret-of-acme" not in str(results)
    assert "a-token-of-mine" not in str(results)


def test_a_process_has_no_secret_of_the_hosts_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_HOST_KEY", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the host")
    found = run(acme(tmp_path, "http://127.0.0.1:1", "process"), "go", {"what": "environment"}).raw_data
    assert "PATH" in found["names"]
    assert not {"CONNECTOR_HOST_KEY", "AWS_SECRET_ACCESS_KEY"} & set(found["names"])
    assert found["pid"] != os.getpid()


@pytest.mark.parametrize("what", ["spin", "sleep", "child"])
def test_what_does_not_end_is_ended_with_its_deadline(tmp_path: Path, what: str) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")
    begun = time.monotonic()
    result = run(world, "go", {"what": what}, seconds=1)
    assert [one.kind for one in result.errors] == ["timeout"]
    assert time.monotonic() - begun < 10
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("what", ["spin", "child"])
def test_where_the_host_is_killed_nothing_is_left(tmp_path: Path, what: str) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")
    command = [
        sys.executable,
        "-m",
        "connector_host",
        "test-command",
        "acme",
        "go",
        "--connection=prod",
        f"--what={what}",
    ]
    environment = {
        **os.environ,
        "CONNECTOR_HOST_HOME": str(world.home),
        "CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml"),
    }
    host = subprocess.Popen(command, env=environment)
    try:
        until(lambda: len(processes_of(tmp_path)) >= (2 if what == "child" else 1))
        time.sleep(0.5)
    finally:
        host.kill()
        host.wait()
    until(lambda: processes_of(tmp_path) == [])


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


def processes_of(folder: Path) -> list[str]:
    """The plugin's processes, and what they started: those work in its folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        words = _read(one / "cmdline")
        isolated = b"isolated.worker" in words and str(folder).encode() in words
        if isolated or (b"sleep(3611)" in words and _folder(one).is_relative_to(folder)):
            found.append(words.decode())
    return found


def _folder(process: Path) -> Path:
    try:
        return (process / "cwd").readlink()
    except OSError:
        return Path("/")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_a_process_that_dies_is_told_and_started_again_with_growing_pauses(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")
    clock = world.configuration.clock
    assert isinstance(clock, FastClock)

    async def work(host: Any) -> list[Result]:
        runs = [("exit", 60), ("exit", 60), ("facts", 60), ("exit", 60), ("facts", 0.1)]
        return [
            await host.run("acme", "go", "prod", {"what": what}, options=Options(deadline_seconds=seconds))
            for what, seconds in runs
        ]

    first, second, third, _, last = world.use(work)
    assert "ended by itself (exit code 3)" in first.errors[0].message
    assert second.errors[0].kind == "internal"
    assert third.status is Status.PASSED
    assert [round(one, 1) for one in clock.slept] == [0.5, 1.0]
    assert last.errors[0].kind == "timeout"
    assert "is started again in" in last.errors[0].message


def test_what_a_process_started_goes_with_it(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")
    assert "exit code 4" in run(world, "go", {"what": "exit-with-child"}).errors[0].message
    assert processes_of(tmp_path) == []


def test_a_changed_connection_remembers_nothing(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")

    async def work(host: Any) -> list[int]:
        runs = []
        for change in (None, None, Change({"description": "changed"}), None):
            if change is not None:
                await host.connections.edit("prod", change)
            runs.append((await host.run("acme", "go", "prod", {"what": "facts"})).raw_data["runs"])
        return runs

    assert world.use(work) == [1, 2, 1, 2]


def test_a_run_that_goes_well_ends_the_growing_of_pauses(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")
    clock = world.configuration.clock
    assert isinstance(clock, FastClock)

    async def work(host: Any) -> None:
        for what in ("exit", "exit", "facts", "exit", "facts"):
            await host.run("acme", "go", "prod", {"what": what}, options=Options(deadline_seconds=60))

    world.use(work)
    assert [round(one, 1) for one in clock.slept] == [0.5, 1.0, 0.5]


def test_the_way_to_the_host_is_not_the_authors(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")
    assert run(world, "go", {"what": "stdin"}).raw_data == {"read": ""}
    nonsense = run(world, "go", {"what": "nonsense"})
    assert [one.kind for one in nonsense.errors] == ["internal"]
    assert run(world, "go", {"what": "facts"}).status is Status.PASSED


def test_an_attempt_to_end_the_program_is_a_fault_of_the_plugin(tmp_path: Path) -> None:
    for isolation in ("none", "process"):
        result = run(acme(tmp_path, "http://127.0.0.1:1", isolation), "go", {"what": "system-exit"})
        assert (result.status, result.errors[0].kind) == (Status.FAILED, "internal")
        assert "SystemExit in plugin acme" in result.errors[0].detail


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize("what", ["nan", "object", "set", "bytes", "date", "loop", "deep"])
def test_what_is_not_json_is_the_plugins_fault(tmp_path: Path, isolation: str, what: str) -> None:
    result = run(acme(tmp_path, "http://127.0.0.1:1", isolation), "go", {"what": what})
    assert [(one.kind, one.message) for one in result.errors] == [
        ("internal", "The command's own code gave what is not JSON.")
    ]


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize(
    "what",
    [
        "detail",
        "assistance",
        "kind",
        "status",
        "api-error",
        "input",
        "key",
        "page",
        "own-page",
        "note",
        "concealed",
        "reason",
    ],
)
def test_what_an_author_gets_wrong_is_one_failure(tmp_path: Path, isolation: str, what: str) -> None:
    result = run(acme(tmp_path, "http://127.0.0.1:1", isolation), "go", {"what": f"wrong-{what}"})
    assert [one.kind for one in result.errors] == ["internal"]
    assert json.loads(result.json())["status"] == "Failed"


def test_a_page_that_was_spoiled_can_be_shown_and_kept(tmp_path: Path) -> None:
    with raw_server(http("200 OK", b'{"items": [{"id": 1}], "more": false}')) as (base, _):
        result = run(acme(tmp_path, base, "none"), "spoiled")
    assert json.loads(result.json())["raw_data"]["items"][0]["odd"] == [1]


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_text_that_is_no_unicode_can_be_shown(tmp_path: Path, isolation: str) -> None:
    result = run(acme(tmp_path, "http://127.0.0.1:1", isolation), "go", {"what": "surrogate"})
    assert result.status is Status.PASSED
    assert json.loads(result.json())["raw_data"] == {"no": "\ud800"}


def test_what_a_plugin_prints_is_logged_without_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="connector_host.plugins"):
        run(acme(tmp_path, "http://127.0.0.1:1", "process"), "go", {"what": "secret"})
    assert "printed ********" in caplog.text
    assert "s3cret-of-acme" not in caplog.text


def test_another_environment_may_be_named_for_a_plugin(tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexport PATH="$PATH:/of/the/environment"\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    world = acme(tmp_path, "http://127.0.0.1:1", "process", environments={"acme": str(wrapper)})
    assert run(world, "go", {"what": "facts"}).status is Status.PASSED
    (tmp_path / "python").unlink()
    refused = run(world, "go", {"what": "facts"})
    assert "cannot be started (No such file or directory)" in refused.errors[0].message
    assert "environments" in refused.errors[0].assistance


def test_many_at_once(tmp_path: Path) -> None:
    world = acme(tmp_path, "http://127.0.0.1:1", "process")

    async def work(host: Any) -> list[Result]:
        import anyio

        results: list[Result] = []

        async def one() -> None:
            results.append(await host.run("acme", "each", "prod", {"ids": ["a"] * 20}))

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(one)
        assert len(processes_of(tmp_path)) == 4, "no more are kept than the next commands may want"
        return results

    assert {result.status for result in world.use(work)} == {Status.PASSED}
    assert processes_of(tmp_path) == []
