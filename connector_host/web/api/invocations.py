"""Invocations: run, watched, cancelled, and looked up afterwards."""

from collections.abc import Awaitable, Callable
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.responses import Response

from connector_host.model.caller import actor_of
from connector_host.model.failure import Kind
from connector_host.model.history import HistoryFilter
from connector_host.model.invocation import Options, new_id
from connector_host.model.result import Result, json_text
from connector_host.model.token import Scope
from connector_host.web.asking import Ask, Shape, answer, answer_of, known_keys, wrong
from connector_host.web.problems import Problem
from connector_host.web.routing import TEXT, Route, listed, ref, up_to
from connector_host.web.runs import Run

Work = Callable[[Options], Awaitable[Result]]
_BODY: Shape = {
    "plugin": str,
    "command": str,
    "connection": str,
    "inputs": dict,
    "deadline_seconds": (int, float),
}
MOST = 500
_LONGEST_KEY = 200
_TEXTS = ("connection", "plugin", "command", "caller", "status", "text")
LONGEST = 86_400  # seconds of a deadline


async def run_command(ask: Ask) -> Response:
    """Run a command: of the address' plugin and name, or of the body's."""
    body = await ask.body()
    typed = "command" in ask.request.path_params
    if typed:
        body = {"plugin": ask.part("plugin"), "command": ask.part("command"), "inputs": body}
        body["connection"] = ask.query("connection")
    known_keys(body, _BODY)
    for name in ("plugin", "command", "connection"):
        if not body.get(name):
            raise wrong(f"/query/{name}" if typed else f"/{name}", f"'{name}' is required.")
    plugin, name, connection = str(body["plugin"]), str(body["command"]), str(body["connection"])
    ask.may_see(plugin=plugin, connection=connection)
    manifest, command = ask.host.plugins.command(plugin, name)
    ask.may_run(manifest, command, connection)
    inputs, seconds = body.get("inputs") or {}, body.get("deadline_seconds")
    facts = {"plugin": manifest.id, "command": command.id, "connection": connection, "inputs": inputs}
    return await carried_out(
        ask,
        facts,
        lambda options: ask.session.run(manifest.id, command.id, connection, inputs, options=options),
        seconds,
    )


async def carried_out(ask: Ask, facts: dict[str, Any], work: Work, seconds: float | None = None) -> Response:
    """Run work as an invocation of the caller's, which goes on where the client goes away.

    With `Prefer: respond-async` (RFC 7240) the answer comes at once, and says where to look.
    """
    key = ask.request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        raise wrong("/headers/Idempotency-Key", "It has 1 to 200 printable characters.")
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise wrong("/deadline_seconds", f"It is a number of seconds above 0 and at most {LONGEST:,}.")
    run = Run(new_id(), ask.token.id, actor_of(ask.token.principal), key, facts=facts)
    options = Options(
        seconds,
        run.progress,
        invocation_id=run.id,
        idempotency_key=key,
        id_is_new=True,
        request_id=ask.request.scope["request_id"],
        traceparent=ask.request.scope["traceparent"],
    )
    ask.runs.begin(run, lambda: work(options))
    place = f"/api/v1/invocations/{run.id}"
    if "respond-async" in ask.request.headers.get("prefer", ""):
        return answer(_under_way(run), 202, {"Location": place, "Preference-Applied": "respond-async"})
    await run.ended.wait()
    if run.error is not None:
        raise run.error
    if run.result is None:
        raise Problem("conflict", f"It was cancelled. What became of it: {place}")
    return answer_of(run.text, {"Content-Location": f"/api/v1/invocations/{run.result.invocation_id}"})


async def show_invocation(ask: Ask) -> Response:
    """Show one: how far it has come, or its result, of which the history may keep a part only."""
    run = _run(ask)
    if run is not None and not run.ended.is_set():
        return answer(_under_way(run), headers={"Retry-After": "1"})
    if run is not None and run.error is not None:
        raise run.error
    record = await ask.session.past(ask.part("id"))  # which looks whether the caller still may
    result = run.result if run is not None else None
    if result is not None and (record is not None or _refused(result)):
        return answer({"state": "finished", "result": result.document()})
    if record is None:
        raise Problem("not-found", "There is no invocation of that id that you may see.")
    return answer({"state": "finished", "result": record.as_result()})


def _refused(result: Result) -> bool:
    """Whether a call was refused for its inputs: no history keeps it, and it tells its caller of nothing else."""
    return bool(result.errors) and all(entry.kind is Kind.INVALID_INPUT for entry in result.errors)


async def cancel_invocation(ask: Ask) -> Response:
    """Cancel one that is under way; what it did at the product stays done."""
    run = ask.runs.get(ask.part("id"), ask.token, own=not ask.token.allows(Scope.ADMIN))
    if run is None:
        raise Problem("not-found", "There is no invocation of that id that you may see.")
    if not run.ended.is_set():
        run.scope.cancel()
        await run.ended.wait()
    return Response(status_code=204)


async def watch_invocation(ask: Ask) -> Response:
    """Stream its events (server-sent events): progress, finished."""
    run = _run(ask)
    if run is None:
        raise Problem("not-found", "There is no invocation of that id that you may see.")
    last = ask.request.headers.get("last-event-id", "0")
    if not last.isascii() or not last.isdigit():
        raise wrong("/headers/Last-Event-ID", "It is the number of an event.")
    events = ask.runs.watching(run, int(last[:12]), lambda: ask.host.doorkeeper.holds(ask.token))

    async def told() -> Any:
        async for number, event, facts in events:
            yield {"id": str(number), "event": event, "data": json_text(facts)}

    return EventSourceResponse(told(), headers={"Cache-Control": "no-store"}, ping=15)


async def list_invocations(ask: Ask) -> Response:
    """List those looked for, newest first: one's own, or a connection's."""
    wanted = HistoryFilter(
        **{name: ask.query(name) for name in _TEXTS}, since=ask.time("since"), until=ask.time("until")
    )
    ask.may_see(connection=wanted.connection or "")
    page = await ask.session.search_history(wanted, after=ask.query("after") or "", limit=ask.number("limit", 50, MOST))
    return answer({"items": [one.document() for one in page.records], "next": page.next or None})


def _run(ask: Ask) -> Run | None:
    return ask.runs.get(ask.part("id"), ask.token)


def _under_way(run: Run) -> dict[str, Any]:
    told = [facts for _, event, facts in run.events if event == "progress"]
    return {"state": "running", "id": run.id, "progress": told[-1] if told else None}


_LIMIT = up_to(MOST)
_TIME = {"type": "string", "format": "date-time"}
_ASYNC = {"Prefer": TEXT, "Idempotency-Key": TEXT}
_STATE = {
    "type": "object",
    "required": ["state"],
    "properties": {
        "state": {"enum": ["running", "finished"]},
        "id": TEXT,
        "progress": {"type": ["object", "null"]},
        "result": ref("Result"),
    },
}
ONE = "/api/v1/invocations/{id}"
TYPED = "/api/v1/plugins/{plugin}/commands/{command}"
ROUTES = (
    Route(
        "POST",
        "/api/v1/invocations",
        Scope.RUN_READ_ONLY,
        run_command,
        "Run a command",
        ref("Result"),
        ref("Invocation"),
        sends=_ASYNC,
        refusals=("not-found", "conflict", "invalid", "too-many"),
    ),
    Route(
        "POST",
        TYPED,
        Scope.RUN_READ_ONLY,
        run_command,
        "Run a command by its address; the body is its input",
        ref("Result"),
        {"type": "object"},
        query={"connection": TEXT},
        sends=_ASYNC,
        refusals=("not-found", "conflict", "invalid", "too-many"),
    ),
    Route(
        "GET",
        "/api/v1/invocations",
        Scope.READ,
        list_invocations,
        "Search the invocations, newest first",
        listed(ref("HistoryRecord"), cursor=True),
        query={**dict.fromkeys(_TEXTS, TEXT), "since": _TIME, "until": _TIME, "after": TEXT, "limit": _LIMIT},
        refusals=("not-found", "invalid"),
    ),
    Route("GET", ONE, Scope.READ, show_invocation, "Show an invocation", _STATE, refusals=("not-found",)),
    Route(
        "DELETE",
        ONE,
        Scope.RUN_READ_ONLY,
        cancel_invocation,
        "Cancel an invocation",
        status=204,
        refusals=("not-found",),
    ),
    Route(
        "GET",
        f"{ONE}/events",
        Scope.READ,
        watch_invocation,
        "Watch an invocation (server-sent events)",
        sends={"Last-Event-ID": TEXT},
        refusals=("not-found", "invalid", "too-many"),
    ),
)
