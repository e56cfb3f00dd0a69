"""Runs a plugin's functions in processes of their own: ended at the deadline, started again with growing pauses."""

import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from connector_host.builtin.runners.call import RunningCall, with_call
from connector_host.builtin.runners.messages import item_of, line, raised, told
from connector_host.builtin.runners.origins import Origins
from connector_host.builtin.runners.paging import PagedListing
from connector_host.builtin.runners.python import author_boundary
from connector_host.contract.errors import CommandBug, DeadlinePassed, InvocationError
from connector_host.contract.ports import Clock, Job, Surroundings
from connector_host.contract.requests import Paging

log = logging.getLogger("connector_host.plugins")
LONGEST = 256 * 1024 * 1024
KEPT = 4  # idle processes of one plugin
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a process that died is started again; doubles
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


@dataclass(slots=True)
class _Crew:
    """The processes of one plugin: those at rest, how often one died in a row, and when the next may start."""

    idle: list["_Worker"] = field(default_factory=list)
    died: int = 0
    not_before: float = 0.0


class IsolatedRunner:
    """The runner of plugins with `isolation: process`; `environments` may name a Python of its own for each."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._origins = Origins()
        self._clock: Clock = surroundings.clock
        self._environments: Mapping[str, Any] = surroundings.options("environments")
        self._crews: dict[str, _Crew] = {}

    async def run(self, job: Job) -> None:
        """Have a process call the function of the command's name."""
        await with_call(job, self._origins, lambda call: self._run(job, call))

    async def close(self) -> None:
        """End all processes."""
        for crew in self._crews.values():
            for worker in crew.idle:
                await worker.end()
        self._crews.clear()

    async def _run(self, job: Job, call: RunningCall) -> None:
        crew = self._crews.setdefault(job.manifest.id, _Crew())
        worker = await self._take(crew, job)
        whole, failed = False, None
        try:
            with author_boundary(job):
                failed = await worker.work(job, call)
            whole = not worker.died
        finally:
            if whole and len(crew.idle) < KEPT:
                crew.died = 0
                crew.idle.append(worker)
            else:
                await worker.end()
                if worker.died:
                    pause = min(FIRST_PAUSE * 2**crew.died, LONGEST_PAUSE)
                    crew.died, crew.not_before = crew.died + 1, self._clock.monotonic() + pause
        if failed is not None:
            raise raised(failed)

    async def _take(self, crew: _Crew, job: Job) -> "_Worker":
        while crew.idle:
            worker = crew.idle.pop()
            if worker.runs:
                return worker
            await worker.end()
        pause = crew.not_before - self._clock.monotonic()
        if pause > 0:
            if self._clock.monotonic() + pause >= job.deadline:
                raise DeadlinePassed(f"The plugin's process died, and is started again in {pause:.0f} seconds.")
            await self._clock.sleep(pause)
        python = str(self._environments.get(job.manifest.id, sys.executable))
        command = [python, "-m", "connector_host.builtin.runners.worker", str(job.manifest.root), job.manifest.id]
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            return _Worker(await anyio.open_process(command, env=environment, start_new_session=True))
        except OSError as error:
            raise CommandBug(
                f"The plugin's process can not be started ({error.strerror}).",
                assistance=f"Check 'environments: {{{job.manifest.id}: …}}' in the host manifest.",
            ) from error


class _Worker:
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
            job.outcome.add(item_of(message["item"]))
        else:
            group.start_soon(self._answer, message, _Desk(call, listings))

    async def _answer(self, message: dict[str, Any], desk: "_Desk") -> None:
        try:
            answer: dict[str, Any] = {"value": await desk.answer(message)}
        except InvocationError as error:
            answer = {"error": told(error)}
        await self._send(number=message["number"], **answer)

    async def _next(self) -> dict[str, Any]:
        try:
            message: dict[str, Any] = json.loads(await self._out.receive_until(b"\n", LONGEST))
        except (anyio.EndOfStream, anyio.IncompleteRead):
            self.died = True
            code = await self._process.wait() if self._process.returncode is None else self._process.returncode
            advice = "Report it to the plugin's author; the host's log holds what it said."
            return {
                "done": told(CommandBug(f"The plugin's process ended by itself (exit code {code}).", assistance=advice))
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
        "version": job.manifest.version,
        "inputs": dict(job.inputs),
        "connection": dict(job.opened.values),
        "connection_id": job.opened.id,
        "opening": str(id(job.opened)),
        "concurrency": job.concurrency,
        "now": job.clock.now().isoformat(),
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
        call.stopped(message["reason"], complete=message["complete"])
    else:
        job.outcome.progress(message["done"], message["total"])


class _Desk:
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
        told_page = None if page is None else {"records": page.records, "texts": page.texts}
        return {"page": told_page, "state": _state(listing)}

    async def _sleep(self, message: dict[str, Any]) -> None:
        await self._call.sleep(message["seconds"])


def _state(listing: PagedListing) -> list[Any]:
    return [listing.complete, listing.stopped_because, listing.window_full]
