"""What Test Connection finds out, and what it leaves open."""

from typing import Any

from connector_host import ApiError, AsyncCall, InvocationError, url

REFUSED = 400


async def events_server(call: AsyncCall, *, needed: bool) -> Any:
    """Reach the events server by an event that it refuses, so that nothing is created; report on it, or return why not.

    A connection without integration keys does not need it.
    """
    if not needed:
        return capability("Events server", "not checked", "The connection has no integration key that needs it.")
    path = url("/{}/enqueue", call.connection.get("api_version", "v2"))
    try:
        await call.request("POST", path, server="events", json={}, idempotent=True)
    except ApiError as error:
        if error.failure.http_status != REFUSED or error.failure.kind != "rejected":
            return error
    except InvocationError as error:
        return error
    return capability("Events server", "reached", f"{call.connection['event_url']} answers; no key was tried with it.")


def capability(name: str, state: str, detail: str) -> dict[str, str]:
    """Return one line of the report."""
    return {"capability": name, "state": state, "detail": detail}
