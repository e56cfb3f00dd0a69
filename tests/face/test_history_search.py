"""History searched: by everything that is asked for, page by page, and each caller their own."""

from typing import Any

import pytest

from connector_host import BadSetting, Caller, HistoryFilter, Options, UnknownConnection
from tests.world import World

ANN, BOB = Caller(user="ann"), Caller(user="bob")


@pytest.fixture
def ran(prod: World) -> World:
    """Twelve runs: by the operator, ann and bob; every third fails."""
    prod.add("http://127.0.0.1:9", "other")

    async def work(session: Any) -> None:
        for number in range(4):
            await session.run("pagerduty", "list_users", "prod", {"query": f"q{number}"})
            wrong = {"user_ids": ["PNOBODY"]}
            await session.run("pagerduty", "get_user_contact_methods", "prod", wrong)

    prod.use(work)
    prod.use(lambda session: session.run("pagerduty", "list_users", "prod"), ANN)
    prod.use(lambda session: session.run("pagerduty", "list_users", "prod"), BOB)
    return prod


def found(world: World, wanted: HistoryFilter, caller: Caller | None = None, **more: Any) -> list[Any]:
    return list(world.use(lambda session: session.search_history(wanted, **more), caller).records)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (HistoryFilter(), 10),
        (HistoryFilter(status="Failed"), 4),
        (HistoryFilter(command="list_users", status="Passed"), 6),
        (HistoryFilter(plugin="urlscan"), 0),
        (HistoryFilter(caller="ANN"), 1),
        (HistoryFilter(text="pnobody"), 4),
        (HistoryFilter(text="%"), 0),
        (HistoryFilter(connection="other"), 0),
        (HistoryFilter(connection="prod", status="Failed", text="not found"), 4),
    ],
    ids=str,
)
def test_what_is_asked_for_is_found(ran: World, wanted: HistoryFilter, count: int) -> None:
    assert len(found(ran, wanted)) == count


def test_pages_hold_each_run_once_and_in_order(ran: World) -> None:
    async def work(session: Any) -> list[str]:
        seen, after = [], ""
        while True:
            page = await session.search_history(HistoryFilter(), after=after, limit=3)
            seen += [one.invocation_id for one in page.records]
            assert len(page.records) == 3 or not page.next
            if not page.next:
                return seen
            after = page.next
            await session.run("pagerduty", "list_users", "prod")  # what comes in meanwhile shifts nothing

    ids = [one.invocation_id for one in found(ran, HistoryFilter(), limit=50)]
    assert ran.use(work) == ids


def test_times_bound_the_begin(ran: World) -> None:
    import datetime as dt

    everything = found(ran, HistoryFilter())
    third = dt.datetime.fromisoformat(everything[2].started_at)
    newer, older = found(ran, HistoryFilter(since=third)), found(ran, HistoryFilter(until=third))
    assert {one.invocation_id for one in newer} | {one.invocation_id for one in older} == {
        one.invocation_id for one in everything
    }
    assert all(one.started_at >= everything[2].started_at for one in newer)
    assert all(one.started_at < everything[2].started_at for one in older)


def test_each_caller_sees_their_own(ran: World) -> None:
    assert [one.caller for one in found(ran, HistoryFilter(), ANN)] == ["user ann"]
    assert [one.caller for one in found(ran, HistoryFilter(connection="prod"), ANN)] == ["user ann"]
    assert found(ran, HistoryFilter(caller="bob"), ANN) == []
    assert found(ran, HistoryFilter(), Caller()) == []
    with pytest.raises(UnknownConnection):
        found(ran, HistoryFilter(connection="nothing"), ANN)


def test_nobody_goes_on_after_a_run_that_is_not_theirs(ran: World) -> None:
    [of_bob] = found(ran, HistoryFilter(), BOB)
    for after in (of_bob.invocation_id, "made-up", "' or 1=1 --"):
        with pytest.raises(BadSetting, match="begin anew"):
            found(ran, HistoryFilter(), ANN, after=after)


def test_use_is_counted_by_connection_caller_and_command(ran: World) -> None:
    calls = ran.use(lambda session: session.usage.calls_of(["prod", "other"]))
    assert (calls["prod"].total, calls["prod"].failed, calls["other"].total) == (10, 4, 0)
    assert calls["prod"].p95_ms >= 0
    uses = ran.use(lambda session: session.usage.uses_of("prod"))
    assert [(one.caller, one.command, one.count) for one in uses][:2] == [
        ("operator", "get_user_contact_methods", 4),
        ("operator", "list_users", 4),
    ]
    assert {one.caller for one in uses} == {"operator", "user ann", "user bob"}


def test_the_http_request_that_asked_stands_in_the_history(prod: World) -> None:
    options = Options(request_id="req-7")
    prod.use(lambda session: session.run("pagerduty", "list_users", "prod", options=options))
    [record] = found(prod, HistoryFilter())
    assert (record.request_id, record.document()["request_id"]) == ("req-7", "req-7")
