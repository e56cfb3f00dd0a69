"""The intake feed: every record once and in order of arrival, its reader's place kept; and schedules that fill it."""

import datetime as dt
from typing import Any

import pytest

from connector_host import BadSetting, Caller, Change, IntakeSchedule, NotAllowed, UnknownConnection, WrongUse
from tests.plugins.test_pagerduty_commands import RANGE
from tests.world import FastClock, Sandbox, World, pagerduty_sandbox

AT_HQ, AWAY = Caller(user="ann", site="hq"), Caller(user="bob", site="away")


@pytest.fixture
def placed(prod: World) -> World:
    async def work(session: Any) -> None:
        await session.sites.put_tenant("us", master=True)
        await session.sites.put_site("hq", tenant="us")
        await session.sites.put_site("away", tenant="us")
        await session.connections.edit("prod", Change({"site": "hq"}))

    prod.use(work)
    return prod


def read(world: World, caller: Caller | None = None, **more: Any) -> Any:
    return world.use(lambda session: session.intake.read(**more), caller)


def ingest(world: World, **inputs: Any) -> Any:
    return world.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod", inputs))


def test_each_record_arrives_once_and_in_order(placed: World, sandbox: Sandbox) -> None:
    counts = ingest(placed, **RANGE).raw_data
    assert counts["new"] > 3
    seen, after = [], ""
    while (page := read(placed, after=after, limit=2)).arrivals:
        seen += [one.record.unique_key for one in page.arrivals]
        after = page.next
    assert (len(seen), len(set(seen))) == (counts["new"], counts["new"])
    assert read(placed, after=after).next == after
    first = read(placed, limit=1).arrivals[0].document()
    assert (first["connection"], first["command"], first["site"]) == ("prod", "fetch_incident", "hq")
    assert dt.datetime.fromisoformat(first["arrived_at"]).tzinfo is not None
    assert ingest(placed, **RANGE).raw_data["known"] == counts["new"]
    assert read(placed, after=after).arrivals == []  # what is known as it is arrives no second time

    changed = next(iter(sandbox.account.incidents.values()))
    changed.change(title="Another title")
    ingest(placed, **RANGE)
    [again] = read(placed, after=after).arrivals
    assert (again.record.unique_key, again.record.document()["raw"]["title"]) == (changed.data["id"], "Another title")


def test_a_reader_goes_on_where_they_acknowledged(placed: World) -> None:
    ingest(placed)
    first = read(placed, reader="soar", limit=2)
    assert len(first.arrivals) == 2
    assert read(placed, reader="soar", limit=2) == first  # not acknowledged: read again
    placed.use(lambda session: session.intake.acknowledge("soar", first.next))
    second = read(placed, reader="soar", limit=2)
    assert second.arrivals[0].number > first.arrivals[-1].number
    placed.use(lambda session: session.intake.acknowledge("soar", second.next))
    placed.use(lambda session: session.intake.acknowledge("soar", first.next))  # an old one leads nobody back
    assert all(one.number > second.arrivals[-1].number for one in read(placed, reader="soar").arrivals)
    assert read(placed, reader="another", limit=2) == first


def test_a_reader_of_the_same_name_is_another_callers(placed: World) -> None:
    ingest(placed)
    page = read(placed, AT_HQ, reader="soar", limit=2)
    placed.use(lambda session: session.intake.acknowledge("soar", page.next), AT_HQ)
    assert read(placed, reader="soar", limit=2).arrivals[0].number == page.arrivals[0].number


def test_records_belong_to_a_site(placed: World) -> None:
    ingest(placed)
    assert read(placed, AT_HQ).arrivals
    assert read(placed, AWAY).arrivals == []
    assert read(placed, Caller(user="nobody's")).arrivals == []
    with pytest.raises(UnknownConnection):
        read(placed, AWAY, connection="prod")
    assert read(placed, site="away").arrivals == []
    assert read(placed, site="hq").arrivals
    assert read(placed, site=None).arrivals == []


def test_records_of_a_shared_connection_belong_to_its_recipient_site(placed: World) -> None:
    shared = Change({"site": None, "shared_to_internal_sites": True, "recipient_site": "away"})
    placed.use(lambda session: session.connections.edit("prod", shared))
    ingest(placed)
    assert read(placed, AWAY).arrivals
    assert read(placed, AT_HQ, connection="prod").arrivals == []  # they may use it, and its records are not theirs


def test_a_cursor_is_good_for_who_was_given_it(placed: World) -> None:
    ingest(placed)
    mine = read(placed, AT_HQ, limit=1).next
    assert read(placed, AT_HQ, after=mine).arrivals
    forged = [mine[:-4] + "AAAA", "AAAAAAAAAAA=", "7", "x", "\u00fc", mine.replace(mine[3], "B", 1) + "=", "' or 1=1"]
    for cursor in forged:
        with pytest.raises(BadSetting, match="no cursor of yours"):
            read(placed, AT_HQ, after=cursor)
    with pytest.raises(BadSetting, match="no cursor of yours"):
        read(placed, after=mine)
    for limit in (0, -1, 1001):
        with pytest.raises(BadSetting, match="at once"):
            read(placed, limit=limit)


def scheduled(world: World, caller: Caller | None = None, **more: Any) -> Any:
    wanted = IntakeSchedule(**{"connection": "prod", "command": "fetch-incident", **more})
    return world.use(lambda session: session.intake.schedule(wanted), caller)


def run_due(world: World) -> int:
    ran: int = world.use(lambda session: session.intake.run_due())
    return ran


def test_a_schedule_fills_the_feed(placed: World, clock: FastClock, sandbox: Sandbox) -> None:
    kept = scheduled(placed, interval_minutes=10, overlap_minutes=0)
    assert (kept.schedule.command, kept.state.last_run) == ("fetch_incident", None)
    assert run_due(placed) == 1
    assert run_due(placed) == 0  # not before its time
    [state] = placed.use(lambda session: session.intake.schedules())
    assert (state.state.status, state.state.words) == ("Passed", "")
    assert state.state.counts["new"] == len(read(placed).arrivals) > 0
    clock._elapsed += 601
    assert run_due(placed) == 1
    [record, _] = placed.use(lambda session: session.history(2))
    assert record.caller == "intake schedule"
    placed.use(lambda session: session.intake.unschedule("prod", "fetch-incident"))
    clock._elapsed += 601
    assert run_due(placed) == 0
    actions = [one.entry.action for one in placed.use(lambda session: session.audit.newest(20))]
    assert {"intake.scheduled", "intake.unscheduled"} <= set(actions)


def test_a_schedule_reads_from_its_begin(placed: World, sandbox: Sandbox, clock: FastClock) -> None:
    begin = clock.now() - dt.timedelta(days=100)
    scheduled(placed, begin=begin)
    run_due(placed)
    asked = [one for one in sandbox.requests if "since=" in one]
    assert f"since={begin:%Y-%m-%dT%H:%M}" in asked[0].replace("%3A", ":")


def test_a_schedule_that_fails_says_why_and_harms_no_other(placed: World) -> None:
    placed.add("http://127.0.0.1:9", "gone")
    scheduled(placed)
    scheduled(placed, connection="gone")
    assert run_due(placed) == 2
    gone, prod = placed.use(lambda session: session.intake.schedules())
    assert (gone.state.status, prod.state.status) == ("Failed", "Passed")
    assert "Status Code" in gone.state.words


def test_two_hosts_run_a_schedule_once(placed: World) -> None:
    import anyio

    from connector_host import open_host

    scheduled(placed)

    async def both() -> list[int]:
        done: list[int] = []
        async with open_host(placed.configuration) as one, open_host(placed.configuration) as two:

            async def run(host: Any) -> None:
                done.append(await host.as_operator().intake.run_due())

            async with anyio.create_task_group() as group:
                for host in (one, two):
                    group.start_soon(run, host)
        return done

    assert sorted(anyio.run(both)) == [0, 1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"command": "list_users"}, "is no intake"),
        ({"interval_minutes": 0}, "each 1 to 10,080 minutes"),
        ({"inputs": {"start_time": "2026-01-01"}}, "Leave out start_time"),
        ({"inputs": {"nothing": 1}}, "no input 'nothing'"),
        ({"overlap_minutes": -1}, "read again"),
        ({"begin": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "begins in the past"),
    ],
    ids=str,
)
def test_a_schedule_that_makes_no_sense_is_refused(placed: World, more: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        scheduled(placed, **more)


def test_only_administrators_schedule(placed: World) -> None:
    with pytest.raises(NotAllowed):
        scheduled(placed, AT_HQ)
    scheduled(placed)
    with pytest.raises(NotAllowed):
        placed.use(lambda session: session.intake.unschedule("prod", "fetch_incident"), AT_HQ)
    assert placed.use(lambda session: session.intake.schedules(), AWAY) == []
    assert len(placed.use(lambda session: session.intake.schedules(), AT_HQ)) == 1
    with pytest.raises(NotAllowed):
        placed.use(lambda session: session.intake.run_due(), AT_HQ)


def test_with_their_connection_schedules_go(placed: World) -> None:
    scheduled(placed)
    placed.use(lambda session: session.connections.remove("prod"))
    assert placed.use(lambda session: session.intake.schedules()) == []
    assert run_due(placed) == 0


def test_an_inactive_connection_rests(placed: World) -> None:
    scheduled(placed)
    placed.use(lambda session: session.connections.edit("prod", Change({"active": False})))
    assert run_due(placed) == 0


def test_one_cursor_for_schedules_and_people(placed: World) -> None:
    """Who runs the intake by hand between goes on where the schedule ended, and it where they did."""
    with pagerduty_sandbox() as other:
        placed.point_to(other.base)
        scheduled(placed)
        run_due(placed)
        assert ingest(placed).raw_data["new"] == 0
