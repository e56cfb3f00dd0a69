"""Runs an author's functions: async ones on the event loop, plain ones in threads; a bug is one item's failure."""

import inspect
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import anyio.from_thread
import anyio.to_thread

from connector_host.builtin.runners.call import BlockingCall, RunningCall, with_call
from connector_host.builtin.runners.fanout import fan_out
from connector_host.builtin.runners.origins import Origins
from connector_host.builtin.runners.plain import plain_item
from connector_host.contract.authoring import Item, Page
from connector_host.contract.boundary import authors_code
from connector_host.contract.errors import CommandBug
from connector_host.contract.modules import plugin_module
from connector_host.contract.ports import Job, Surroundings

log = logging.getLogger("connector_host.plugins")


class PythonRunner:
    """The runner of commands whose logic is real."""

    def __init__(self, _surroundings: Surroundings) -> None:
        self._origins = Origins()

    async def run(self, job: Job) -> None:
        """Call the function of the command's name, once or once per element."""
        await with_call(job, self._origins, lambda call: run_function(job, call))

    async def close(self) -> None:
        """Nothing is kept."""


async def run_function(job: Job, call: RunningCall) -> None:
    """Run the author's function with a call."""
    with author_boundary(job):
        function = getattr(plugin_module(job.manifest, "commands"), job.command.id)
    if job.command.each is None:
        await _run_once(job, call, function)
    else:
        others = {name: value for name, value in job.inputs.items() if name != job.command.each}
        elements = job.inputs[job.command.each]
        await fan_out(job, elements, lambda item: _for_one(job, call, function, item, others))


async def _run_once(job: Job, call: RunningCall, function: Callable[..., Any]) -> None:
    with author_boundary(job):
        if inspect.isasyncgenfunction(function):
            async for item in function(call, **job.inputs):
                job.outcome.add(plain_item(item))
        elif inspect.iscoroutinefunction(function):
            job.outcome.add(plain_item(await function(call, **job.inputs)))
        else:
            await _in_thread(job, partial(_drain, job, function, BlockingCall(call), job.inputs))


async def _for_one(
    job: Job, call: RunningCall, function: Callable[..., Any], item: Any, others: Mapping[str, Any]
) -> Item:
    with author_boundary(job):
        if inspect.iscoroutinefunction(function):
            value = await function(call, item, **others)
        else:
            value = await _in_thread(job, partial(function, BlockingCall(call), item, **others))
        made = plain_item(value.value if isinstance(value, Item) else value)
    return Item(str(item), made if isinstance(made, Page) else made.value)


def _drain(job: Job, function: Callable[..., Any], call: BlockingCall, inputs: Mapping[str, Any]) -> None:
    """Run in the worker thread; each item is handed to the event loop as it comes."""
    made = function(call, **inputs)
    for item in made if isinstance(made, Iterator) else (made,):
        anyio.from_thread.run_sync(job.outcome.add, plain_item(item))


async def _in_thread(job: Job, work: Callable[[], Any]) -> Any:
    """Run in a thread; one that does not heed the deadline is left behind; the invocation ends without it."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(job.concurrency))


def author_boundary(job: Job) -> AbstractContextManager[None]:
    """Return the boundary: a bug in an author's code becomes a failure with a reference number."""

    def told(error: BaseException) -> CommandBug:
        reference = secrets.token_hex(4).upper()
        log.error("Reference %s: %s %s failed", reference, job.manifest.id, job.command.id, exc_info=error)
        return CommandBug(
            f"The command's own code failed (reference {reference}).",
            detail=f"{type(error).__name__} in plugin {job.manifest.id} {job.manifest.version}.",
            assistance="Report the reference number to the plugin's author; the host's log holds the details.",
            reference=reference,
        )

    return authors_code(told)
