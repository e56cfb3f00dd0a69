"""The blocking face: one host in a program of threads, forks and no event loop of its own."""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector_host import Caller, Change, Configuration, NotAllowed, Status, StoreError, UnknownConnection
from connector_host.blocking import open_host
from connector_host.configuration import bundled
from tests.world import pagerduty_sandbox

ROOT = bundled()


def test_the_types_are_made_of_the_async_face() -> None:
    script = ROOT / "docs" / "reference" / "make_blocking.py"
    if not script.exists():
        pytest.skip("the documents are not beside the package")
    made = runpy.run_path(str(script))["source"]()
    written = (ROOT / "connector_host" / "blocking_face.pyi").read_text("utf-8")
    assert written == made, "python docs/reference/make_blocking.py"


def test_every_noun_and_method_of_it_works(world: Any, sandbox: Any) -> None:
    with open_host(world.configuration) as host:
        operator = host.as_operator()
        parameters = {"server_url": sandbox.base, "event_url": sandbox.base}
        operator.connections.add("lab", "pagerduty", Change({"allowed_users": ["ann"]}, parameters, {"api_key": "k"}))
        assert [one.connection.name for one in operator.connections.list()] == ["lab"]
        result = host.acting_for(Caller("ann")).run("pagerduty", "list_users", "lab", {"query": "kyler"})
        assert result.status is Status.PASSED
        assert operator.health.can_notify is False
        assert operator.audit.verify().problems == ()
        reference = operator.uploads.put("a.txt", b"hello")
        assert operator.uploads.find(reference)
        assert host.plugins.plugin("pagerduty").name == "PagerDuty"
        assert operator.past(result.invocation_id)


def test_what_the_async_face_raises_is_raised(world: Any) -> None:
    with open_host(world.configuration) as host:
        with pytest.raises(NotAllowed):
            host.acting_for(Caller("bob")).keys.rotate()
        with pytest.raises(UnknownConnection):
            host.as_operator().run("pagerduty", "list_users", "nowhere")
        with pytest.raises(AttributeError, match="'Connections' has no 'lits'"):
            host.as_operator().connections.lits()  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="open it again"):
        host.as_operator().connections.list()


def test_eight_threads_share_it(world: Any, sandbox: Any) -> None:
    world.add(sandbox.base)
    with open_host(world.configuration) as host, ThreadPoolExecutor(8) as threads:
        session = host.as_operator()
        done = list(threads.map(lambda _: session.run("pagerduty", "list_users", "prod"), range(40)))
        assert {one.status for one in done} == {Status.PASSED}
        assert len({one.invocation_id for one in done}) == 40


def test_a_coroutine_of_each_call_may_use_it(world: Any, sandbox: Any) -> None:
    """As Django's async_to_sync does: an event loop for each call."""
    world.add(sandbox.base)

    async def view() -> Any:
        return host.as_operator().run("pagerduty", "list_users", "prod")

    with open_host(world.configuration) as host:
        assert [asyncio.run(view()).status for _ in range(4)] == [Status.PASSED] * 4


def test_closing_ends_what_still_waits(world: Any) -> None:
    ended = threading.Event()

    def serve(session: Any) -> None:
        with pytest.raises(StoreError, match="open it again"):
            session.health.serve()
        ended.set()

    with open_host(world.configuration) as host:
        threading.Thread(target=serve, args=(host.as_operator(),)).start()
        assert not ended.wait(0.3)
    assert ended.wait(10)


INTERRUPTED = """
import sys
from pathlib import Path
from connector_host import Configuration
from connector_host.blocking import open_host

with open_host(Configuration(home=Path(sys.argv[1]))) as host:
    session = host.as_operator()
    try:
        print("ready", flush=True)
        session.health.serve()
    except KeyboardInterrupt:
        print("interrupted", len(session.connections.list()), flush=True)
"""


def test_ctrl_c_ends_the_call_and_the_host_goes_on(world: Any) -> None:
    program = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(world.home)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=20)[0] == "interrupted 0\n"
    assert program.returncode == 0


PROGRAM = """
import os, sys
from pathlib import Path
from connector_host import Configuration
from connector_host.blocking import open_host

host = open_host(Configuration(home=Path(sys.argv[1])))
session = host.as_operator()
print("parent", session.run("pagerduty", "list_users", "prod").status, flush=True)
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        print("child", session.run("pagerduty", "list_users", "prod").status, flush=True)
        sys.exit(0)
    children.append(child)
print("ended", [os.waitpid(child, 0)[1] for child in children], flush=True)
print("parent", session.run("pagerduty", "list_users", "prod").status, len(session.history()), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forking_server_opens_it_before_it_forks_and_it_closes_by_itself(world: Any, sandbox: Any) -> None:
    world.add(sandbox.base)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(world.home)], capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert sorted(lines) == sorted(["parent Passed", *["child Passed"] * 3, "ended [0, 0, 0]", "parent Passed 5"]), (
        done.stderr
    )
    assert "rror" not in done.stderr


def test_wrong_settings_are_told_where_it_is_opened(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("limits: {deadline_seconds: nine}\n")
    with (
        pytest.raises(Exception, match="The setting 'limits'"),
        open_host(Configuration(home=tmp_path, manifest=manifest)),
    ):
        pass


def ran(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    head = "import os, sys, threading, time\nfrom pathlib import Path\nfrom connector_host import *\n"
    head += "from connector_host.blocking import open_host\nhome = Configuration(home=Path(sys.argv[1]))\n"
    return subprocess.run(
        [sys.executable, "-c", head + program, *arguments], capture_output=True, text=True, timeout=60
    )


FORKED = """
host = open_host(home)
session = host.as_operator()
session.sites.put_tenant("before", master=True)
parent_gone, child_done = os.pipe(), os.pipe()
if os.fork() == 0:
    session.sites.put_site("first")
    os.read(parent_gone[0], 1)
    session.sites.put_site("second")
    print(sorted(session.sites.map().sites), flush=True)
    os.write(child_done[1], b"x")
    os._exit(0)
time.sleep(0.5)
host.close()
with open_host(home) as another:  # which takes the database's log with it when it closes
    another.as_operator().sites.put_site("other")
os.write(parent_gone[1], b"x")
os.read(child_done[0], 1)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_goes_on_when_its_parent_has_closed(tmp_path: Path) -> None:
    done = ran(FORKED, str(tmp_path))
    assert done.stdout == "['first', 'other', 'second']\n", done.stderr


UNDER_WAY = """
host = open_host(home)
session = host.as_operator()
found = []
thread = threading.Thread(target=lambda: found.append(session.run("pagerduty", "list_users", "prod").status.value))
thread.start()
time.sleep(0.4)
if os.fork() == 0:
    try:
        session.connections.list()
    except WrongProcess as error:
        print("child:", error, flush=True)
    with open_host(home) as own:
        print("child:", len(own.as_operator().connections.list()), flush=True)
    os._exit(0)
os.wait()
thread.join()
print("parent:", found, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_a_call_is_under_way_is_told_in_the_child_and_harms_no_call(world: Any) -> None:
    with pagerduty_sandbox(latency=1500) as slow:
        world.add(slow.base)
        done = ran(UNDER_WAY, str(world.home))
    lines = done.stdout.splitlines()
    assert lines[0].startswith("child: A call was under way"), done.stderr
    assert lines[1:] == ["child: 1", "parent: ['Passed']"]


CLOSED_IN_CHILD = """
host = open_host(home)
if os.fork() == 0:
    host.close()
    try:
        host.as_operator().connections.list()
    except StoreError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
print(len(host.as_operator().connections.list()), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_closes_it_first_closes_its_own(tmp_path: Path) -> None:
    assert ran(CLOSED_IN_CHILD, str(tmp_path)).stdout == "The host is closed: open it again, with open_host().\n0\n"


NO_LOOP = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    open_host(home)
except OSError as error:
    os.write(1, b"told")
os._exit(0)
"""


def test_where_no_event_loop_can_be_started_it_is_told_at_once(tmp_path: Path) -> None:
    import_first = "import asyncio, selectors, anyio._backends._asyncio, connector_host.app\n"
    assert ran(import_first + NO_LOOP, str(tmp_path)).stdout == "told"


def test_a_session_may_be_copied(world: Any) -> None:
    import copy

    with open_host(world.configuration) as host:
        assert copy.copy(host.as_operator()).connections.list() == []
