"""Changes the status of many incidents in few requests, and answers for each."""

from collections.abc import AsyncIterator, Sequence

from connector_host import ApiError, AsyncCall, DeadlinePassed, Failed, InvalidInput, InvocationError, Item

from .incidents import id_of
from .shapes import list_in, refusal_in

BATCH = 250  # PUT /incidents answers 413 beyond
SAMPLES = 4  # single ids that are tried where a refusal may be one of the whole request
ALREADY_RESOLVED = "1001"
ABOUT_THE_REQUESTER = frozenset({"1008", "2011", "2016"})
ABOUT_AN_ID = frozenset({"2100", "5001", ALREADY_RESOLVED})
NO_USE = frozenset({"unauthorized", "access_denied", "rate_limited", "gateway", "timeout", "unreachable"})


async def changed(call: AsyncCall, incident_ids: list[str], status: str, sender: str | None) -> AsyncIterator[Item]:
    """Give each incident the status, on behalf of `sender` or the connection's Default From."""
    sender = sender or call.connection.get("default_from")
    if sender is None and call.connection.get("key_belongs_to") != "user":
        raise InvalidInput(
            "From", "It is required, as the connection has no Default From.", "Example: admin@d3security.com"
        )
    ids = list(dict.fromkeys(incident_ids))
    change = Change(call, status, sender)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        async for item in change.untried(batch) if change.over else change.batch(batch):
            yield item


class Change:
    """One status for many incidents; once a failure says that no request can go well, none is sent any more."""

    def __init__(self, call: AsyncCall, status: str, sender: str | None) -> None:
        self.over: InvocationError | None = None
        self._call = call
        self._status = status
        self._sender = sender

    async def batch(self, ids: Sequence[str], *, halve: bool = False) -> AsyncIterator[Item]:
        """Change one batch; an update is all or nothing, so a refused one is halved until the bad ids stand alone.

        A refusal of the request as a whole would come for each half again: unless it is surely about an id, a few
        single ids show whether any passes.
        """
        try:
            told = await self._put(ids)
        except InvocationError as error:
            failure = error.failure
            self.over = error if failure.kind in NO_USE or failure.code in ABOUT_THE_REQUESTER else None
            if len(ids) == 1 or self.over is not None or not isinstance(error, ApiError) or failure.effect != "none":
                items = self._all(ids, error)
            elif halve or failure.code in ABOUT_AN_ID:
                items = self._halves(ids, halve=halve)
            else:
                items = self._sampled(ids)
            async for item in items:
                yield item
            return
        for one in ids:
            yield self._judged(one, told.get(one))

    async def untried(self, ids: Sequence[str]) -> AsyncIterator[Item]:
        """Answer for ids that are not asked for, because the request before went so wrong."""
        for one in ids:
            yield Item(one, _not_tried(self.over or DeadlinePassed()))

    async def _put(self, ids: Sequence[str]) -> dict[str, dict[str, object]]:
        body = {"incidents": [{"id": one, "type": "incident_reference", "status": self._status} for one in ids]}
        headers = {"From": self._sender} if self._sender else None
        answer = await self._call.request("PUT", "/incidents", headers=headers, json=body)
        return {id_of(incident): incident for incident in list_in(answer, "incidents", effect="unknown")}

    def _judged(self, one: str, told: dict[str, object] | None) -> Item:
        """Hold what the answer says about an incident against what was asked for."""
        if told is None:
            return Item(
                one, Failed("The answer does not name this incident.", kind="unexpected_reply", effect="unknown")
            )
        if refused := refusal_in(told):
            return Item(one, refused)
        if told.get("status") == self._status:
            return Item(one, told)
        state = f"is {told['status']}" if told.get("status") else "has no status"
        words = f"PagerDuty took the request, and says that the incident {state}."
        advice = "Look again later; PagerDuty handles changes in its own time."
        return Item(one, Failed(words, kind="not_confirmed", assistance=advice, effect="unknown"))

    async def _all(self, ids: Sequence[str], error: InvocationError) -> AsyncIterator[Item]:
        """Answer alike for all ids of a request; an incident that is resolved already is what was wanted."""
        sent = isinstance(error, ApiError) or error.failure.effect != "none"
        for one in ids:
            if error.failure.code == ALREADY_RESOLVED and self._status == "resolved":
                yield Item(one, {"id": one, "type": "incident_reference", "status": "resolved"})
            else:
                yield Item(one, error if sent else _not_tried(error))

    async def _halves(self, ids: Sequence[str], *, halve: bool) -> AsyncIterator[Item]:
        middle = (len(ids) + 1) // 2
        for half in filter(None, (ids[:middle], ids[middle:])):
            async for item in self.untried(half) if self.over else self.batch(half, halve=halve):
                yield item

    async def _sampled(self, ids: Sequence[str]) -> AsyncIterator[Item]:
        samples, errors, passed = _spread(ids), list[InvocationError](), False
        for one in samples:
            async for item in self.untried([one]) if self.over else self.batch([one]):
                yield item
                errors += [item.value] if isinstance(item.value, InvocationError) else []
                passed = passed or not isinstance(item.value, InvocationError)
        rest = [one for one in ids if one not in samples]
        alike = {(error.failure.code, error.failure.message, error.failure.detail) for error in errors}
        refused = not passed and all(isinstance(one, ApiError) and one.failure.effect == "none" for one in errors)
        if not rest:
            return
        items = self._all(rest, errors[0]) if refused and len(alike) == 1 else self._halves(rest, halve=True)
        async for item in items:
            yield item


def _not_tried(why: InvocationError) -> Failed:
    return Failed(f"It was not tried. {why}", kind=why.failure.kind, detail=why.failure.detail)


def _spread(ids: Sequence[str]) -> list[str]:
    """Return a few of the ids, from the first to the last."""
    return list(dict.fromkeys(ids[number * (len(ids) - 1) // (SAMPLES - 1)] for number in range(SAMPLES)))
