"""The command of urlscan.io that has to wait and to decide: a scan, its verdict, and what it comes to."""

from typing import Any

from connector_host import ApiError, AsyncCall, Failed, command, url

NOT_YET = 404
PAUSE = 5


@command
async def scan_urls(
    call: AsyncCall, item: str, visibility: str = "private", wait_seconds: int = 120
) -> dict[str, Any] | Failed:
    """Scan one URL, and sum its verdict up."""
    asked = {"url": item, "visibility": visibility}
    submitted = await call.request("POST", "/api/v1/scan/", json=asked)
    scan = submitted.get("uuid") if isinstance(submitted, dict) else None
    if not isinstance(scan, str):
        return Failed("The answer to the submission has no scan's id.", kind="unexpected_reply", http_status=200)
    found = await _result(call, scan, wait_seconds)
    if found is None:
        return Failed(
            f"The scan is not finished after {wait_seconds} seconds.",
            kind="not_confirmed",
            assistance=f"Run Get Result later, with the Scan ID {scan}.",
        )
    overall = _part(found, "verdicts", "overall")
    return {
        "url": item,
        "uuid": scan,
        "malicious": overall.get("malicious") is True,
        "score": int(overall.get("score") or 0),
        "domains": [one for one in _part(found, "lists").get("domains") or [] if isinstance(one, str)],
        "result": f"https://urlscan.io/result/{scan}/",
    }


async def _result(call: AsyncCall, scan: str, seconds: int) -> Any:
    """Return the result as soon as it is there: until then urlscan.io answers 404; None where it does not come."""
    for _ in range(max(1, seconds // PAUSE)):
        await call.sleep(PAUSE)
        try:
            return await call.request("GET", url("/api/v1/result/{}/", scan))
        except ApiError as error:
            if error.failure.http_status != NOT_YET:
                raise
    return None


def _part(value: Any, *names: str) -> dict[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
