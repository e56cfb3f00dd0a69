"""Asks again until a field of the reply has a value, ends badly on another, and gives up in time."""

from typing import Any

from connector_host.builtin.runners.call import RunningCall
from connector_host.builtin.runners.orders import Order
from connector_host.contract.authoring import Failed
from connector_host.contract.model import Kind
from connector_host.contract.paths import ABSENT, compile_path
from connector_host.contract.requests import Poll


async def polled(call: RunningCall, order: Order, server: str, poll: Poll, first: Any) -> Any:
    """Return the reply whose field has the value; raises Failed where it ends badly, or not in time."""
    path, waited, reply = compile_path(poll.until), 0, first
    while True:
        if reply is None:
            reply = await call.send(order, server)
        value = path.first(reply)
        if value in poll.values:
            return reply
        shown = "absent" if value is ABSENT else f"'{value}'"
        if value in poll.fails:
            told = compile_path(poll.message).first(reply) if poll.message else ABSENT
            words = f"The product ended with {poll.until} {shown}." if told in (ABSENT, None, "") else str(told)
            raise Failed(words, kind=Kind.REJECTED)
        if waited + poll.every > poll.seconds:
            raise Failed(
                f"The request was accepted, not confirmed: after {waited} seconds {poll.until} is {shown}.",
                kind=Kind.NOT_CONFIRMED,
                assistance="Look again later; the product goes on in its own time.",
            )
        await call.sleep(poll.every)
        waited, reply = waited + poll.every, None
