"""The blocking face: one host in a program of threads, forks and no event loop of its own."""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector_host import Caller, Change, Configuration, NotAllowed, Status, StoreError, UnknownConnection
from connector_host.blocking import open_host
from connector_host.configuration import bundled

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
        with pytest.raises(CancelledError):
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
