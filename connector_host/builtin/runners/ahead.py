"""Fetches a list's next page while the page before it is being worked on."""

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from connector_host.contract.errors import InvocationError
from connector_host.contract.ports import Reply

Fetch = Callable[[], Awaitable[Reply]]


class Ahead:
    """Begins fetches that nobody waits for yet."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group

    def begin(self, fetch: Fetch) -> Fetch:
        """Begin now; the result waits for the fetch, and raises what it raised."""
        done = anyio.Event()
        outcome: list[Reply | InvocationError] = []

        async def go() -> None:
            try:
                outcome.append(await fetch())
            except InvocationError as error:
                outcome.append(error)
            done.set()

        async def wait() -> Reply:
            await done.wait()
            if isinstance(outcome[0], InvocationError):
                raise outcome[0]
            return outcome[0]

        self._group.start_soon(go)
        return wait


async def looking_ahead(work: Callable[[Ahead], Awaitable[None]]) -> None:
    """Do the work; fetches still under way when it ends are dropped."""
    failed: InvocationError | None = None
    async with anyio.create_task_group() as group:
        try:
            await work(Ahead(group))
        except InvocationError as error:
            failed = error
        group.cancel_scope.cancel()
    if failed is not None:
        raise failed
