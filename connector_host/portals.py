"""An event loop in a thread of its own, for programs that have none."""

import threading
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial

import anyio
from anyio.from_thread import BlockingPortal

from connector_host.model.boundary import outcome


def portal_to_a_loop(closing: ExitStack) -> BlockingPortal:
    """Return the way to an event loop in a thread, which ends with `closing`.

    It is no thread of an executor: those are waited for before anything registered with atexit runs.
    """
    ready: Future[BlockingPortal] = Future()

    def run() -> None:
        error = outcome(partial(anyio.run, _stay, ready))[1]
        if error is not None and not ready.done():
            ready.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    portal = ready.result()
    closing.callback(thread.join)
    closing.callback(portal.call, partial(portal.stop, cancel_remaining=True))
    return portal


async def _stay(ready: Future[BlockingPortal]) -> None:
    async with BlockingPortal() as portal:
        ready.set_result(portal)
        await portal.sleep_until_stopped()
