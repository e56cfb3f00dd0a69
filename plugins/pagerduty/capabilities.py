"""What Test Connection finds out, and what it leaves open."""

from connector_host import ApiError, AsyncCall, InvocationError, url

REFUSED = 400
NOBODYS = {"routing_key": "0" * 32, "event_action": "resolve", "dedup_key": "connector-host-reaches-the-server"}


async def fault_of_events_server(call: AsyncCall) -> InvocationError | None:
    """Reach the events server by a resolve through a key that nobody has; return why it is not reached.

    It is refused, and would create nothing if it were not.
    """
    path = url("/{}/enqueue", call.connection.get("api_version", "v2"))
    try:
        await call.request("POST", path, server="events", json=NOBODYS, idempotent=True)
    except InvocationError as error:
        refused = isinstance(error, ApiError) and error.failure.kind == "rejected"
        return None if refused and error.failure.http_status == REFUSED else error
    return None


def capability(name: str, state: str, detail: str) -> dict[str, str]:
    """Return one line of the report."""
    return {"capability": name, "state": state, "detail": detail}
