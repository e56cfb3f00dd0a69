"""What happens at the host, as server-sent events; each token's holder is told what is theirs."""

from typing import Any

import anyio
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from connector_host.host.events import EventStream
from connector_host.model.events import Event
from connector_host.model.result import json_text
from connector_host.model.token import Scope
from connector_host.web.asking import Ask
from connector_host.web.routing import TEXT, Route
from connector_host.web.runs import LOOK


async def watch_events(ask: Ask) -> Response:
    """Stream what happens from now on; `names` are the kinds wanted, with commas between, all where there is none."""
    names = [one for one in (ask.query("names") or "").split(",") if one]
    watched = ask.runs.watched(ask.token.id)
    watched.__enter__()  # told now where there are too many; until the stream ends
    try:
        stream = ask.session.events(*names)
    except BaseException:
        watched.__exit__(None, None, None)
        raise

    async def told() -> Any:
        try:
            while await ask.host.doorkeeper.holds(ask.token):
                for event in await _next_few(stream):
                    if not await ask.host.doorkeeper.holds(ask.token):
                        return
                    yield {"event": event.name, "data": json_text(event.document())}
        finally:
            watched.__exit__(None, None, None)
            with anyio.CancelScope(shield=True):
                await stream.aclose()

    return EventSourceResponse(told(), headers={"Cache-Control": "no-store"}, ping=15)


async def _next_few(stream: EventStream) -> list[Event]:
    """Return the next event, or none where nothing happened for a while."""
    with anyio.move_on_after(LOOK):
        return [await anext(stream)]
    return []


ROUTES = (
    Route(
        "GET",
        "/api/v1/events",
        Scope.READ,
        watch_events,
        "Watch what happens (server-sent events)",
        query={"names": TEXT},
        refusals=("invalid", "too-many"),
    ),
)
