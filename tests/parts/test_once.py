"""What is done once, what again: writes, tokens, rate windows, transactions; and what a rotation leaves usable."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pluggy
import pytest

from connector_host.model.connection import Change
from connector_host.model.errors import ConnectorHostError, StoreError
from connector_host.model.invocation import Options
from connector_host.model.result import Status
from connector_host.ports.hookspecs import PROJECT
from tests.own import HEAD, SECRET, add, own, run
from tests.world import FastClock, World, http, raw_server

GOOD = http("200 OK", b"{}")


def sending(method: str, *more: str) -> str:
    lines = "".join(f"    {one}\n" for one in more)
    return f"  go:\n    title: Go\n    request: {{server: api, path: /things, method: {method}}}\n{lines}"


def test_a_rule_that_asks_for_another_try_repeats_no_post(tmp_path: Path, clock: FastClock) -> None:
    rule = "responses: [{status: 409, is: retry}]"
    for method, times in (("POST", 1), ("GET", 2)):
        with raw_server(http("409 Conflict", b"{}"), GOOD) as (base, received):
            folder = tmp_path / method
            folder.mkdir()
            run(own(folder, sending(method, rule), base, clock=clock), "go")
        assert len(received) == times, method


@pytest.mark.parametrize(("method", "times"), [("PATCH", 1), ("POST", 1), ("PUT", 2), ("DELETE", 2), ("GET", 2)])
def test_a_server_error_is_answered_by_the_methods_own_harm(
    tmp_path: Path, clock: FastClock, method: str, times: int
) -> None:
    with raw_server(http("500 Oops", b"{}"), GOOD) as (base, received):
        run(own(tmp_path, sending(method), base, clock=clock), "go")
    assert len(received) == times


def test_a_get_is_sent_again_after_a_lost_connection(tmp_path: Path, clock: FastClock) -> None:
    with raw_server(b"", GOOD) as (base, received):
        assert run(own(tmp_path, sending("GET"), base, clock=clock), "go").status is Status.PASSED
    assert len(received) == 2
    assert clock.slept == [1]


def test_each_invocation_has_an_idempotency_key_of_its_own(tmp_path: Path, clock: FastClock) -> None:
    command = """
  go:
    title: Go
    request: {server: api, path: /things, method: POST, body: {a: 1}, idempotency_key: X-Once}
"""
    with raw_server(http("500 Oops", b"{}"), GOOD, GOOD) as (base, received):
        world = own(tmp_path, command, base, clock=clock)
        assert [run(world, "go").status for _ in range(2)] == [Status.PASSED] * 2
    keys = [line for one in received for line in one.lower().split(b"\r\n") if line.startswith(b"x-once:")]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]


LIMITED = HEAD.replace(
    '"Bearer {$.connection.key}"}', '"Bearer {$.connection.key}"}, limit: {per: key, requests: 2, seconds: 60}'
)


def observer(events: list[tuple[str, Mapping[str, Any]]]) -> Any:
    def observe(event: str, facts: Mapping[str, Any]) -> None:
        events.append((event, dict(facts)))

    return SimpleNamespace(observe=pluggy.HookimplMarker(PROJECT)(observe))


def test_each_try_counts_in_the_rate_window_and_is_told_once(tmp_path: Path, clock: FastClock) -> None:
    events: list[tuple[str, Mapping[str, Any]]] = []
    with raw_server(b"", http("500 Oops", b"{}"), GOOD) as (base, received):
        world = own(tmp_path, sending("GET"), base, head=LIMITED, clock=clock, plugs=(observer(events),))
        result = world.use(lambda host: host.run("acme", "go", "own", options=Options(deadline_seconds=200)))
    assert result.status is Status.PASSED
    assert len(received) == 3
    assert sum(clock.slept) >= 57  # the third try waits for the window of two
    sent = [facts for event, facts in events if event == "request.sent"]
    assert [(one["server"], one["method"], one["outcome"]) for one in sent] == [
        ("api", "GET", "ConnectionLost"),
        ("api", "GET", "500"),
        ("api", "GET", "200"),
    ]
    assert all(one["duration_ms"] >= 0 for one in sent)
    retried = [facts for event, facts in events if event == "request.retried"]
    assert [(one["server"], one["status"]) for one in retried] == [("api", None), ("api", 500)]
    delayed = [facts for event, facts in events if event == "request.delayed"]
    assert {one["server"] for one in delayed} == {"api"}
    assert 57 < sum(one["seconds"] for one in delayed) < 63, (
        "by its own window, and by what it leased of the shared one"
    )
    [finished] = [facts for event, facts in events if event == "invocation.finished"]
    assert (finished["plugin"], finished["command"], finished["status"]) == ("acme", "go", "Passed")
    assert SECRET not in repr(events)


def test_two_keys_have_two_rate_windows(tmp_path: Path, clock: FastClock) -> None:
    head = LIMITED.replace("requests: 2", "requests: 1")
    with raw_server(GOOD) as (base, _):
        world = own(tmp_path, sending("GET"), base, head=head, clock=clock)
        add(world, "twin", base, {"key": SECRET})
        add(world, "other", base, {"key": "another-key-altogether"})

        async def work(host: Any) -> list[float]:
            waits = []
            for name in ("own", "other", "twin"):
                before = clock.monotonic()
                await host.run("acme", "go", name, options=Options(deadline_seconds=200))
                waits.append(clock.monotonic() - before)
            return waits

        first, other, twin = world.use(work)
    assert (first, other) == (0, 0)
    assert twin >= 59


def test_a_token_is_fetched_once_for_all_who_wait_for_it(tmp_path: Path, clock: FastClock) -> None:
    head = HEAD.replace(
        'headers: {Authorization: "Bearer {$.connection.key}"}',
        "auth: {type: oauth2, server: api, path: /token, client_id: me, client_secret: $.connection.key}",
    )
    commands = """
  go:
    title: Go
    each: ids
    input: {required: [ids], properties: {ids: {title: IDs, type: array}}}
    request: {server: api, path: "/things/{$.item}"}
"""
    token = http("200 OK", json.dumps({"access_token": "t0ken-t0ken", "expires_in": 3600}).encode())
    with raw_server(token, *[GOOD] * 10) as (base, received):
        world = own(tmp_path, commands, base, head=head, clock=clock)
        result = run(world, "go", {"ids": [str(number) for number in range(10)]})
    assert result.status is Status.PASSED
    assert sum(one.startswith(b"POST /token ") for one in received) == 1


def sql(world: World, statement: str) -> list[Any]:
    with sqlite3.connect(world.home / "connector-host.db") as database:
        found = database.execute(statement).fetchall()
    database.close()
    return found


def test_a_write_whose_audit_record_fails_changes_nothing(prod: World) -> None:
    prod.run("list_users")
    sql(prod, "create trigger broken before insert on audit begin select raise(abort, 'disk'); end")
    tables = ("connection", "data_key", "secret", "health", "invocation", "tenant", "site")
    before = {table: sql(prod, f"select * from {table} order by 1, 2") for table in tables}
    parameters = {"server_url": "http://127.0.0.1:1", "event_url": "http://127.0.0.1:1"}
    writes = (
        lambda host: host.connections.add("new", "pagerduty", Change({}, parameters, {"api_key": "k" * 20})),
        lambda host: host.connections.edit("prod", Change({"description": "new"}, secrets={"api_key": "n" * 20})),
        lambda host: host.connections.remove("prod"),
        lambda host: host.sites.put_tenant("us", master=True),
    )
    for write in writes:
        with pytest.raises(StoreError):
            prod.use(write)
    result = prod.use(lambda host: host.run("pagerduty", "list_users", "prod"))
    assert result.status is Status.PASSED
    assert {table: sql(prod, f"select * from {table} order by 1, 2") for table in tables} == before
    sql(prod, "drop trigger broken")
    assert prod.use(lambda host: host.history())[0].invocation_id == result.invocation_id, "the journal kept it"


def test_a_migration_that_fails_changes_nothing(prod: World, tmp_path: Path) -> None:
    """A database of the first schema in which the second cannot be made."""
    import connector_host

    scripts = sorted(Path(connector_host.__file__).parent.rglob("0001_*.sql"))
    home = tmp_path / "old"
    home.mkdir()
    database = sqlite3.connect(home / "connector-host.db")
    database.executescript(scripts[0].read_text("utf-8"))
    database.execute("create table audit_head (mine text)")
    database.execute("pragma user_version = 1")
    database.close()
    tables = "select name from sqlite_master order by name"
    before = sql(World(home), tables)
    with pytest.raises(StoreError):
        World(home).use(lambda host: host.connections.list())
    assert sql(World(home), tables) == before
    assert sql(World(home), "pragma user_version") == [(1,)]
    shutil.rmtree(home)


def test_a_remembered_connection_runs_on_after_rotate_and_retire(prod: World) -> None:
    async def work(host: Any) -> list[Status]:
        statuses = [(await host.run("pagerduty", "list_users", "prod")).status]
        await host.keys.rotate()
        await host.keys.retire()
        await host.connections.edit("prod", Change({"description": "new"}))
        statuses.append((await host.run("pagerduty", "list_users", "prod")).status)
        await host.connections.copy("prod", "copy", Change())
        statuses.append((await host.run("pagerduty", "list_users", "copy")).status)
        return statuses

    assert prod.use(work) == [Status.PASSED] * 3


def test_ten_at_once_through_one_connection_answer_each_its_own(tmp_path: Path) -> None:
    commands = """
  go:
    title: Go
    input: {required: [id], properties: {id: {title: ID, type: string}}}
    request: {server: api, path: "/things/{$.input.id}"}
"""

    async def work(host: Any) -> list[str]:
        found: dict[str, str] = {}

        async def one(name: str) -> None:
            found[name] = (await host.run("acme", "go", "own", {"id": name})).raw_data["path"]

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(one, str(number))
        return [f"{name} {path}" for name, path in sorted(found.items())]

    from tests.echo import echo_server

    with echo_server() as base:
        world = own(tmp_path, commands, base)
        assert world.use(work) == [f"{number} /things/{number}" for number in range(10)]


def test_wrong_use_stays_an_exception(prod: World) -> None:
    with pytest.raises(ConnectorHostError, match="no command 'nothing'"):
        prod.use(lambda host: host.run("pagerduty", "nothing", "prod"))
