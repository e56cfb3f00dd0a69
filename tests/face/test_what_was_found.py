"""What attackers and readers of the face found: each was seen to fail before it was mended."""

import datetime as dt
import time
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from connector_host import (
    BadSetting,
    Caller,
    Change,
    EventSource,
    FieldMapping,
    HistoryFilter,
    IntakeSchedule,
    UnknownCommand,
    open_host,
)
from connector_host.host.scheduler import stuck
from connector_host.model.caller import Bounds
from connector_host.model.differences import differences
from connector_host.web.page.tree import tree_of
from tests.plugins.test_pagerduty_commands import RANGE
from tests.world import FastClock, World

NARROW = Caller(user="ann", bounds=Bounds(commands=("list_users",)))
WHAT = ("prod", "fetch_incident")


def test_intake_keeps_within_the_commands_that_somebody_is_bound_to(prod: World) -> None:
    prod.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod", RANGE))
    prod.use(lambda session: session.intake.schedule(IntakeSchedule("prod", "fetch_incident")))
    for work in (
        lambda session: session.ingested("fetch_incident", "prod"),
        lambda session: session.mappings.get(*WHAT),
        lambda session: session.mappings.preview(*WHAT),
        lambda session: session.mappings.fetch(*WHAT),
    ):
        with pytest.raises(UnknownCommand):
            prod.use(work, NARROW)
    assert prod.use(lambda session: session.intake.read(), NARROW).arrivals == []
    assert prod.use(lambda session: session.intake.schedules(), NARROW) == []


def test_a_busy_host_is_not_stuck_and_a_slow_intake_holds_up_no_other(prod: World, sandbox: Any) -> None:
    """Schedules are claimed while others run, and each claim is a sign of life."""
    for name in ("b", "c"):
        prod.add(sandbox.base, name)

    async def work() -> list[str]:
        async with open_host(prod.configuration) as host:
            session = host.as_operator()
            core = session._core
            for name in ("prod", "b", "c"):
                await session.intake.schedule(IntakeSchedule(name, "fetch_incident"))
            claim, claimed = core.store.schedules.claim, list[str]()

            async def one_by_one(claimant: str, now: Any, until: Any, _limit: int) -> Any:
                assert not claimed or core.heartbeats["Scheduled intakes"] > 0  # each claim is a sign of life
                core.heartbeats["Scheduled intakes"] = -1e9
                found = await claim(claimant, now, until, 1)
                claimed.extend(one.connection_id for one in found)
                return found

            core.store.schedules.claim = one_by_one  # type: ignore[assignment, method-assign]
            await session.intake.run_due()
            core.heartbeats["Scheduled intakes"] = core.clock.monotonic() - 901
            assert stuck(core) == ["Scheduled intakes"]
            return claimed

    assert len(anyio.run(work)) == 3


def test_a_claim_is_renewed_for_each_window(prod: World, clock: FastClock) -> None:
    prod.use(
        lambda session: session.intake.schedule(
            IntakeSchedule("prod", "fetch_incident", begin=clock.now() - dt.timedelta(days=700))
        )
    )

    async def work() -> int:
        async with open_host(prod.configuration) as host, open_host(prod.configuration) as other:
            first, second = host.as_operator(), other.as_operator()
            renewed = 0
            renew = first._core.store.schedules.renew

            async def slowly(*given: Any) -> bool:
                nonlocal renewed
                renewed += 1
                done: bool = await renew(*given)
                clock._elapsed += 200  # each window takes long; all of them longer than one claim
                assert await second.intake.run_due() == 0
                return done

            first._core.store.schedules.renew = slowly  # type: ignore[assignment, method-assign]
            await first.intake.run_due()
            return renewed

    assert anyio.run(work) >= 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"inputs": {"top_recent_incident_number": "many"}}, "Number of Incident"),
        ({"begin": dt.datetime(1, 1, 1, tzinfo=dt.UTC)}, "730 days back at most"),
        ({"begin": dt.datetime(1900, 1, 1, tzinfo=dt.UTC)}, "730 days back at most"),
    ],
    ids=["inputs", "the year 1", "1900"],
)
def test_a_schedule_that_would_fail_at_each_run_is_refused(prod: World, more: dict[str, Any], words: str) -> None:
    wanted = IntakeSchedule("prod", "fetch_incident", **more)
    with pytest.raises(BadSetting, match=words):
        prod.use(lambda session: session.intake.schedule(wanted))


def test_a_begin_moves_a_cursor_that_stands(prod: World, sandbox: Any, clock: FastClock) -> None:
    prod.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod"))
    begin = clock.now() - dt.timedelta(days=100)
    sandbox.faults.requests.clear()
    prod.use(lambda session: session.intake.schedule(IntakeSchedule("prod", "fetch_incident", begin=begin)))
    prod.use(lambda session: session.intake.run_due())
    asked = next(one for one in sandbox.requests if "since=" in one).replace("%3A", ":")
    assert f"since={begin:%Y-%m-%dT%H:%M}" in asked


def test_a_reader_reads_everything(prod: World) -> None:
    for more in ({"connection": "prod"}, {"site": None}):
        with pytest.raises(BadSetting, match="of all records"):
            prod.use(lambda session, more=more: session.intake.read(reader="soar", **more))  # type: ignore[misc]


def test_readers_are_bounded(prod: World) -> None:
    async def work(session: Any) -> None:
        cursor = (await session.intake.read()).next
        for number in range(100):
            await session.intake.acknowledge(f"r{number}", cursor)
        await session.intake.acknowledge("r7", cursor)
        with pytest.raises(BadSetting, match="100 readers"):
            await session.intake.acknowledge("one more", cursor)

    prod.use(work)


def test_a_record_that_changed_is_of_the_site_that_its_connection_has_now(prod: World, sandbox: Any) -> None:
    async def work(session: Any) -> list[Any]:
        await session.sites.put_tenant("us", master=True)
        for site in ("hq", "away"):
            await session.sites.put_site(site, tenant="us")
        await session.connections.edit("prod", Change({"site": "hq"}))
        await session.ingest("pagerduty", "fetch_incident", "prod", RANGE)
        head = (await session.intake.read(limit=1000)).next
        await session.connections.edit("prod", Change({"site": "away"}))
        next(iter(sandbox.account.incidents.values())).change(title="Changed")
        await session.ingest("pagerduty", "fetch_incident", "prod", RANGE)
        return [one.record.site for one in (await session.intake.read(after=head)).arrivals]

    assert prod.use(work) == ["away"]


def test_who_belongs_to_a_tenant_reads_nothing_that_is_unplaced(prod: World) -> None:
    async def work(session: Any) -> None:
        await session.sites.put_tenant("us", master=True)
        await session.sites.put_tenant("them")
        await session.connections.edit("prod", Change({"tenants": ("them",), "allowed_users": ("eve",)}))
        await session.ingest("pagerduty", "fetch_incident", "prod", RANGE)

    prod.use(work)
    eve = Caller(user="eve", tenant="them")
    assert prod.use(lambda session: session.intake.read(), eve).arrivals == []
    assert prod.use(lambda session: session.ingested("fetch_incident", "prod"), eve) == []


def test_no_site_is_called_anywhere(prod: World) -> None:
    with pytest.raises(BadSetting, match="cannot have the name"):
        prod.use(lambda session: session.sites.put_tenant("*", master=True))


def test_an_odd_date_stops_no_intake(prod: World, sandbox: Any) -> None:
    for one in sandbox.account.incidents.values():
        one.change(description="0001-01-01T00:00:00+14:00")

    async def work(session: Any) -> Any:
        tables = await session.mappings.get(*WHAT)
        row = FieldMapping("When", ".description", type="datetime")
        await session.mappings.put(*WHAT, replace(tables, incident_fields=(row,)))
        return await session.ingest("pagerduty", "fetch_incident", "prod", RANGE)

    result = prod.use(work)
    assert (result.status, result.errors) == ("Passed", ())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (FieldMapping("A", "$" + "[*]" * 4), "at most 20 steps, 3 of them"),
        (FieldMapping("A", "$" + ".a" * 21), "at most 20 steps"),
        (FieldMapping("A", default="x" * 3000), "at most 2000 characters"),
        (FieldMapping("x" * 101, ".a"), "needs a field's name"),
        (FieldMapping("a\nb", ".a"), "needs a field's name"),
    ],
    ids=["every", "deep", "default", "long", "lines"],
)
def test_no_mapping_costs_more_than_a_mapping_should(prod: World, row: FieldMapping, words: str) -> None:
    tables = prod.use(lambda session: session.mappings.get(*WHAT))
    with pytest.raises(BadSetting, match=words):
        prod.use(lambda session: session.mappings.put(*WHAT, replace(tables, incident_fields=(row,))))


def test_a_preview_is_bounded_whatever_it_is_given(prod: World) -> None:
    tables = prod.use(lambda session: session.mappings.get(*WHAT))
    rows = tuple(FieldMapping(f"f{number}", "$[*][*][*]") for number in range(200))
    heavy = replace(tables, incident_fields=rows)
    with pytest.raises(BadSetting, match="bytes together"):
        prod.use(lambda session: session.mappings.preview(*WHAT, heavy, [["x" * 10_000] * 100]))
    begun = time.process_time()
    prod.use(lambda session: session.mappings.preview(*WHAT, heavy, [[0] * 20_000]))
    assert time.process_time() - begun < 5


def test_a_preview_tries_sources_in_the_order_in_which_they_will_be_tried(prod: World) -> None:
    prod.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod", RANGE))
    tables = prod.use(lambda session: session.mappings.get(*WHAT))
    late = EventSource("Late", (FieldMapping("F", default="late"),), None, 90)
    early = EventSource("Early", (FieldMapping("F", default="early"),), None, 10)
    typed = replace(tables, event_sources=(late, early))
    found = prod.use(lambda session: session.mappings.preview(*WHAT, typed))
    assert (found.events["Early"][0].value, found.events["Late"][0].value) == ("early", None)


def test_a_table_put_back_overwrites_nobodys(prod: World) -> None:
    tables = prod.use(lambda session: session.mappings.get(*WHAT))
    first = prod.use(lambda session: session.mappings.put(*WHAT, tables))
    prod.use(lambda session: session.mappings.reset(*WHAT, first.version))
    again = prod.use(lambda session: session.mappings.get(*WHAT))
    assert (again.own, again.version) == (False, 2)
    from connector_host import ConnectionChanged

    for stale in (0, 1):
        with pytest.raises(ConnectionChanged):
            prod.use(lambda session, stale=stale: session.mappings.put(*WHAT, replace(tables, version=stale)))  # type: ignore[misc]
    with pytest.raises(ConnectionChanged):
        prod.use(lambda session: session.mappings.reset(*WHAT, 1))


def test_what_differs_is_not_taken_for_an_id() -> None:
    assert not next(differences("TRIGGERED", "RESOLVED")).fleeting
    assert next(differences("P1234567", "Q7654321")).fleeting
    [gone] = differences([{"id": 1}, {"id": 2}], [{"id": 2}])
    assert (gone.path, gone.kind) == ("$[id 1]", "removed")
    mixed = list(differences([{"id": 1}, {"id": 2}], [{"name": "x"}]))
    assert [one.path for one in mixed] == ["$[0].id", "$[0].name", "$[1]"]


def test_a_tree_is_bounded_in_width_depth_and_names() -> None:
    from connector_host.model.paths import compile_path

    wide = tree_of({"k" * 20_000: [[0] * 50] * 50}, "$", levels=6)
    assert len(str(wide)) < 100_000
    assert len(str(tree_of([[[0] * 50] * 50] * 50, "$", levels=6))) < 500_000
    odd = {"it's": {"a b": 1}, 'say "x"': 2}
    for node in tree_of(odd, "$").children:
        assert compile_path(node.path).find(odd) == [odd[node.label]]


def test_times_mean_the_same_everywhere(prod: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        prod.use(lambda session: session.run("pagerduty", "list_users", "prod"))
        since = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).replace(tzinfo=None)
        found = prod.use(lambda session: session.search_history(HistoryFilter(since=since)))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert len(found.records) == 1


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_page_of_no_size_is_refused(prod: World, limit: int) -> None:
    with pytest.raises(BadSetting, match="are read at once"):
        prod.use(lambda session: session.search_history(HistoryFilter(), limit=limit))


def test_a_status_that_is_none_is_refused(prod: World) -> None:
    with pytest.raises(BadSetting, match="There is no status 'failed'"):
        prod.use(lambda session: session.search_history(HistoryFilter(status="failed")))


def test_what_one_may_no_longer_read_is_in_no_list_and_ones_own_of_what_is_gone_stays(prod: World) -> None:
    ann = Caller(user="ann")
    prod.use(lambda session: session.run("pagerduty", "list_users", "prod"), ann)
    prod.use(lambda session: session.connections.edit("prod", Change({"allowed_users": ("bob",)})))
    assert prod.use(lambda session: session.history(), ann) == []
    prod.use(lambda session: session.connections.remove("prod"))
    [own] = prod.use(lambda session: session.history(), ann)
    assert prod.use(lambda session: session.past(own.invocation_id), ann) is not None
    assert prod.use(lambda session: session.past(own.invocation_id), Caller(user="bob")) is None
    assert prod.use(lambda session: session.search_history(HistoryFilter(), after=own.invocation_id), ann).records == []


def test_events_of_others_crowd_out_none_of_ones_own(prod: World) -> None:
    prod.add("http://127.0.0.1:9", "own")
    prod.use(lambda session: session.connections.edit("prod", Change({"allowed_users": ("bob",)})))

    async def work() -> list[str]:
        async with open_host(prod.configuration) as host:
            stream = host.acting_for(Caller(user="ann")).events("connection.changed")
            listed = await host.as_operator().connections.list()
            mine, other = (one.connection for one in listed)
            tell = host.as_operator().connections._tell
            tell("connection.changed", other)
            tell("connection.changed", mine)
            first = await anext(stream)  # by now it is known what is not ann's
            for _ in range(1500):
                tell("connection.changed", other)
            tell("connection.changed", mine)
            await stream.aclose()
            return [first.name, *[event.name async for event in stream]]

    assert anyio.run(work) == ["connection.changed", "connection.changed"]
