"""Acknowledges and resolves alerts: through each key that may hold the alert, and seen to take effect where asked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NamedTuple

from connector_host import AsyncCall, Failed, InvocationError, Item

from .events import Event, send
from .integration_keys import integration_keys, names_for
from .verifying import Verification, not_seen


async def change_event(call: AsyncCall, event: Event, verify_seconds: int) -> AsyncIterator[Item]:
    """Send the event and, where asked, say whether its effect was seen: 202 is acceptance only."""
    verification = Verification(call, event.action, event.dedup_key)
    if verify_seconds:
        await verification.begin()
    accepted, key_names, refused = await _sent(call, event)
    if refused is not None:
        yield Item(event.dedup_key, refused)
    if not verify_seconds:
        call.note(
            "PagerDuty accepted the event; whether it had an open alert to change is not known. Use Verify to see."
        )
        yield Item(event.dedup_key, accepted)
        return
    missing: Failed | None
    try:
        missing = await verification.outcome(key_names, verify_seconds)
    except InvocationError as error:
        missing = not_seen(error)
    shown = {**accepted, "confirmed": missing is None}
    if missing is not None and missing.failure.kind == "not_found" and missing.failure.http_status is None:
        yield Item(event.dedup_key, shown, missing)
        return
    yield Item(event.dedup_key, shown)
    if missing is not None:
        yield Item(event.dedup_key, missing)


class Acceptance(NamedTuple):
    """What the keys that an event went through answered: the one to show, who took it, and the first refusal."""

    shown: dict[str, Any]
    key_names: list[str]
    refused: InvocationError | None


async def _sent(call: AsyncCall, event: Event) -> Acceptance:
    """Send an acknowledge or a resolve to each key that may hold its alert; raises where none takes it."""
    names, gone = names_for(call, event.key_name, event.dedup_key)
    for name in gone:
        call.note(f"This dedup key may have been triggered through the key '{name}', which the connection has no more.")
    answers: dict[str, dict[str, Any]] = {}
    refusals: dict[str, InvocationError] = {}
    for name in names:
        try:
            answers[name] = await send(call, replace(event, key_name=name))
        except InvocationError as error:
            refusals[name] = error
    if not answers:
        raise next(iter(refusals.values()))
    shown = dict(next(iter(answers.values())))
    if len(integration_keys(call)) > 1:
        words: dict[str, dict[str, Any]] = {
            name: {"status": "refused", "message": str(error)} for name, error in refusals.items()
        }
        words |= {name: {key: answer.get(key) for key in ("status", "message")} for name, answer in answers.items()}
        shown["integration_keys"] = [{"name": name, **words[name]} for name in names]
    if len(names) > 1:
        call.note(
            f"The event went through the keys {', '.join(names)}: its trigger may have gone through each of them."
        )
    return Acceptance(shown, list(answers), next(iter(refusals.values()), None))
