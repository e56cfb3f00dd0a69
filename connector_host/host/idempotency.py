"""Idempotency keys: a request that a program repeats, with the same key and inputs, is done once."""

import hashlib
import json
from typing import Any

from connector_host.host.core import Core
from connector_host.model.errors import KeyReused
from connector_host.model.history import HistoryRecord
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import DeadlinePassed
from connector_host.model.result import Result, result_of
from connector_host.model.stored import KeyUse

LOOK_SECONDS = 0.05  # between two looks at whether the first has ended


async def first_result(core: Core, invocation: Invocation, seconds: float) -> Result | None:
    """Return the result of the first invocation that was given this one's key; None where this is the first.

    While the first runs it is waited for, until this one's deadline, by default after `seconds`. A key is one tenant's
    and one user's, for one connection and command, for a day. Raises KeyReused where it was given with other inputs,
    and InvocationExists where the invocation's id is another's.
    """
    key = invocation.options.idempotency_key
    mine = KeyUse(invocation.id, _digest(invocation.inputs_text or "{}"), running=True)
    if key is None:
        if invocation.options.invocation_id is not None and not invocation.options.id_is_new:
            await core.store.idempotency.take_id(mine, core.clock.now().timestamp())
        return None
    until = core.clock.monotonic() + (invocation.options.deadline_seconds or seconds)
    while True:
        first = await core.store.idempotency.take(_scope(invocation), key, mine, core.clock.now().timestamp())
        if first is None:
            return None
        if first.digest != mine.digest:
            raise KeyReused
        record = await core.store.history.get(first.invocation_id)
        if record is not None:
            return _told(record)
        if not first.running:
            await core.history.sweep()
        if core.clock.monotonic() + LOOK_SECONDS > until:
            raise DeadlinePassed("The invocation that has this idempotency key has not ended yet.")
        await core.clock.sleep(LOOK_SECONDS)


def _told(record: HistoryRecord) -> Result:
    note = "This is the result of the first invocation with this idempotency key."
    document: dict[str, Any] = json.loads(record.result) if record.result else record.as_result()
    return result_of({**document, "notes": [*document["notes"], note]})


def _scope(invocation: Invocation) -> str:
    actor = invocation.actor
    who = [actor.kind, actor.id, actor.site, actor.tenant]
    return json.dumps([*who, invocation.stored.connection.id, invocation.command.id])


def _digest(inputs: str) -> str:
    return hashlib.sha256(inputs.encode("utf-8", "surrogatepass")).hexdigest()
