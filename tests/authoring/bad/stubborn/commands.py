"""Commands that never give up: see the planted faults."""

from collections.abc import AsyncIterator
from contextlib import suppress
from importlib import import_module

from connector_host.model.authoring import Failed, Item, command
from connector_host.model.errors import ConnectorHostError
from connector_host.model.invocation_errors import ApiError
from connector_host.ports.calls import AsyncCall


@command
async def list_tickets(call: AsyncCall) -> AsyncIterator[Item]:
    """Planted: believes the server that there is more, for ever."""
    page = 1
    while True:
        answer = await call.request("GET", "/tickets", query={"page": page})
        for ticket in answer["tickets"]:
            yield Item(ticket["id"], ticket)
        if not answer["more"]:
            return
        page += 1


@command
async def close_tickets(call: AsyncCall, item: str) -> object:
    """Planted: sends again what may have arrived, and counts a missing one as closed."""
    try:
        return await call.request("POST", f"/tickets/{item}/close", json={})
    except ApiError as error:
        if error.failure.http_status == 404:
            return {"id": item}
        raise
    except ConnectorHostError:
        return await call.request("POST", f"/tickets/{item}/close", json={})


BUSY: list[str] = []


@command
async def watch_tickets(call: AsyncCall) -> object:
    """Planted: goes past the host, takes every trouble for an answer, stays busy when it is cancelled."""
    with suppress(OSError), import_module("socket").create_connection(("127.0.0.1", 9), 0.1):
        pass
    if BUSY:
        return Failed("Busy.", kind="rejected")
    BUSY.append("tickets")
    try:
        answer = await call.request("GET", "/tickets/watched")
    except ConnectorHostError:
        answer = {}
    BUSY.clear()
    return answer


@command
async def test_connection(call: AsyncCall) -> object:
    """Planted: whatever the server says, the connection works."""
    try:
        return await call.request("GET", "/me")
    except ApiError:
        return {}
