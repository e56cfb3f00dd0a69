"""A list is whole, or says that it is not: never a silent first page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connector_host.cli.sandbox import serving
from connector_host.model.result import Status
from tests.plugins.test_pagerduty_commands import RANGE
from tests.world import World, pagerduty_sandbox


@pytest.mark.parametrize("count", [0, 1, 25, 26, 100, 101, 10_000])
def test_all_users_come(world: World, count: int) -> None:
    with pagerduty_sandbox(users=count) as sandbox:
        world.add(sandbox.base)
        result = world.run("list_users")
    assert result.status is Status.PASSED
    assert len({user["id"] for user in result.raw_data["users"]}) == count
    assert result.completeness is not None
    assert (result.completeness.complete, result.completeness.returned) == (True, count)
    assert result.completeness.pages == 1 + max(0, -(-(count - 100) // 99)), "each page begins with the last one's end"
    assert result.completeness.stopped_because is None


def test_users_beyond_the_servers_window_are_partial(world: World) -> None:
    with pagerduty_sandbox(users=10_001) as sandbox:
        world.add(sandbox.base)
        result = world.run("list_users")
    assert result.status is Status.PARTIAL
    assert result.completeness is not None
    assert (result.completeness.complete, result.completeness.returned) == (False, 10_000)
    assert "10000" in (result.completeness.stopped_because or "")
    assert "incomplete" in result.errors[0].message
    assert result.errors[0].detail == result.completeness.stopped_because


@pytest.mark.parametrize("count", [25, 101, pytest.param(10_001, marks=pytest.mark.long)])
def test_incidents_beyond_the_servers_window_come_too(world: World, count: int) -> None:
    with pagerduty_sandbox(incidents=count) as sandbox:
        world.add(sandbox.base)
        result = world.run("fetch_incident", {**RANGE, "top_recent_incident_number": 100_000})
    assert result.status is Status.PASSED
    ids = [incident["id"] for incident in result.raw_data["incidents"]]
    assert (len(ids), len(set(ids))) == (count, count)
    assert result.completeness is not None
    assert result.completeness.complete


def test_more_for_ever_ends(world: World) -> None:
    with pagerduty_sandbox(users=30, endless=True) as sandbox:
        world.add(sandbox.base)
        result = world.run("list_users")
        assert len(sandbox.requests) == 3
    assert result.status is Status.PARTIAL
    assert len(result.raw_data["users"]) == 30
    assert result.completeness is not None
    assert "empty page" in (result.completeness.stopped_because or "")


@contextmanager
def pages(*answers: Any) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last for ever; and the queries it got."""
    queries: list[str] = []

    async def answer(request: Request) -> JSONResponse:
        queries.append(request.url.query)
        made = answers[min(len(queries), len(answers)) - 1]
        return made if isinstance(made, JSONResponse) else JSONResponse(made)

    with serving(Starlette(routes=[Route("/{path:path}", answer)])) as base:
        yield base, queries


USER = {"id": "P1", "type": "user"}


def test_an_empty_page_that_promises_more(world: World) -> None:
    with pages({"users": [USER], "more": True}, {"users": [], "more": True}) as (base, queries):
        world.add(base)
        result = world.run("list_users")
    assert (result.status, result.raw_data, len(queries)) == (Status.PARTIAL, {"users": [USER]}, 2)


def test_the_same_page_again_and_again(world: World) -> None:
    with pages({"users": [USER], "more": True}) as (base, queries):
        world.add(base)
        result = world.run("list_users")
    assert (result.status, result.raw_data, len(queries)) == (Status.PARTIAL, {"users": [USER]}, 2)
    assert "same page" in result.errors[0].detail


def test_a_page_that_fails_in_the_middle_keeps_what_came_before(world: World) -> None:
    refused = JSONResponse({"error": {"code": 2010, "message": "Access Denied"}}, status_code=403)
    with pages({"users": [USER], "more": True}, refused) as (base, _):
        world.add(base)
        result = world.run("list_users")
    assert (result.status, result.raw_data) == (Status.PARTIAL, {"users": [USER]})
    assert "Access Denied" in result.errors[0].detail


def test_pages_are_asked_for_one_after_the_other(world: World) -> None:
    with pages({"users": [USER], "more": True}, {"users": [{"id": "P2"}], "more": False}) as (base, queries):
        world.add(base)
        assert world.run("list_users").status is Status.PASSED
    assert queries == ["limit=100&offset=0", "limit=100&offset=1"]


def test_incidents_that_all_began_in_one_second_are_partial(world: World) -> None:
    incidents = [{"id": f"Q{number}", "created_at": "2026-01-01T00:00:00Z"} for number in range(100)]
    with pages(*({"incidents": [{**one, "id": f"{one['id']}-{page}"} for one in incidents], "more": True} for page in range(100))) as (base, _):  # fmt: skip
        world.add(base)
        inputs = {
            "start_time": "2025-12-01 00:00",
            "end_time": "2026-02-01 00:00",
            "top_recent_incident_number": 99_999,
        }
        result = world.run("fetch_incident", inputs)
    assert result.status is Status.PARTIAL
    assert len(result.raw_data["incidents"]) == 10_000


def test_completeness_is_part_of_the_document(world: World) -> None:

    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base)
        document = json.loads(world.run("list_users").json())
    assert document["completeness"] == {
        "complete": True,
        "returned": 6,
        "pages": 1,
        "stopped_because": None,
        "limited": False,
    }
