"""Verdicts: what was lost, cut off or left out is told; counts, kinds, statuses and what observers hear are right."""

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from connector_host.model.connection import Change, HealthCheck, Selection, State
from connector_host.model.invocation import Options
from connector_host.model.result import Status
from tests.own import own, run
from tests.world import FastClock, Sandbox, World, http, raw_server

PAGES = """
  go:
    title: Go
    collect: things
    input: {properties: {seconds: {title: Seconds, type: integer, default: 0}}}
"""
HEAD = """\
id: acme
name: Acme
version: 1.0.0
servers: {api: {url: $.connection.url, max_body: 100}}
paging: {style: offset, size: 2}
connection: {properties: {url: {title: URL, type: string}, key: {title: Key, type: string, writeOnly: true}}}
commands:
"""


def damaged(world: World, statement: str) -> None:
    with sqlite3.connect(world.home / "connector-host.db") as database:
        database.execute(statement)
    database.close()


WHEN = {"start_time": "2026-01-31 00:00", "end_time": "2026-02-01 00:00"}


def test_an_intake_whose_store_fails_says_so(world: World) -> None:
    body = b'{"incidents": [{"id": "Q1", "title": "t", "created_at": "2026-01-31T08:00:00Z"}], "more": false}'
    with raw_server(http("200 OK", body)) as (base, _):
        world.add(base)
        damaged(world, "create trigger no before insert on intake_record begin select raise(abort, 'full'); end")
        result = world.use(lambda host: host.ingest("pagerduty", "fetch_incident", "prod", WHEN))
    assert result.status is not Status.PASSED
    assert "full" in result.errors[0].message
    assert (result.raw_data["fetched"], result.raw_data["new"]) == (1, 0)


def test_a_record_without_its_unique_key_is_told(tmp_path: Path) -> None:
    commands = """
  take:
    title: Take
    collect: things
    intake:
      incident: {path: $.things, fields: [{field: Title, source: .title}]}
      event: {path: $, unique_key: .id, sources: [{name: all, fields: [{field: Title, source: .title}]}]}
"""
    code = """
@command
async def take(call):
    yield Page([{"id": "1", "title": "a"}, {"title": "b"}, {"id": None, "title": "c"}])
"""
    world = own(tmp_path, commands, code=code)
    result = world.use(lambda host: host.ingest("acme", "take", "own"))
    counts = {name: value for name, value in result.raw_data.items() if name != "product_time"}
    assert counts == {"fetched": 3, "new": 1, "updated": 0, "known": 0, "latest": None}
    assert result.status is Status.PARTIAL
    assert [entry.message for entry in result.errors] == [
        "A record has no unique key, so it cannot be told from others."
    ] * 2


def test_a_fan_out_at_its_deadline_answers_for_each_item(tmp_path: Path) -> None:
    commands = "  go: {title: Go, each: ids, input: {required: [ids], properties: {ids: {title: IDs, type: array}}}}\n"
    code = """
import anyio

@command
async def go(call, item):
    if item == "b":
        await anyio.sleep(60)
    return {"id": item}
"""
    result = run(own(tmp_path, commands, code=code), "go", {"ids": ["a", "b", "c"]}, seconds=0.3)
    assert result.status is Status.PARTIAL
    assert [one["item"] for one in result.context_data] == ["a", "c"]
    assert [(entry.item, entry.kind) for entry in result.errors if entry.item] == [("b", "timeout")]


SLEEPS = """
@command
async def go(call, seconds=0):
    await call.sleep(seconds)
    return {"slept": seconds}
"""


def test_the_manifests_deadline_holds_and_a_callers_own_wins(tmp_path: Path, clock: FastClock) -> None:
    form = "input: {properties: {seconds: {title: Seconds, type: integer, default: 0}}}"
    world = own(tmp_path, f"  go: {{title: Go, deadline: 5, {form}}}\n", code=SLEEPS, clock=clock)

    def ended(seconds: int, deadline: float | None = None) -> Status:
        options = Options(deadline_seconds=deadline)
        result = world.use(lambda host: host.run("acme", "go", "own", {"seconds": seconds}, options=options))
        return Status(result.status)

    assert [ended(4), ended(6), ended(9)] == [Status.PASSED, Status.FAILED, Status.FAILED]
    assert [ended(6, 20), ended(4, 2)] == [Status.PASSED, Status.FAILED]


def test_a_list_that_was_read_is_told_of_where_its_command_fails(tmp_path: Path) -> None:
    code = """
@command
async def go(call, seconds=0):
    async for page in call.pages("/things", "things"):
        yield page
        raise Failed("Enough.")
"""
    with raw_server(http("200 OK", b'{"things": [{"id": 1}, {"id": 2}], "more": true}')) as (base, _):
        result = run(own(tmp_path, PAGES, base, code=code, head=HEAD), "go")
    whole = result.completeness
    assert whole is not None
    assert (result.status, whole.complete, whole.returned) == (Status.PARTIAL, False, 2)
    assert [entry.message for entry in result.errors] == ["Enough."]


def test_what_was_returned_is_counted_as_it_is_in_the_raw_data(tmp_path: Path) -> None:
    code = """
@command
async def go(call, seconds=0):
    async for page in call.pages("/things", "things"):
        yield page.keep(lambda record: record["id"] != 2)
"""
    pages = [b'{"things": [{"id": 1}, {"id": 2}], "more": true}', b'{"things": [{"id": 3}], "more": false}']
    with raw_server(*(http("200 OK", page) for page in pages)) as (base, _):
        result = run(own(tmp_path, PAGES, base, code=code, head=HEAD), "go")
    assert [one["id"] for one in result.raw_data["things"]] == [1, 3]
    whole = result.completeness
    assert whole is not None
    assert (whole.complete, whole.returned, whole.pages) == (True, 2, 2)


def test_history_is_kept_as_long_as_the_host_manifest_says(tmp_path: Path, clock: FastClock) -> None:
    world = own(tmp_path, "  go: {title: Go}\n", code="@command\ndef go(call): return 1\n", settings="retention_days: 2\n", clock=clock)  # fmt: skip
    run(world, "go")
    for days in (1, 1.5):
        clock._start += dt.timedelta(days=days)
        run(world, "go")
    records = world.use(lambda host: host.history())
    assert len(records) == 2
    assert records[0].started_at > records[1].started_at


def test_a_failed_test_leaves_the_last_success_where_it_was(prod: World, sandbox: Sandbox, clock: FastClock) -> None:
    async def health(host: Any) -> Any:
        await host.test("prod")
        [found] = await host.connections.list()
        return found.health

    passed = prod.use(health)
    sandbox.options["api_key"] = "another"
    clock._start += dt.timedelta(hours=1)
    failed = prod.use(health)
    assert passed.last_failure is None
    assert (failed.last_success, failed.status) == (passed.last_success, "Failed")
    assert failed.last_failure is not None
    assert failed.last_failure > passed.last_success


def test_the_site_filter_finds_shared_connections_by_their_recipient_site(prod: World) -> None:
    async def work(host: Any) -> list[str]:
        await host.sites.put_tenant("us", master=True)
        for name in ("hq", "branch"):
            await host.sites.put_site(name)
        fields = {"shared_to_internal_sites": True, "recipient_site": "hq"}
        await host.connections.edit("prod", Change(fields))
        await host.connections.copy("prod", "at-branch", Change({"shared_to_internal_sites": False, "recipient_site": None, "site": "branch"}))  # fmt: skip
        return [one.connection.name for one in await host.connections.list(Selection(site="hq"))]

    assert prod.use(work) == ["prod"]


CODE_OF_KINDS = """
@command
async def go(call, what="", seconds=0):
    if what == "path":
        await call.request("GET", "/a/../b")
    elif what == "large":
        await call.request("POST", "/a", json="x" * 200)
    return await call.request("GET", "/a")
"""


@pytest.mark.parametrize(
    ("what", "answer", "kind", "code"),
    [
        ("path", None, "invalid_input", "400"),
        ("large", None, "too_large", "413"),
        ("", http("404 Not Found", b""), "not_found", "404"),
        ("", http("401 Unauthorized", b""), "unauthorized", "401"),
        ("", http("403 Forbidden", b""), "access_denied", "403"),
        ("", http("422 Odd", b""), "rejected", "422"),
        ("", http("200 OK", b"<html>"), "unexpected_reply", "502"),
        ("", http("302 Found", b"", "Location: http://x.example/"), "unexpected_reply", "502"),
    ],
)
def test_each_kind_of_failure_has_its_status(
    tmp_path: Path, clock: FastClock, what: str, answer: bytes | None, kind: str, code: str
) -> None:
    commands = "  go: {title: Go, input: {properties: {what: {title: What, type: string}, seconds: {title: S, type: integer}}}}\n"
    with raw_server(answer or http("200 OK", b"{}")) as (base, received):
        [entry] = run(own(tmp_path, commands, base, code=CODE_OF_KINDS, head=HEAD, clock=clock), "go", {"what": what}).errors  # fmt: skip
    assert (entry.kind, entry.status_code) == (kind, code)
    assert bool(received) == (answer is not None)


def test_a_connection_that_may_not_be_used_is_unavailable(prod: World) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change({"active": False})))
    [entry] = prod.run("list_users").errors
    assert (entry.kind, entry.status_code) == ("unavailable", "403")


def test_the_audit_names_the_invocation(prod: World) -> None:
    result = prod.run("list_users")
    [newest] = prod.use(lambda host: host.audit.newest(1))
    details = newest.document()["details"]
    assert (newest.entry.action, details["invocation"]) == ("invocation.finished", result.invocation_id)
    assert (details["plugin"], details["command"], details["status"]) == ("pagerduty", "list_users", "Passed")


def test_a_connection_with_a_health_check_counts_its_failures(prod: World, sandbox: Sandbox, clock: FastClock) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change({"health_check": HealthCheck(1)})))
    sandbox.options["api_key"] = "another"
    for count in (1, 2):
        clock._start += dt.timedelta(minutes=2)
        prod.use(lambda host: host.health.run_due())
        [found] = prod.use(lambda host: host.connections.list())
        assert (found.state, found.health.failures) == (State.ATTENTION, count)
