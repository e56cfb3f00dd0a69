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
SET_UP = ("services.write", "schedules.write", "escalation_policies.write", "teams.write")
# The roles that hold for all objects and that no team and no object changes, as PagerDuty's page on advanced
# permissions says (its names in the API: the OpenAPI document, User.role). The others prove nothing by themselves.
ROLES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "owner": ("Account Owner, who may do everything", {"grants": ["*"]}),
    "admin": ("Global Admin, who may do everything", {"grants": ["*"]}),
    "read_only_user": ("Full Stakeholder, who looks on", {"denies": ["incidents.write", *SET_UP]}),
    "read_only_limited_user": ("Limited Stakeholder, who looks on", {"denies": ["incidents.write", *SET_UP]}),
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
    """Tell whose the key is, and of each kind of record whether it may be read."""
    yield Item("Role", await _role(call))
    for right, path in READ.items():
        yield Item(right, await _readable(call, right, path))


async def _role(call: AsyncCall) -> Any:
    try:
        user = (await call.request("GET", "/users/me")).get("user", {})
    except ApiError as error:
        if error.failure.http_status == REFUSED:
            return capability("Role", "accepted", "The key is the account's, which reveals no role.")
        return error
    except InvocationError as error:
        return error
    role = str(user.get("role"))
    words, proved = ROLES.get(role, (f"{role}, whose rights differ by team and object", {}))
    return capability("Role", "accepted", f"The key is {user.get('name')}'s, with the role {words}.", **proved)


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
