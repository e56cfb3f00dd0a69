"""Commands that do what none should: see the planted faults."""

import socket
import time

from connector_host.model.authoring import Failed, command
from connector_host.model.invocation_errors import ApiError
from connector_host.ports.calls import AsyncCall

print("Leaky is here")  # noqa: T201 - planted: importing prints
time.sleep(0.3)  # planted: importing is slow


@command
async def get_ticket(call: AsyncCall, ticket_id: str, depth: int = 0) -> object:
    """Planted: the secret goes into the URL."""
    if depth > 1:
        return {"deep": [0][depth]}  # planted: falls over an input
    try:
        return await call.request("GET", f"/tickets/{ticket_id}", query={"key": call.connection["api_key"]})
    except ApiError:
        return {"id": ticket_id}  # planted: every failure is a success


@command
async def list_tickets(call: AsyncCall) -> object:
    """Planted: garbage and refusals are all the same to it."""
    try:
        return await call.request("GET", "/tickets")
    except ApiError:
        return Failed("It did not work.", kind="rejected")


def elsewhere() -> None:
    """Planted: the way around the declared servers."""
    socket.create_connection(("127.0.0.1", 9))
