"""Intake: records read on, schedules, and field mappings of connections' own."""

from typing import Any

import msgspec
from msgspec import to_builtins
from starlette.responses import Response

from connector_host.model.errors import BadSetting
from connector_host.model.intake import IntakeSchedule, MappingTables
from connector_host.model.token import Scope
from connector_host.ports.intake import ANYWHERE
from connector_host.web.asking import Ask, Shape, answer, known_keys, required, wrong
from connector_host.web.problems import Problem
from connector_host.web.routing import TEXT, Route, listed, ref, up_to

MOST = 1000
_ROW: Shape = {"field": str, "source": str, "default": object, "type": str}
_SOURCE: Shape = {"name": str, "search": str, "priority": int, "fields": list}
_TABLES: Shape = {"incident_fields": list, "event_sources": list, "version": int, "own": bool}
_SCHEDULE: Shape = {"interval_minutes": int, "inputs": dict, "begin": str, "overlap_minutes": int}


async def read_intake(ask: Ask) -> Response:
    """Read records in order of arrival, after a cursor or where a reader is; `next` is the cursor to go on with."""
    page = await ask.session.intake.read(
        after=ask.query("after") or "",
        reader=ask.query("reader") or "",
        connection=ask.query("connection"),
        site=ask.query("site") or ANYWHERE,
        limit=ask.number("limit", 100, MOST),
    )
    return answer({"items": [one.document() for one in page.arrivals], "next": page.next})


async def acknowledge_intake(ask: Ask) -> Response:
    """Note that a reader has read everything up to a cursor."""
    body = await ask.body()
    known_keys(body, {"reader": str, "cursor": str})
    await ask.session.intake.acknowledge(required(body, "reader"), required(body, "cursor"))
    return Response(status_code=204)


async def list_schedules(ask: Ask) -> Response:
    """List the intakes that run by themselves, and how they fare."""
    found = await ask.session.intake.schedules(ask.query("connection"))
    return answer({"items": [one.document() for one in found]})


async def put_schedule(ask: Ask) -> Response:
    """Have an intake command run by itself, or change how."""
    body = await ask.body()
    known_keys(body, _SCHEDULE)
    given = {name: value for name, value in body.items() if value is not None}
    document = await ask.session.connections.show(ask.part("name"))
    manifest, command = ask.host.plugins.command(document["plugin"], ask.part("command"))
    ask.may_run(manifest, command, document["name"])  # what runs by itself is run all the same
    whole = {**given, "connection": ask.part("name"), "command": ask.part("command")}
    kept = await ask.session.intake.schedule(_converted(whole, IntakeSchedule))
    return answer(kept.document())


async def remove_schedule(ask: Ask) -> Response:
    """Have an intake command run by itself no more."""
    scheduled = await ask.session.intake.schedules(ask.part("name"))
    command = ask.part("command").replace("-", "_")
    if command not in [one.schedule.command for one in scheduled]:
        raise Problem("not-found", "That command does not run by itself.")
    await ask.session.intake.unschedule(ask.part("name"), command)
    return Response(status_code=204)


async def show_mapping(ask: Ask) -> Response:
    """Show the field mapping of an intake command: the connection's own, or the manifest's (version 0)."""
    tables = await ask.session.mappings.get(ask.part("name"), ask.part("command"))
    return answer(to_builtins(tables), headers={"ETag": f'"{tables.version}"'})


async def put_mapping(ask: Ask) -> Response:
    """Give a connection a field mapping of its own; If-Match is the ETag of what it takes the place of."""
    version, body, place = ask.version(), await ask.body(), (ask.part("name"), ask.part("command"))
    await ask.session.mappings.get(*place)  # what is not there is told before what is wrong
    kept = await ask.session.mappings.put(*place, tables_of({**body, "version": version}))
    return answer(to_builtins(kept), headers={"ETag": f'"{kept.version}"'})


async def reset_mapping(ask: Ask) -> Response:
    """Put the manifest's field mapping back."""
    version = ask.version()
    await ask.session.mappings.reset(ask.part("name"), ask.part("command"), version)
    return Response(status_code=204)


async def preview_mapping(ask: Ask) -> Response:
    """Show what tables make of records (`samples`, else of those taken in last), and change nothing."""
    body, place = await ask.body(), (ask.part("name"), ask.part("command"))
    await ask.session.mappings.get(*place)
    known_keys(body, {"tables": dict, "samples": list})
    tables = None if body.get("tables") is None else tables_of(body["tables"], "/tables")
    found = await ask.session.mappings.preview(*place, tables, body.get("samples"))
    return answer(to_builtins(found))


def tables_of(body: dict[str, Any], place: str = "") -> MappingTables:
    """Return the tables that a body describes; raises Problem, with the place of what is wrong."""
    known_keys(body, _TABLES, place)
    _check_rows(body.get("incident_fields"), f"{place}/incident_fields")
    for number, source in enumerate(body.get("event_sources") or []):
        here = f"{place}/event_sources/{number}"
        if not isinstance(source, dict):
            raise wrong(here, "It is an object.")
        known_keys(source, _SOURCE, here)
        _check_rows(source.get("fields"), f"{here}/fields")
    tables: MappingTables = _converted(body, MappingTables, place)
    return tables


def _check_rows(rows: Any, place: str) -> None:
    for number, row in enumerate(rows or []):
        if not isinstance(row, dict):
            raise wrong(f"{place}/{number}", "It is an object.")
        known_keys(row, _ROW, f"{place}/{number}")


def _converted(body: dict[str, Any], kind: type[Any], place: str = "") -> Any:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at `$")
        pointer = path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
        raise wrong(f"{place}{pointer}", f"{words}.") from None
    except BadSetting as error:
        raise wrong(place, str(error)) from None


_BY_NAME = "/api/v1/connections/{name}"
_MAPPING, _ONE = f"{_BY_NAME}/mappings/{{command}}", f"{_BY_NAME}/schedules/{{command}}"
_IF_MATCH = {"If-Match": TEXT}
_ANY = {"type": "object"}
_ACKNOWLEDGED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reader", "cursor"],
    "properties": {"reader": TEXT, "cursor": TEXT},
}
_TRIED = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"tables": ref("Mapping"), "samples": {"type": "array", "items": {"type": "object"}}},
}
ROUTES = (
    Route(
        "GET",
        "/api/v1/intake",
        Scope.READ,
        read_intake,
        "Read what was taken in",
        listed(ref("Arrival"), cursor=True),
        query={"after": TEXT, "reader": TEXT, "connection": TEXT, "site": TEXT, "limit": up_to(MOST)},
        refusals=("not-found", "invalid"),
    ),
    Route(
        "POST",
        "/api/v1/intake/acknowledge",
        Scope.READ,
        acknowledge_intake,
        "Note how far a reader has come",
        asks=_ACKNOWLEDGED,
        status=204,
        refusals=("invalid",),
    ),
    Route(
        "GET",
        "/api/v1/schedules",
        Scope.READ,
        list_schedules,
        "List the intakes that run by themselves",
        listed(ref("Schedule")),
        query={"connection": TEXT},
        refusals=("not-found", "invalid"),
    ),
    Route(
        "PUT",
        _ONE,
        Scope.CONNECTIONS,
        put_schedule,
        "Have an intake run by itself",
        ref("Schedule"),
        ref("NewSchedule"),
        refusals=("not-found", "invalid"),
    ),
    Route(
        "DELETE",
        _ONE,
        Scope.CONNECTIONS,
        remove_schedule,
        "Have an intake run by itself no more",
        status=204,
        refusals=("not-found",),
    ),
    Route(
        "GET",
        _MAPPING,
        Scope.READ,
        show_mapping,
        "Show a field mapping",
        ref("Mapping"),
        refusals=("not-found", "invalid"),
    ),
    Route(
        "PUT",
        _MAPPING,
        Scope.CONNECTIONS,
        put_mapping,
        "Change a field mapping",
        ref("Mapping"),
        ref("Mapping"),
        sends=_IF_MATCH,
        refusals=("not-found", "changed", "invalid", "precondition"),
    ),
    Route(
        "DELETE",
        _MAPPING,
        Scope.CONNECTIONS,
        reset_mapping,
        "Put the manifest's field mapping back",
        sends=_IF_MATCH,
        status=204,
        refusals=("not-found", "changed", "invalid", "precondition"),
    ),
    Route(
        "POST",
        f"{_MAPPING}/preview",
        Scope.READ,
        preview_mapping,
        "Try a field mapping",
        _ANY,
        _TRIED,
        refusals=("not-found", "invalid"),
    ),
)
