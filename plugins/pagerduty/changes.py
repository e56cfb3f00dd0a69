"""Changes the status of many incidents in few requests, and answers for each."""

from collections.abc import AsyncIterator

from connector_host import ApiError, AsyncCall, Failed, InvalidInput, Item

from .incidents import id_of
from .shapes import list_in

BATCH = 250  # PUT /incidents answers 413 beyond
ALREADY_RESOLVED = "1001"
ABOUT_THE_REQUESTER = frozenset({"1008", "2011", "2016"})


async def changed(call: AsyncCall, incident_ids: list[str], status: str, sender: str | None) -> AsyncIterator[Item]:
    """Give each incident the status, on behalf of `sender` or the connection's Default From."""
    sender = sender or call.connection.get("default_from")
    if sender is None:
        raise InvalidInput(
            "From", "It is required, as the connection has no Default From.", "Example: admin@d3security.com"
        )
    ids = list(dict.fromkeys(incident_ids))
    for start in range(0, len(ids), BATCH):
        async for item in _batch(call, ids[start : start + BATCH], status, sender):
            yield item


async def _batch(call: AsyncCall, ids: list[str], status: str, sender: str) -> AsyncIterator[Item]:
    """Change one batch; the update is atomic, so a refused batch is halved until the bad ids stand alone."""
    body = {"incidents": [{"id": one, "type": "incident_reference", "status": status} for one in ids]}
    try:
        answer = await call.request("PUT", "/incidents", headers={"From": sender}, json=body)
    except ApiError as error:
        failure = error.failure
        about_an_id = failure.http_status in {400, 404} and failure.code not in ABOUT_THE_REQUESTER
        if len(ids) > 1 and about_an_id:
            middle = len(ids) // 2
            for half in (ids[:middle], ids[middle:]):
                async for item in _batch(call, half, status, sender):
                    yield item
        elif failure.code == ALREADY_RESOLVED and len(ids) == 1 and status == "resolved":
            yield Item(ids[0], {"id": ids[0], "type": "incident_reference", "status": "resolved"})
        else:
            for one in ids:
                yield Item(one, error)
        return
    told = {id_of(incident): incident for incident in list_in(answer, "incidents")}
    for one in ids:
        yield Item(one, told.get(one) or Failed("The answer does not name this incident.", kind="unexpected_reply"))
