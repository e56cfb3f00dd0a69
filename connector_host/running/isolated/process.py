"""One process of a plugin, seen from the host: it is given one job at a time, and what it asks for is done here."""

import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream
from msgspec import Struct

from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import CommandBug, InvocationError
from connector_host.model.manifest import Command
from connector_host.model.requests import Paging
from connector_host.ports.parts import CommandOutput, OpenConnection
from connector_host.running.call import RunningCall
from connector_host.running.isolated.messages import encode_error, item_of, line
from connector_host.running.paging import PagedListing

log = logging.getLogger("connector_host.plugins")
LONGEST = 256 * 1024 * 1024  # bytes of one message


class Job(Struct, frozen=True, eq=False):
    """One command that a process is to run, and where what comes out of it goes."""

    command: Command
    opened: OpenConnection
    invocation: Invocation
    output: CommandOutput


class PluginProcess:
    """One process, doing one job at a time."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None  # noqa: S101 - all three are pipes
        assert process.stdout is not None  # noqa: S101 - the same
        assert process.stderr is not None  # noqa: S101 - the same
        self._process = process
        self._in = process.stdin
        self._out = BufferedByteReceiveStream(process.stdout)
        self._errors = process.stderr
        self.died = False

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process.returncode is None

    async def work(self, job: Job, call: RunningCall) -> dict[str, Any] | None:
        """Have a job done; what the whole of it failed with, as facts."""
        listings: dict[int, Any] = {}
        outcome: list[dict[str, Any] | None] = []
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            await self._send(start=_start(job))
            while not outcome:
                message = await self._next()
                self._take(message, job, call, group, listings, outcome)
            group.cancel_scope.cancel()
        return outcome[0]

    def _take(
        self,
        message: dict[str, Any],
        job: Job,
        call: RunningCall,
        group: TaskGroup,
        listings: dict[int, Any],
        outcome: list[dict[str, Any] | None],
    ) -> None:
        if "say" in message:
            _said(message, job, call)
        elif "done" in message:
            outcome.append(message["done"])
        elif "item" in message:
            job.output.add(item_of(message["item"]))
        else:
            group.start_soon(self._answer, message, _Answers(call, listings))

    async def _answer(self, message: dict[str, Any], desk: "_Answers") -> None:
        try:
            answer: dict[str, Any] = {"value": await desk.answer(message)}
        except InvocationError as error:
            answer = {"error": encode_error(error)}
        await self._send(number=message["number"], **answer)

    async def _next(self) -> dict[str, Any]:
        try:
            message: dict[str, Any] = json.loads(await self._out.receive_until(b"\n", LONGEST))
        except (anyio.EndOfStream, anyio.IncompleteRead):
            self.died = True
            code = await self._process.wait() if self._process.returncode is None else self._process.returncode
            advice = "Report it to the plugin's author; the host's log holds what it said."
            return {
                "done": encode_error(
                    CommandBug(f"The plugin's process ended by itself (exit code {code}).", assistance=advice)
                )
            }
        return message

    async def _send(self, **message: Any) -> None:
        try:
            await self._in.send(line(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.died = True  # told by the next read

    async def _listen(self) -> None:
        """Log what comes on standard error, line by line."""
        stream = BufferedByteReceiveStream(self._errors)
        while True:
            try:
                log.warning("%s", (await stream.receive_until(b"\n", LONGEST)).decode("utf-8", "replace"))
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.ClosedResourceError):
                return

    async def end(self) -> None:
        """End the process, whatever it is doing, and what it started."""
        with anyio.CancelScope(shield=True):
            if self.runs or self.died:  # its number is still its own
                self._kill()
            await self._process.aclose()

    def _kill(self) -> None:
        if not hasattr(os, "killpg"):
            self._process.kill()
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _start(job: Job) -> dict[str, Any]:
    return {
        "command": job.command.id,
        "each": job.command.each,
        "version": job.opened.manifest.version,
        "inputs": dict(job.invocation.inputs),
        "connection": dict(job.opened.values),
        "connection_id": job.opened.id,
        "opening": str(id(job.opened)),
        "concurrency": job.invocation.concurrency,
        "now": job.opened.clock.now().isoformat(),
    }


def _said(message: dict[str, Any], job: Job, call: RunningCall) -> None:
    said = message["say"]
    if said == "note":
        call.note(message["text"])
    elif said == "conceal":
        call.conceal(message["text"])
    elif said == "printed":
        log.warning("%s", message["text"])
    elif said == "stopped":
        call.stopped(message["reason"], complete=message["complete"], limited=message["limited"])
    else:
        job.output.progress(message["done"], message["total"])


class _Answers:
    """Does for a process what it asks for, as the same call would do within the host."""

    def __init__(self, call: RunningCall, listings: dict[int, Any]) -> None:
        self._call = call
        self._listings = listings
        self._does: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "request": self._request,
            "pages": self._pages,
            "page": self._page,
            "sleep": self._sleep,
        }

    async def answer(self, message: dict[str, Any]) -> Any:
        """Do what is asked for; raises InvocationError."""
        return await self._does[message["ask"]](message)

    async def _request(self, message: dict[str, Any]) -> Any:
        return await self._call.request(message["method"], message["path"], **message["options"])

    async def _pages(self, message: dict[str, Any]) -> int:
        paging = Paging(**message["paging"]) if message["paging"] else None
        listing = self._call.pages(message["path"], message["collect"], paging=paging, **message["options"])
        self._listings[len(self._listings)] = listing, aiter(listing)
        return len(self._listings) - 1

    async def _page(self, message: dict[str, Any]) -> dict[str, Any]:
        listing, pages = self._listings[message["listing"]]
        page = await anext(pages, None)
        told_page = None if page is None else {"records": page.records, "texts": list(page.texts)}
        return {"page": told_page, "state": _state(listing)}

    async def _sleep(self, message: dict[str, Any]) -> None:
        await self._call.sleep(message["seconds"])


def _state(listing: PagedListing) -> list[Any]:
    return [listing.complete, listing.stopped_because, listing.window_full]
