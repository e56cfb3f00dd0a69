"""Field mappings of a connection's own, in place of its manifest's: seen, changed, put back, and tried on samples."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from anyio import to_thread
from msgspec.structs import replace

from connector_host.host.access import Right
from connector_host.host.connections.reading import find
from connector_host.host.core import Core
from connector_host.host.history_access import intake_records_of
from connector_host.host.intake.mapping import SEARCH, FieldTable, Mapper
from connector_host.host.invocation import invoke
from connector_host.host.requested import command_of, invocation_of
from connector_host.model.caller import Principal
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import BadSetting, ConnectionChanged, WrongUse
from connector_host.model.intake import IntakeRecord, MappedRow, MappingPreview, MappingTables, tables_in
from connector_host.model.invocation import UNRECORDED
from connector_host.model.manifest import FIELD_TYPES, Command, FieldMapping, Intake
from connector_host.model.paths import ABSENT, PathSyntaxError, compile_path, steps_of
from connector_host.model.result import iso, json_text

LATELY, AHEAD, FETCHED = timedelta(days=30), timedelta(days=1), 10  # the last in records
SAMPLES, ROWS, SOURCES, LONGEST = 100, 200, 20, 500  # the last in characters
EVENTS, SAMPLE_BYTES = 1000, 500_000  # of all samples together
STEPS, EACH, DEFAULT, NAME = 20, 3, 2000, 100  # the last two in characters


class Mappings:
    """The field mappings of connections."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def get(self, connection: str, command: str) -> MappingTables:
        """Return the tables that are used: the connection's own, or the manifest's.

        Raises UnknownConnection, UnknownPlugin, BrokenPlugin, UnknownCommand, and WrongUse for a command that is no
        intake.
        """
        return await self._used(*await self._found(connection, command))

    async def _used(self, stored: StoredConnection, command: Command, intake: Intake) -> MappingTables:
        kept = await self._core.store.mappings.get(stored.connection.id, command.id)
        if kept is not None and kept.own:
            return kept
        return replace(tables_in(intake), version=0 if kept is None else kept.version)

    async def put(self, connection: str, command: str, tables: MappingTables) -> MappingTables:
        """Give a connection tables of its own, used from the next page on; `tables.version` is the one changed.

        Raises NotAllowed where the caller does not administer the connection, BadSetting for a row that makes no sense,
        ConnectionChanged where somebody else changed them in the meantime, and as get() does.
        """
        stored, found, intake = await self._found(connection, command, Right.ADMINISTER)
        ordered = _ordered(tables)
        _check(ordered, _paths_of(tables_in(intake)))
        kept = replace(ordered, version=tables.version + 1, own=True)
        await self._keep("mapping.changed", stored, found, kept)
        return kept

    async def reset(self, connection: str, command: str, version: int | None = None) -> MappingTables:
        """Take a connection's own tables away, so that the manifest's are used; raises as put() does.

        `version` is the one that is to go, where it is known.
        """
        stored, found, intake = await self._found(connection, command, Right.ADMINISTER)
        now = version if version is not None else (await self._used(stored, found, intake)).version
        await self._keep("mapping.reset", stored, found, MappingTables((), (), now + 1))
        return replace(tables_in(intake), version=now + 1)

    async def _keep(self, action: str, stored: StoredConnection, command: Command, tables: MappingTables) -> None:
        facts = {"command": command.id, "version": tables.version}
        entry = self._core.audit.entry(action, self._caller, stored.connection, **facts)
        if not await self._core.store.mappings.put(stored.connection.id, command.id, tables, entry):
            raise ConnectionChanged("The field mapping was changed since this was read: begin with it as it is now.")

    async def preview(
        self, connection: str, command: str, tables: MappingTables | None = None, samples: Sequence[Any] | None = None
    ) -> MappingPreview:
        """Return what tables make of records, changing nothing; by default of those that were taken in last.

        `samples` are fetched incidents, as in the command's raw data. Raises BadSetting for a row that makes no sense,
        and as get() does.
        """
        stored, found, intake = await self._found(connection, command)
        used = _ordered(tables) if tables is not None else await self._used(stored, found, intake)
        _check(used, _paths_of(tables_in(intake)))
        if samples is not None:
            if len(json_text(samples[:SAMPLES])) > SAMPLE_BYTES:
                raise BadSetting(f"Samples are of at most {SAMPLE_BYTES:,} bytes together.")
            return await to_thread.run_sync(_tried, used, intake, list(samples[:SAMPLES]))
        records = await intake_records_of(self._core, stored, self._caller, found.id, SAMPLES)
        return await to_thread.run_sync(_tried_on_events, used, intake, records)

    async def fetch(self, connection: str, command: str) -> Sequence[Any]:
        """Return some incidents that the product has now, to try tables on; nothing of them is kept.

        Raises as get() does, and CommandFailed where none could be fetched.
        """
        stored, found, intake = await self._found(connection, command)
        cursor, now = intake.cursor, self._core.clock.now()
        inputs: dict[str, Any] = {}
        if cursor is not None:
            inputs = {cursor.since: iso(now - LATELY), cursor.until: iso(now + AHEAD)}
            inputs |= {cursor.limit: FETCHED} if cursor.limit else {}
        manifest = self._core.registry.plugin(stored.connection.plugin)
        result = await invoke(self._core, invocation_of(self._caller, (manifest, found, stored), inputs, UNRECORDED))
        result.raise_for_failure(partial_ok=True)
        return Mapper(intake).incidents(result.raw_data)[:FETCHED]

    async def _found(
        self, connection: str, command: str, right: Right = Right.USE
    ) -> tuple[StoredConnection, Command, Intake]:
        stored = await find(self._core, connection, self._caller, right)
        found = command_of(self._core, self._caller, stored.connection.plugin, command)[1]
        if found.intake is None:
            raise WrongUse(f"The command '{command}' is no intake, so nothing of it is mapped.")
        return stored, found, found.intake


def _ordered(tables: MappingTables) -> MappingTables:
    """Return tables whose event sources stand in the order in which they are tried."""
    return replace(tables, event_sources=tuple(sorted(tables.event_sources, key=lambda source: source.priority)))


def _tried(tables: MappingTables, intake: Intake, incidents: list[Any]) -> MappingPreview:
    mapper = Mapper(tables.laid_over(intake))
    events = [event for incident in incidents for event in mapper.events(incident)][:EVENTS]
    return MappingPreview(
        len(incidents),
        _found_in(tables.incident_fields, incidents),
        _by_source(tables, mapper, events),
        _first(incidents),
    )


def _tried_on_events(tables: MappingTables, intake: Intake, records: Sequence[IntakeRecord]) -> MappingPreview:
    """Return what tables make of events that were taken in; where each is an incident itself, of both tables."""
    events = [record.document()["raw"] for record in records]
    if intake.event_path == "$":
        return _tried(tables, intake, events)
    by_source = _by_source(tables, Mapper(tables.laid_over(intake)), events)
    return MappingPreview(len(events), (), by_source, _first(events))


def _first(values: list[Any]) -> Any:
    return values[0] if values else None


def _by_source(tables: MappingTables, mapper: Mapper, events: list[Any]) -> Mapping[str, tuple[MappedRow, ...]]:
    kinds = [mapper.source_of(event) for event in events]
    return {
        source.name: _found_in(
            source.fields, [event for event, kind in zip(events, kinds, strict=True) if kind == index]
        )
        for index, source in enumerate(tables.event_sources)
    }


def _found_in(rows: Sequence[FieldMapping], records: list[Any]) -> tuple[MappedRow, ...]:
    first = FieldTable(rows).map(records[0]) if records else {}
    return tuple(MappedRow(row.field, _count(row.source, records), first.get(row.field)) for row in rows)


def _count(source: str | None, records: list[Any]) -> int:
    """Return in how many records a path has a value."""
    if source is None:
        return 0
    path = compile_path(source)
    return sum(path.first(record) not in (ABSENT, None) for record in records)


def _check(tables: MappingTables, known: frozenset[str]) -> None:
    """Raise BadSetting for what cannot be mapped by; paths of the manifest's own are taken as they are."""
    count = sum(len(one.fields) for one in tables.event_sources) + len(tables.incident_fields)
    if count > 2 * ROWS:
        raise BadSetting(f"There are {count} rows; all tables together have at most {2 * ROWS}.")
    if len(tables.event_sources) > SOURCES or not tables.event_sources:
        raise BadSetting(f"There must be from 1 to {SOURCES} event sources.")
    names = [source.name for source in tables.event_sources]
    if len(set(names)) < len(names) or not all(_is_name(name) for name in names):
        raise BadSetting(f"Each event source needs a name of its own, of at most {NAME} characters that can be shown.")
    places = [("incident", tables.incident_fields), *((one.name, one.fields) for one in tables.event_sources)]
    for place, rows in places:
        _check_rows(place, rows, known)
    for source in tables.event_sources:
        if source.search is None:
            continue
        parts = SEARCH.fullmatch(source.search)
        if parts is None or len(source.search) > LONGEST:
            raise BadSetting(f"Event source '{source.name}': a search is written {{$.path}}=value.")
        _check_path(f"Event source '{source.name}'", parts["path"], known)


def _check_rows(place: str, rows: Sequence[FieldMapping], known: frozenset[str]) -> None:
    if len(rows) > ROWS:
        raise BadSetting(f"Table '{place}': at most {ROWS} rows.")
    seen: set[str] = set()
    for row in rows:
        if not _is_name(row.field):
            raise BadSetting(f"Table '{place}': each row needs a field's name, of at most {NAME} characters.")
        if len(json_text(row.default)) > DEFAULT:
            raise BadSetting(f"Field '{row.field}': a default has at most {DEFAULT} characters.")
        if row.field in seen:
            raise BadSetting(f"Table '{place}': there are two rows for the field '{row.field}'.")
        seen.add(row.field)
        if row.type not in FIELD_TYPES:
            raise BadSetting(
                f"Field '{row.field}': there is no type '{row.type}'. There are: {', '.join(FIELD_TYPES)}."
            )
        if row.source is not None:
            _check_path(f"Field '{row.field}'", row.source, known)


def _is_name(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and len(text) <= NAME


def _check_path(place: str, path: str, known: frozenset[str]) -> None:
    """Hold a path against those that cost little whatever a record holds: names, indexes, each element."""
    if path in known:
        return
    try:
        compile_path(path[:LONGEST])
    except PathSyntaxError as error:
        raise BadSetting(f"{place}: '{path[:LONGEST]}' is no path: {error}.") from None
    steps = steps_of(path)
    if len(path) > LONGEST or steps is None:
        raise BadSetting(f"{place}: a path is made of names, indexes and [*], as $.alerts[*].summary or .alerts[0].id.")
    if len(steps) > STEPS or steps.count(None) > EACH:
        raise BadSetting(f"{place}: a path has at most {STEPS} steps, {EACH} of them [*].")


def _paths_of(tables: MappingTables) -> frozenset[str]:
    return frozenset(_paths_in(tables.incident_fields, *(source.fields for source in tables.event_sources))) | {
        parts["path"] for source in tables.event_sources if (parts := SEARCH.fullmatch(source.search or ""))
    }


def _paths_in(*tables: Iterable[FieldMapping]) -> Iterator[str]:
    return (row.source for rows in tables for row in rows if row.source is not None)
