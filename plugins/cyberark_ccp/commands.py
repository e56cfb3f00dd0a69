"""The commands of CyberArk's Central Credential Provider.

Its web service: https://docs.cyberark.com/credential-providers/latest/en/content/ccp/calling-the-web-service-using-rest.htm
"""

from collections.abc import Mapping
from typing import Any

from connector_host import ApiError, AsyncCall, Failed, command, url

NO_SUCH_ACCOUNT = "APPAP004E"
BUSY = "True"


@command
async def fetch_credential(call: AsyncCall, path: str, field: str, reason: str) -> dict[str, Any]:
    """Read one property of one account."""
    account = await _account(call, {**query_of(path), "Reason": reason})
    if account.get(field) is None:
        known = ", ".join(sorted(name for name, value in account.items() if value is not None and name != "Content"))
        raise Failed(
            f"The account at '{path}' has no property '{field}'.",
            kind="not_found",
            detail=f"It has: Content, {known}.",
            assistance="Check the field; the password is 'Content'.",
        )
    if field == "Content" and account.get("PasswordChangeInProcess") == BUSY:
        call.note("The password is being changed right now; this one may not hold for long.")
    return {"value": account[field], "safe": account.get("Safe") or "", "object": account.get("Name") or ""}


@command
async def test_connection(call: AsyncCall) -> dict[str, Any]:
    """Look the test path up, or see whether the service knows the application."""
    path = call.connection.get("test_path")
    if path:
        await _account(call, query_of(path))
        return {"answers": True, "checked": path}
    try:
        await _account(call, {"Safe": "connector-host", "Object": "test-connection"})
    except ApiError as error:
        if error.failure.code != NO_SUCH_ACCOUNT:
            raise
    call.note("Only the service itself was checked; with a Test Path an account is looked up too.")
    return {"answers": True}


def query_of(path: str) -> dict[str, str]:
    """Return the query of a path: SAFE/OBJECT, SAFE/FOLDER/OBJECT, or the service's own Name=Value;Name=Value."""
    if "=" in path:
        return {"Query": path}
    parts = path.strip("/").split("/")
    if len(parts) < 2 or not all(parts):  # noqa: PLR2004 - a safe and an object
        raise Failed(
            f"'{path}' is no account's path.", kind="invalid_input", assistance="Write SAFE/OBJECT, as SOAR/pagerduty."
        )
    folder = {"Folder": "\\".join(parts[1:-1])} if parts[1:-1] else {}
    return {"Safe": parts[0], **folder, "Object": parts[-1]}


async def _account(call: AsyncCall, query: Mapping[str, str]) -> Mapping[str, Any]:
    path = url("/{}/api/Accounts", call.connection["web_service"])
    answer = await call.request("GET", path, server="ccp", query={"AppID": call.connection["app_id"], **query})
    if not isinstance(answer, Mapping):
        raise Failed("The answer is no account.", kind="unexpected_reply", assistance="Check the Server URL.")
    return answer
