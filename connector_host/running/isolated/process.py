"""One process of a plugin, seen from the host: it is given one job at a time, and what it asks for is done here."""

import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import Struct
from msgspec.structs import replace

from connector_host.model.authoring import Item, Page, Upload
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import CommandBug, InvocationError
from connector_host.model.manifest import Command
from connector_host.ports.parts import CommandOutput, OpenConnection
from connector_host.running.call import RunningCall
from connector_host.running.isolated.answers import Answers
from connector_host.running.isolated.messages import decode_error, encode_error, item_of, line

log = logging.getLogger("connector_host.plugins")
LONGEST = 256 * 1024 * 1024  # bytes of one message
DYING_SECONDS = 1.0  # between the last word of a process and its end
Take = Callable[[Item | Page], None]


class Job(Struct, frozen=True, eq=False):
    """One command that a process is to run, and where what comes out of it goes."""

    command: Command
    opened: OpenConnection
    invocation: Invocation
    output: CommandOutput


class PluginProcess:
    """One process, doing jobs of one command: one, or several at a time for the elements of a fan-out."""

    def __init__(self, process: Process, folder: TemporaryDirectory[str]) -> None:
        assert process.stdin is not None  # noqa: S101 - all three are pipes
        assert process.stdout is not None  # noqa: S101 - the same
        assert process.stderr is not None  # noqa: S101 - the same
        self._process = process
        self._folder = folder
        self._in = process.stdin
        self._out = BufferedByteReceiveStream(process.stdout)
        self._errors = process.stderr
        self._jobs: dict[int, MemoryObjectSendStream[dict[str, Any]]] = {}
        self._count = 0
        self.died = False

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process.returncode is None

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Hear what the process says, for as long as it does jobs."""
        failed = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._hear)
            group.start_soon(self._log_errors)
            try:
                yield
            except InvocationError as error:  # raised by itself, not as one of a group
                failed = error
            group.cancel_scope.cancel()
        if failed is not None:
            raise failed

    async def work(self, job: Job, call: RunningCall, take: Take, **element: Any) -> None:
        """Have a job done, for one `element` where it is a part of a fan-out; raises what it failed with."""
        if self.died:
            raise await self._death()
        self._count += 1
        number = self._count
        self._jobs[number], inbox = anyio.create_memory_object_stream[dict[str, Any]]()
        answers = Answers(call)
        lent = Path(self._folder.name, str(number))
        try:
            async with anyio.create_task_group() as group, inbox:
                await self._send(start=await _with_files({**_start(job), **element, "job": number}, lent))
                async for message in inbox:
                    if "done" in message:
                        break
                    if "ask" in message:
                        group.start_soon(self._answer, message, answers)
                    else:
                        _told(message, job, call, take)
                else:
                    message = {"done": encode_error(await self._death())}
                group.cancel_scope.cancel()
        finally:
            self._jobs.pop(number).close()
            rmtree(lent, ignore_errors=True)
        if message["done"] is not None:
            raise decode_error(message["done"])

    async def _answer(self, question: dict[str, Any], answers: Answers) -> None:
        try:
            answer: dict[str, Any] = {"value": await answers.answer(question)}
        except InvocationError as error:
            answer = {"error": encode_error(error)}
        await self._send(number=question["number"], **answer)

    async def _hear(self) -> None:
        """Hand each message to its job, until the process ends, or says what is no message."""
        while (message := await self._message()) is not None:
            job = self._jobs.get(message["job"])
            if message.get("say") == "printed":
                log.warning("%s", message.get("text"))
            elif job is not None:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it ended just now
                    await job.send(message)
        self.died = True
        for job in self._jobs.values():
            job.close()

    async def _message(self) -> dict[str, Any] | None:
        try:
            message = json.loads(await self._out.receive_until(b"\n", LONGEST))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound, ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) and isinstance(message.get("job"), int) else None

    async def _death(self) -> CommandBug:
        """Return what is told of a process that ended, or that is ended because it does not make sense any more."""
        with anyio.move_on_after(DYING_SECONDS):
            await self._process.wait()
        code = self._process.returncode
        ended = "says what the host does not understand" if code is None else f"ended by itself (exit code {code})"
        return CommandBug(
            f"The plugin's process {ended}.",
            assistance="Report it to the plugin's author; the host's log holds what it said.",
        )

    async def _send(self, **message: Any) -> None:
        try:
            await self._in.send(line(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):  # OSError: some event loops say so
            self.died = True  # told by the next read

    async def _log_errors(self) -> None:
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
            self._folder.cleanup()

    def _kill(self) -> None:
        if not hasattr(os, "killpg"):
            self._process.kill()
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


_NUMBERS = count()
_OPENINGS: "WeakKeyDictionary[OpenConnection, str]" = WeakKeyDictionary()  # an address in memory comes again


def _start(job: Job) -> dict[str, Any]:
    return {
        "command": job.command.id,
        "each": job.command.each,
        "version": job.opened.manifest.version,
        "inputs": {name: value for name, value in job.invocation.inputs.items() if name != job.command.each},
        "connection": dict(job.opened.values),
        "connection_id": job.opened.id,
        "opening": _OPENINGS.setdefault(job.opened, str(next(_NUMBERS))),
        "concurrency": job.invocation.concurrency,
        "zones": dict(job.invocation.zones),
        "now": job.opened.clock.now().isoformat(),
    }


async def _with_files(start: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a job with its files copied to where the process may read them."""
    given = [*start["inputs"].values(), start.get("element")]
    if not any(isinstance(value, Upload) for value in given):
        return start
    return await anyio.to_thread.run_sync(_lent, start, folder)


def _lent(start: dict[str, Any], folder: Path) -> dict[str, Any]:
    numbers = count()

    def copied(value: Any) -> Any:
        if not isinstance(value, Upload):
            return value
        folder.mkdir(exist_ok=True)
        return replace(value, path=Path(copyfile(value.path, folder / str(next(numbers)))))

    inputs = {name: copied(value) for name, value in start["inputs"].items()}
    return {**start, "inputs": inputs, **({"element": copied(start["element"])} if "element" in start else {})}


def _told(message: dict[str, Any], job: Job, call: RunningCall, take: Take) -> None:
    said = message.get("say")
    if "item" in message:
        take(item_of(message["item"]))
    elif said == "note":
        call.note(message["text"])
    elif said == "settled":
        call.settled(happened=bool(message["happened"]))
    elif said == "conceal":
        call.conceal(message["text"])
    elif said == "stopped":
        call.stopped(message["reason"], complete=message["complete"], limited=message["limited"])
    else:
        job.output.progress(message["done"], message["total"])
