"""Answers of any kind, by the thousand, to one running host: each gives a result, and the host stays quick and small.

FUZZ_EXAMPLES=5000 tries as many as a release wants.
"""

import gzip
import json
import os
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_host import Session, open_host
from connector_host.model.invocation import Options
from connector_host.model.result import Result, Status
from tests.own import SECRET, own
from tests.world import FastClock, World, http, raw_server

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))
COMMANDS = """
  go:
    title: Go
    read_only: true
    request: {server: api, path: /go}
  act:
    title: Act
    request: {server: api, method: POST, path: /act, body: {x: 1}}
  all:
    title: All
    read_only: true
    request: {server: api, path: /all, collect: things, paging: {style: cursor, next: $.next}}
  mapped:
    title: Mapped
    read_only: true
    request: {server: api, path: /mapped}
    output:
      type: object
      required: [things]
      properties: {things: {type: array, items: {type: object, properties: {name: {type: string, pattern: "^a+$"}}}}}
  take:
    title: Take
    kind: intake
    read_only: true
    request: {server: api, path: /take, collect: things}
    intake:
      incident: {path: $.things, fields: [{field: Title, source: .title}]}
      event: {path: $, unique_key: .id, sources: [{name: Thing, fields: [{field: Status, source: .x}]}]}
"""
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(SECRET)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
LIKELY = st.fixed_dictionaries(
    {"things": st.lists(st.dictionaries(st.sampled_from(["id", "title", "name", "x"]), VALUE), max_size=4) | VALUE},
    optional={"next": st.none() | st.text(max_size=5) | VALUE, "error": VALUE},
)
TEXT = (VALUE | LIKELY).map(lambda value: json.dumps(value).encode())
BODY = st.one_of(
    TEXT,
    TEXT.map(gzip.compress),
    st.binary(max_size=200),
    st.tuples(TEXT, st.integers(0, 60)).map(lambda cut: cut[0][: cut[1]]),
    st.integers(1, 2000).map(lambda depth: b'{"things": ' + b"[" * depth + b"]" * depth + b"}"),
)
HEADERS = st.sampled_from(
    [
        "Content-Type: application/json",
        "Content-Type: text/html",
        "Content-Type: ",
        "Content-Encoding: gzip",
        "Content-Encoding: br",
        "Retry-After: 99999999999",
        "Retry-After: soon",
        "Location: http://127.0.0.1:1/elsewhere",
        "Transfer-Encoding: chunked",
        "Date: yesterday",
    ]
)
STATUS = st.sampled_from([200, 200, 200, 201, 204, 206, 301, 304, 400, 401, 404, 409, 429, 500, 503, 599])


class Running:
    """A host that stays open; all its loop's work is watched."""

    def __init__(self, portal: BlockingPortal, session: Session) -> None:
        self._portal, self._session = portal, session
        self.worst = 0.0
        self._ticked = 0.0

    async def watch(self) -> None:
        """Keep the most CPU seconds that passed between two turns of the loop."""
        self._ticked = time.thread_time()
        while True:
            await anyio.lowlevel.checkpoint()
            now = time.thread_time()
            self.worst, self._ticked = max(self.worst, now - self._ticked), now

    def all(self) -> list[Result]:
        """Run every command once."""
        return self._portal.call(self._all)

    async def _all(self) -> list[Result]:
        options = Options(deadline_seconds=30)
        async with anyio.create_task_group() as group:
            group.start_soon(self.watch)
            found = [await self._session.run("acme", name, "own", options=options) for name in ("go", "act", "mapped")]
            found.append(await self._session.run("acme", "all", "own", options=options))
            found.append(await self._session.ingest("acme", "take", "own", options=options))
            group.cancel_scope.cancel()
        return found


def running(world: World) -> Iterator[Running]:
    @asynccontextmanager
    async def opened() -> Any:
        async with open_host(world.configuration) as host:
            yield host.as_operator()

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened()) as session:
        yield Running(portal, session)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_any_answer_at_all_gives_a_result(tmp_path: Path) -> None:
    answer = http("200 OK", b"{}")
    with raw_server(lambda: answer) as (base, _):
        world = own(tmp_path, COMMANDS, base, clock=FastClock())
        seen: set[Status] = set()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(body=BODY, status=STATUS, headers=st.lists(HEADERS, max_size=3, unique=True), length=st.booleans())
        def tried(body: bytes, status: int, headers: list[str], length: bool) -> None:
            nonlocal answer
            answer = http(f"{status} Some", body, *headers, length=length)
            for result in host.all():
                text = result.json()
                json.loads(text, parse_constant=pytest.fail)
                assert SECRET not in text
                seen.add(result.status)

        for host in running(world):
            tried()
            assert host.worst < 1.0
    assert seen >= {Status.PASSED, Status.FAILED}
