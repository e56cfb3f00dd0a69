"""What Test Connection finds out, and what it leaves open."""

from collections.abc import AsyncIterator
from typing import Any

from connector_host import ApiError, AsyncCall, InvocationError, Item, url

REFUSED, FORBIDDEN = 400, 403
NOBODYS = {"routing_key": "0" * 32, "event_action": "resolve", "dedup_key": "connector-host-reaches-the-server"}
READ = {  # what one record of proves which right; the scopes are those of PagerDuty's OpenAPI document
    "incidents.read": "/incidents",
    "users.read": "/users",
    "services.read": "/services",
    "schedules.read": "/schedules",
    "escalation_policies.read": "/escalation_policies",
    "teams.read": "/teams",
    "oncalls.read": "/oncalls",
    "priorities.read": "/priorities",
}
KINDS = ("incidents", "users", "users:contact_methods", "services", "schedules", "escalation_policies", "teams")
EVERYTHING = [f"{kind}.{does}" for kind in KINDS for does in ("read", "write")]
EVERYTHING += ["oncalls.read", "priorities.read", "subscribers.write", "incident_workflows:instances.write"]
SET_UP = ("services.write", "schedules.write", "escalation_policies.write", "teams.write")
# The roles that hold for all objects and that no team and no object changes, as PagerDuty's page on advanced
# permissions says (its names in the API: the OpenAPI document, User.role). The others prove nothing by themselves.
ROLES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "owner": ("Account Owner, who may do everything", {"grants": EVERYTHING}),
    "admin": ("Global Admin, who may do everything", {"grants": EVERYTHING}),
    "read_only_user": ("Full Stakeholder, which reads only", {"denies": ["incidents.write", *SET_UP]}),
    "read_only_limited_user": ("Limited Stakeholder, which reads only", {"denies": ["incidents.write", *SET_UP]}),
}


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


async def rights(call: AsyncCall) -> AsyncIterator[Item]:
    """Tell of each kind of record whether it may be read, and whose the key is.

    Where something is refused, a role that may do everything does not prove the rest either.
    """
    found = {right: await _readable(call, right, path) for right, path in READ.items()}
    for right, one in found.items():
        yield Item(right, one)
    refused = any(isinstance(one, dict) and one["state"] == "refused" for one in found.values())
    yield Item("Role", await _role(call, believed=not refused))


async def _role(call: AsyncCall, *, believed: bool) -> Any:
    try:
        reply = await call.request("GET", "/users/me")
    except ApiError as error:
        if error.failure.http_status == REFUSED:
            return capability("Role", "accepted", "The key is the account's, which reveals no role.")
        return capability("Role", "not checked", f"GET /users/me is answered otherwise: {error.failure.message}")
    except InvocationError as error:
        return error
    user = reply.get("user") if isinstance(reply, dict) else None
    if not isinstance(user, dict):
        return capability("Role", "not checked", "GET /users/me is answered without a user.")
    role = str(user.get("role"))
    words, proved = ROLES.get(role, (f"{role}, whose rights differ by team and object", {}))
    told = f"The key is {user.get('name')}'s, with the role {words}."
    return capability("Role", "accepted", told, **(proved if believed or "denies" in proved else {}))


async def _readable(call: AsyncCall, right: str, path: str) -> Any:
    try:
        await call.request("GET", path, query={"limit": 1})
    except ApiError as error:
        if error.failure.http_status == FORBIDDEN:
            return capability(right, "refused", f"GET {path} is refused: {error.failure.message}", denies=[right])
        return capability(right, "not checked", f"GET {path} is answered otherwise: {error.failure.message}")
    except InvocationError as error:
        return error
    return capability(right, "accepted", f"GET {path} is answered.", grants=[right])


def capability(name: str, state: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return one line of the report."""
    return {"capability": name, "state": state, "detail": detail, **more}
