"""What a host tells while it works: typed, complete, bounded, and each caller's own."""

from typing import Any

import anyio
import pytest

from connector_host import Caller, Change, WrongUse, blocking, open_host
from connector_host.model.events import EventsLost, InvocationFinished, RequestSent
from tests.world import API_KEY, INTEGRATION_KEY, World


async def told(host: Any, caller: Caller | None, names: tuple[str, ...], work: Any) -> list[Any]:
    """Return the events that a caller was told while the operator did some work."""
    session = host.as_operator() if caller is None else host.acting_for(caller)
    stream = session.events(*names)
    await work(host.as_operator())
    await stream.aclose()
    return [event async for event in stream]


def run(world: World, work: Any, caller: Caller | None = None, *names: str) -> list[Any]:
    async def go() -> list[Any]:
        async with open_host(world.configuration) as host:
            return await told(host, caller, names, work)

    return anyio.run(go)


async def lists(session: Any) -> None:
    await session.run("pagerduty", "list_users", "prod")


def test_an_invocation_from_begin_to_end(prod: World) -> None:
    events = run(prod, lists)
    assert [event.name for event in events] == [
        "invocation.started",
        "limit.used",
        "request.sent",
        "invocation.finished",
    ]
    connection = prod.use(lambda session: session.connections.list())[0].connection
    for event in events:
        assert (event.connection, event.connection_id) == ("prod", connection.id)
        assert (event.plugin, event.command, event.caller) == ("pagerduty", "list_users", "operator")
        assert event.invocation == events[0].invocation
        assert event.at.tzinfo is not None
        assert event.document()["event"] == event.name
    used, sent, ended = events[1:]
    assert (used.used, used.limit, used.seconds) == (1, 900, 60)
    assert isinstance(sent, RequestSent)
    assert (sent.outcome, sent.method, sent.attempt) == ("200", "GET", 1)
    assert isinstance(ended, InvocationFinished)
    assert (ended.status, ended.effect) == ("Passed", "none")


def test_connections_health_and_intake_are_told(prod: World) -> None:
    async def work(session: Any) -> None:
        where = {"server_url": "http://127.0.0.1:9", "event_url": "http://127.0.0.1:9"}
        await session.connections.add("new", "pagerduty", Change({}, where, {"api_key": API_KEY}))
        await session.connections.edit("new", Change({"description": "x"}))
        await session.connections.remove("new")
        await session.test("prod")
        await session.test("prod")
        await session.ingest("pagerduty", "fetch_incident", "prod")

    names = ("connection.added", "connection.changed", "connection.removed", "health.changed", "intake.stored")
    events = run(prod, work, None, *names)
    assert [event.name for event in events] == list(names)
    assert {event.caller for event in events[:3]} == {"operator"}
    assert (events[3].connection, events[3].status) == ("prod", "Passed")
    assert (events[4].new > 0, events[4].updated, events[4].command) == (True, 0, "fetch_incident")


def test_retries_are_told(prod: World, sandbox: Any) -> None:
    sandbox.faults.status, sandbox.faults.left = 503, 1
    events = run(prod, lists, None, "request.sent", "request.retried")
    assert [event.name for event in events] == ["request.sent", "request.retried", "request.sent"]
    assert (events[0].outcome, events[1].status, events[2].attempt) == ("503", 503, 2)


def test_no_event_holds_a_secret(prod: World) -> None:
    async def work(session: Any) -> None:
        await lists(session)
        await session.run("pagerduty", "create_event", "prod", {"summary": "s", "severity": "info", "source": "x"})

    text = "".join(str(event.document()) + repr(event) for event in run(prod, work))
    assert API_KEY not in text
    assert INTEGRATION_KEY not in text


def test_callers_are_told_what_is_theirs(prod: World) -> None:
    ann = Caller(user="ann")

    async def by_both(session: Any) -> None:
        await lists(session)
        await session.connections.edit("prod", Change({"description": "x"}))

    assert [event.name for event in run(prod, by_both, ann)] == ["connection.changed"]
    assert run(prod, by_both, Caller(user="ann", site="elsewhere")) == []
    assert run(prod, by_both, Caller()) == []

    async def own() -> list[str]:
        async with open_host(prod.configuration) as host:
            stream = host.acting_for(ann).events("invocation.finished")
            await lists(host.acting_for(ann))
            await lists(host.acting_for(Caller(user="bob")))
            await lists(host.acting_for(Caller(user="ann at hq")))
            await stream.aclose()
            return [str(event.document()["caller"]) async for event in stream]

    assert anyio.run(own) == ["user ann"]


def test_a_slow_reader_loses_the_oldest_and_is_told(prod: World) -> None:
    async def go() -> list[Any]:
        async with open_host(prod.configuration) as host:
            stream = host.as_operator().events("connection.changed")
            for _ in range(1005):
                host.as_operator().connections._tell("connection.changed", connection)
            await stream.aclose()
            return [event async for event in stream]

    connection = prod.use(lambda session: session.connections.list())[0].connection
    events = anyio.run(go)
    assert isinstance(events[0], EventsLost)
    assert (events[0].count, len(events)) == (5, 1001)


def test_a_stream_waits_for_what_comes(prod: World) -> None:
    seen: list[str] = []

    async def go() -> None:
        async with open_host(prod.configuration) as host, anyio.create_task_group() as group:
            stream = host.as_operator().events("invocation.finished")
            group.start_soon(lists, host.as_operator())
            seen.append((await anext(stream)).name)

    anyio.run(go)
    assert seen == ["invocation.finished"]


def test_a_kind_that_is_none_is_refused(prod: World) -> None:
    with pytest.raises(WrongUse, match=r"no event 'invocation\.ended'\. There are: invocation\.started"):
        run(prod, lists, None, "invocation.ended")


def test_programs_without_a_loop_read_them_too(prod: World) -> None:
    with blocking.open_host(prod.configuration) as host:
        session = host.as_operator()
        events = session.events("invocation.finished")
        session.run("pagerduty", "list_users", "prod")
        assert next(events).document()["command"] == "list_users"
        events.close()
        assert list(events) == []
