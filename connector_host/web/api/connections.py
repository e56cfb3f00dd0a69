"""Connections: listed, shown, added, changed, removed, tested; secrets go in and never come out."""

from urllib.parse import quote

from starlette.responses import Response

from connector_host.model.connection import Selection, State
from connector_host.model.token import Scope
from connector_host.web.api.bodies import CHANGE, NEW, change_of, summary_of
from connector_host.web.api.invocations import carried_out
from connector_host.web.asking import Ask, answer, known_keys, required, wrong
from connector_host.web.routing import TEXT, Route, listed, ref, up_to

MOST = 500


async def list_connections(ask: Ask) -> Response:
    """List connections that the caller may use, by name."""
    limit = ask.number("limit", 100, MOST)
    active = ask.query("active")
    if active not in (None, "true", "false"):
        raise wrong("/query/active", "It is true or false.")
    selection = Selection(
        plugin=ask.query("plugin"),
        site=ask.query("site"),
        active=None if active is None else active == "true",
        state=_state(ask),
        name=ask.query("name"),
        after=ask.query("after") or "",
        limit=limit + 1,
    )
    found = await ask.session.connections.list(selection)
    last = found[limit - 1].connection.name if len(found) > limit else None
    return answer({"items": [summary_of(one) for one in found[:limit]], "next": last})


async def show_connection(ask: Ask) -> Response:
    """Show one, each secret masked; its ETag is its version."""
    document = await ask.session.connections.show(ask.part("name"))
    return answer(document, headers={"ETag": f'"{document["version"]}"'})


async def add_connection(ask: Ask) -> Response:
    """Add one."""
    body = await ask.body()
    known_keys(body, NEW)
    name, plugin = required(body, "name"), required(body, "plugin")
    ask.may_see(plugin=plugin, connection=name)
    made = await ask.session.connections.add(name, plugin, change_of(body))
    document = await ask.session.connections.show(made.name)
    place = f"/api/v1/connections/{quote(made.name, safe='')}"
    return answer(document, 201, {"ETag": f'"{made.version}"', "Location": place})


async def change_connection(ask: Ask) -> Response:
    """Change one: what is not named stays, null takes away."""
    version, body = ask.version(), await ask.body()
    known_keys(body, CHANGE)
    made = await ask.session.connections.edit(ask.part("name"), change_of(body, version))
    return answer(await ask.session.connections.show(made.name), headers={"ETag": f'"{made.version}"'})


async def remove_connection(ask: Ask) -> Response:
    """Remove one; its history stays."""
    version = ask.version()
    await ask.session.connections.remove(ask.part("name"), version=version)
    return Response(status_code=204)


async def test_connection(ask: Ask) -> Response:
    """Run Test Connection through a stored one, or through what an edit would make of it (`change`)."""
    body = await ask.body()
    known_keys(body, {"inputs": dict, "change": dict})
    name, inputs = ask.part("name"), body.get("inputs")
    document = await ask.session.connections.show(name)
    facts = {"plugin": document["plugin"], "command": "test_connection", "connection": name}
    if body.get("change") is not None:
        known_keys(body["change"], CHANGE, "/change")
        change = change_of(body["change"])
        return await carried_out(
            ask, facts, lambda options: ask.session.test_edit(name, change, inputs=inputs, options=options)
        )
    return await carried_out(ask, facts, lambda options: ask.session.test(name, inputs, options=options))


async def test_unsaved(ask: Ask) -> Response:
    """Run Test Connection on the values of a connection that is not stored, and store nothing."""
    body = await ask.body()
    known_keys(body, {**NEW, "inputs": dict})
    name, plugin = body.get("name") or "unsaved", required(body, "plugin")
    ask.may_see(plugin=plugin, connection=name)
    change = change_of(body)
    facts = {"plugin": plugin, "command": "test_connection", "connection": name}
    inputs = body.get("inputs")
    return await carried_out(
        ask, facts, lambda options: ask.session.test_draft(name, plugin, change, inputs=inputs, options=options)
    )


async def show_diagnosis(ask: Ask) -> Response:
    """Return what support needs to know, redacted."""
    return answer(await ask.session.diagnose(ask.part("name")))


async def list_checks(ask: Ask) -> Response:
    """List its newest health checks."""
    found = await ask.session.history(ask.number("limit", 40, MOST), ask.part("name"), checks=True)
    return answer({"items": [one.document() for one in found]})


def _state(ask: Ask) -> State | None:
    text = ask.query("state")
    if text is None:
        return None
    try:
        return State(text)
    except ValueError:
        raise wrong("/query/state", f"There is no state '{text}'.", f"There are: {', '.join(State)}.") from None


_BY_NAME = "/api/v1/connections/{name}"
_LIMIT = up_to(MOST)
_IF_MATCH = {"If-Match": TEXT}
_STATES = {"type": "string", "enum": [one.value for one in State]}
_FILTERS = {
    "plugin": TEXT,
    "site": TEXT,
    "state": _STATES,
    "active": {"type": "boolean"},
    "name": TEXT,
    "after": TEXT,
    "limit": _LIMIT,
}
_TESTED = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"inputs": {"type": "object"}, "change": ref("ConnectionChange")},
}
ROUTES = (
    Route(
        "GET",
        "/api/v1/connections",
        Scope.READ,
        list_connections,
        "List connections",
        listed(ref("ConnectionSummary"), cursor=True),
        query=_FILTERS,
        refusals=("invalid",),
    ),
    Route(
        "POST",
        "/api/v1/connections",
        Scope.CONNECTIONS,
        add_connection,
        "Add a connection",
        ref("Connection"),
        ref("NewConnection"),
        status=201,
        refusals=("not-found", "conflict", "invalid"),
    ),
    Route(
        "POST",
        "/api/v1/connections/test",
        Scope.CONNECTIONS,
        test_unsaved,
        "Test values that are not stored",
        ref("Result"),
        ref("UnsavedConnection"),
        refusals=("not-found", "invalid"),
    ),
    Route(
        "GET", _BY_NAME, Scope.READ, show_connection, "Show a connection", ref("Connection"), refusals=("not-found",)
    ),
    Route(
        "PATCH",
        _BY_NAME,
        Scope.CONNECTIONS,
        change_connection,
        "Change a connection",
        ref("Connection"),
        ref("ConnectionChange"),
        sends=_IF_MATCH,
        refusals=("not-found", "changed", "invalid", "precondition"),
    ),
    Route(
        "DELETE",
        _BY_NAME,
        Scope.CONNECTIONS,
        remove_connection,
        "Remove a connection",
        sends=_IF_MATCH,
        status=204,
        refusals=("not-found", "changed", "invalid", "precondition"),
    ),
    Route(
        "POST",
        f"{_BY_NAME}/test",
        Scope.RUN_READ_ONLY,
        test_connection,
        "Test a connection",
        ref("Result"),
        _TESTED,
        refusals=("not-found", "invalid"),
    ),
    Route(
        "GET",
        f"{_BY_NAME}/diagnosis",
        Scope.READ,
        show_diagnosis,
        "Show what support needs to know",
        {"type": "object"},
        refusals=("not-found",),
    ),
    Route(
        "GET",
        f"{_BY_NAME}/health",
        Scope.READ,
        list_checks,
        "List health checks",
        listed(ref("HistoryRecord")),
        query={"limit": _LIMIT},
        refusals=("not-found", "invalid"),
    ),
)
