"""Field mappings of a connection's own: changed, tried, used from the next page on, and put back."""

from typing import Any

import pytest
from msgspec.structs import replace

from connector_host import BadSetting, Caller, ConnectionChanged, EventSource, FieldMapping, MappingTables, NotAllowed
from tests.plugins.test_pagerduty_commands import RANGE
from tests.world import Sandbox, World

WHAT = ("prod", "fetch_incident")


def mapping(world: World, caller: Caller | None = None) -> MappingTables:
    found: MappingTables = world.use(lambda session: session.mappings.get(*WHAT), caller)
    return found


def put(world: World, tables: MappingTables, caller: Caller | None = None) -> MappingTables:
    kept: MappingTables = world.use(lambda session: session.mappings.put(*WHAT, tables), caller)
    return kept


def with_row(tables: MappingTables, row: FieldMapping) -> MappingTables:
    return replace(tables, incident_fields=(*tables.incident_fields, row))


def ingested(world: World) -> list[dict[str, Any]]:
    world.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod", RANGE))
    records = world.use(lambda session: session.ingested("fetch_incident", "prod"))
    return [one.document()["mapped"] for one in records]


def test_the_manifests_is_the_default(prod: World) -> None:
    tables = mapping(prod)
    assert tables.version == 0
    assert [row.field for row in tables.incident_fields][:2] == ["Title", "Description"]
    assert [source.name for source in tables.event_sources] == ["Incident"]


def test_a_changed_table_is_used_and_put_back(prod: World) -> None:
    kept = put(prod, with_row(mapping(prod), FieldMapping("Service", ".service.summary")))
    assert (kept.version, kept.own, mapping(prod)) == (1, True, kept)
    assert all(one["incident"]["Service"] for one in ingested(prod))
    shown = prod.run("fetch_incident", RANGE).intake
    assert shown is not None
    assert all("Service" in one for one in shown["incidents"])
    assert not prod.use(lambda session: session.mappings.reset(*WHAT)).own
    assert all("Service" not in one["incident"] for one in ingested(prod))
    actions = [one.entry.action for one in prod.use(lambda session: session.audit.newest(20))]
    assert {"mapping.changed", "mapping.reset"} <= set(actions)


def test_a_change_in_the_middle_of_a_run_holds_from_the_next_page_on(world: World) -> None:
    from tests.world import pagerduty_sandbox

    with pagerduty_sandbox(incidents=250) as sandbox:
        world.add(sandbox.base)

        async def work(session: Any) -> list[dict[str, Any]]:
            store, kept = session._core.store, list[MappingTables]()
            add = store.intake.add

            async def and_change(*given: Any) -> Any:
                done = await add(*given)
                if not kept:
                    tables = await session.mappings.get(*WHAT)
                    kept.append(await session.mappings.put(*WHAT, with_row(tables, FieldMapping("Late", ".id"))))
                return done

            store.intake.add = and_change  # a person saves while the first page is written
            await session.ingest("pagerduty", "fetch_incident", "prod")
            found = await session.ingested("fetch_incident", "prod", 1000)
            return [one.document()["mapped"]["incident"] for one in found]

        mapped = world.use(work)
    late = ["Late" in one for one in mapped]
    assert any(late)
    assert not all(late)


def test_sources_are_tried_by_priority_and_search(prod: World) -> None:
    tables = mapping(prod)
    [all_others] = tables.event_sources
    urgent = EventSource("Urgent", (FieldMapping("Kind", default="page me"),), "{.urgency}=high", 1)
    put(prod, replace(tables, event_sources=(all_others, urgent)))
    assert [source.name for source in mapping(prod).event_sources] == ["Urgent", "Incident"]
    kinds = {one["event"].get("Kind", "none") for one in ingested(prod)}
    assert kinds == {"page me", "none"}


def test_two_people_do_not_overwrite_each_other(prod: World) -> None:
    tables = mapping(prod)
    put(prod, tables)
    with pytest.raises(ConnectionChanged):
        put(prod, with_row(tables, FieldMapping("Mine", ".id")))
    assert mapping(prod).version == 1


def test_a_preview_changes_nothing_and_counts(prod: World, sandbox: Sandbox) -> None:
    tables = with_row(mapping(prod), FieldMapping("Nothing", ".no.such.thing"))
    ingested(prod)
    found = prod.use(lambda session: session.mappings.preview(*WHAT, tables))
    rows = {row.field: row for row in found.incident}
    assert found.samples == rows["Title"].found == len(sandbox.account.incidents)
    assert rows["Title"].value == found.sample["title"]
    assert (rows["Nothing"].found, rows["Nothing"].value) == (0, None)
    assert rows["Severity"].value == "Low"
    assert {row.field for row in found.events["Incident"]} >= {"Unique Event Key", "Status"}
    assert mapping(prod).version == 0


def test_a_preview_of_samples_of_ones_own(prod: World) -> None:
    samples = [{"id": "P1", "title": "One"}, {"id": "P2"}]
    found = prod.use(lambda session: session.mappings.preview(*WHAT, None, samples))
    assert (found.samples, found.incident[0]) == (2, type(found.incident[0])("Title", 1, "One"))
    empty = prod.use(lambda session: session.mappings.preview(*WHAT, None, []))
    assert (empty.samples, empty.sample) == (0, None)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (FieldMapping("", ".id"), "needs a field's name"),
        (FieldMapping("A", "id"), "no path"),
        (FieldMapping("A", "$..*..*"), "made of names"),
        (FieldMapping("A", "$.list[?(@.a =~ '(x+)+y')]"), "made of names"),
        (FieldMapping("A", ".a" * 300), "made of names"),
        (FieldMapping("Title", ".id"), "two rows for the field 'Title'"),
        (FieldMapping("A", ".id", type="colour"), "no type 'colour'"),
    ],
    ids=["no name", "no path", "everything", "a pattern", "too long", "twice", "no type"],
)
def test_a_row_that_makes_no_sense_is_refused(prod: World, row: FieldMapping, words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        put(prod, with_row(mapping(prod), row))
    wrong = with_row(mapping(prod), row)
    with pytest.raises(BadSetting, match=words):
        prod.use(lambda session: session.mappings.preview(*WHAT, wrong))


@pytest.mark.parametrize("search", ["urgency=high", "{urgency}=high", "{$..*}=x", "{.a}"])
def test_a_search_that_makes_no_sense_is_refused(prod: World, search: str) -> None:
    tables = mapping(prod)
    with pytest.raises(BadSetting):
        put(prod, replace(tables, event_sources=(EventSource("A", (), search),)))


def test_whose_the_tables_are(prod: World) -> None:
    reader = Caller(user="ann")
    assert mapping(prod, reader).version == 0
    with pytest.raises(NotAllowed):
        put(prod, mapping(prod), reader)
    with pytest.raises(NotAllowed):
        prod.use(lambda session: session.mappings.reset(*WHAT), reader)
    prod.use(lambda session: session.connections.remove("prod"))
    prod.add("http://127.0.0.1:9")
    assert mapping(prod).version == 0  # another connection of the same name
