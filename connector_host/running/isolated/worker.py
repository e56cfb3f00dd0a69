"""A plugin's own process: runs the author's functions, and asks the host for all that goes outside.

Started as `python -m connector_host.running.isolated.worker FOLDER ID` in a temporary folder, to which it is confined;
messages come on standard input and go out on what was standard output. What the author prints and logs is told to the
host, which logs it without secrets. Where the host is gone, so is this process, with all that it started.
"""

import io
import json
import logging
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any, NoReturn

import anyio
from anyio.from_thread import BlockingPortal
from anyio.streams.memory import MemoryObjectSendStream
from msgspec.structs import asdict

from connector_host.model.authoring import Item, Listing, Page
from connector_host.model.invocation_errors import InvocationError
from connector_host.ports.parts import ShieldedValues
from connector_host.running.isolated.confinement import confine
from connector_host.running.isolated.messages import decode_error, encode_error, item_told, line, with_files
from connector_host.running.python import FunctionRun, author_boundary, function_of, run_for_one, run_function

JOB: ContextVar[int] = ContextVar("which of the host's jobs is done", default=0)


class Printed(io.TextIOBase):
    """What the author prints and logs: told to the host, line by line."""

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self._begun = ""

    def write(self, text: str) -> int:
        """Take text."""
        *lines, self._begun = f"{self._begun}{text}".split("\n")
        for one in lines:
            self._wire.tell(say="printed", text=one)
        return len(text)


class Wire:
    """The way to the host and back; questions are answered by number, and each message says whose job it is of."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        self._lock = Lock()
        self._asked: dict[int, tuple[anyio.Event, list[dict[str, Any]]]] = {}
        self._count = 0

    def tell(self, **message: Any) -> None:
        """Send a message."""
        content = line({**message, "job": JOB.get()})
        with self._lock:
            self._out.write(content)
            self._out.flush()

    def heard(self) -> dict[str, Any]:
        """Wait for a message; does not return where the host is gone."""
        content = self._in.readline()
        if not content:
            _end()
        message: dict[str, Any] = json.loads(content)
        return message

    async def ask(self, what: str, **facts: Any) -> Any:
        """Ask the host, and wait for its answer; raises what it raised there."""
        self._count += 1
        number, event, answer = self._count, anyio.Event(), list[dict[str, Any]]()
        self._asked[number] = event, answer
        self.tell(ask=what, number=number, **facts)
        await event.wait()
        if "error" in answer[0]:
            raise decode_error(answer[0]["error"])
        return answer[0].get("value")

    def answered(self, message: dict[str, Any]) -> None:
        """Take an answer."""
        event, answer = self._asked.pop(message["number"])
        answer.append(message)
        event.set()


class RemoteListing(Listing):
    """A list that the host reads."""

    def __init__(self, wire: Wire, facts: dict[str, Any]) -> None:
        super().__init__()
        self._wire = wire
        self._facts = facts

    async def __aiter__(self) -> AsyncIterator[Page]:
        number = await self._wire.ask("pages", **self._facts)
        while True:
            answer = await self._wire.ask("page", listing=number)
            self.complete, self.stopped_because, self.window_full = answer["state"]
            if answer["page"] is None:
                return
            yield Page(answer["page"]["records"], answer["page"]["texts"])


class RemoteCall:
    """AsyncCall, as an author sees it; the host does what it asks for."""

    def __init__(self, wire: Wire, start: dict[str, Any], memory: dict[str, Any]) -> None:
        self.connection: Mapping[str, Any] = ShieldedValues(start["connection"])
        self.memory = memory
        self.zones: Mapping[str, str] = start["zones"]
        self._wire = wire
        self._ahead = datetime.fromisoformat(start["now"]) - datetime.now(UTC)

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """As AsyncCall.request."""
        return await self._wire.ask("request", method=method, path=path, options=options)

    def pages(self, path: str, collect: str, **options: Any) -> RemoteListing:
        """As AsyncCall.pages."""
        paging = options.pop("paging", None)
        told_paging = asdict(paging) if paging else None
        return RemoteListing(self._wire, {"path": path, "collect": collect, "options": options, "paging": told_paging})

    def stopped(self, reason: str | None, *, complete: bool, limited: bool = False) -> None:
        """As AsyncCall.stopped."""
        self._wire.tell(say="stopped", reason=reason, complete=complete, limited=limited)

    def settled(self, *, happened: bool) -> None:
        """As AsyncCall.settled."""
        self._wire.tell(say="settled", happened=happened)

    def note(self, text: str) -> None:
        """As AsyncCall.note."""
        self._wire.tell(say="note", text=text)

    def conceal(self, secret: str) -> None:
        """As AsyncCall.conceal."""
        self._wire.tell(say="conceal", text=secret)

    def now(self) -> datetime:
        """As AsyncCall.now."""
        return datetime.now(UTC) + self._ahead

    async def sleep(self, seconds: float) -> None:
        """As AsyncCall.sleep."""
        await self._wire.ask("sleep", seconds=seconds)


class RemoteOutput:
    """Where items go: to the host."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def add(self, item: Item | Page) -> None:
        """Send one item, or one page."""
        self._wire.tell(item=item_told(item))

    def progress(self, done: int, total: int | None) -> None:
        """Send how far the command has come."""
        self._wire.tell(say="progress", done=done, total=total)


async def serve(folder: Path, plugin: str, wire: Wire) -> None:
    """Run one command after the other, for as long as the host is there."""
    memories: dict[str, tuple[str, dict[str, Any]]] = {}
    heard, messages = anyio.create_memory_object_stream[dict[str, Any]](math.inf)
    async with BlockingPortal() as portal, anyio.create_task_group() as group:
        Thread(target=_listen, args=(wire, portal, heard), daemon=True).start()
        async for message in messages:
            if "start" not in message:
                wire.answered(message)
                continue
            start = message["start"]
            known, memory = memories.get(start["connection_id"], ("", {}))
            memory = memory if known == start["opening"] else {}
            memories[start["connection_id"]] = start["opening"], memory
            group.start_soon(_run, wire, folder, plugin, start, memory)


def _listen(wire: Wire, portal: BlockingPortal, heard: MemoryObjectSendStream[dict[str, Any]]) -> None:
    """Pass on what the host says; does not wait for the event loop, which the author's code may hold up."""
    while True:
        portal.start_task_soon(heard.send_nowait, wire.heard())


def _end() -> NoReturn:
    rmtree(Path.cwd(), ignore_errors=True)  # the host cannot any more
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


async def _run(wire: Wire, folder: Path, plugin: str, start: dict[str, Any], memory: dict[str, Any]) -> None:
    JOB.set(start["job"])
    command, version, inputs = start["command"], start["version"], with_files(start["inputs"])
    output: Any = RemoteOutput(wire)
    run = FunctionRun(plugin, version, command, start["each"], inputs, start["concurrency"], output)
    call = RemoteCall(wire, start, memory)
    try:
        with author_boundary(plugin, version, command):
            function = function_of(SimpleNamespace(id=plugin, root=folder), command)
        if "element" in start:
            output.add(await run_for_one(run, function, call, with_files(start["element"])))
        else:
            await run_function(run, function, call)
    except InvocationError as error:
        wire.tell(done=encode_error(error))
    else:
        wire.tell(done=None)


def main() -> None:
    """Keep the way to the host apart; the author gets an empty standard input, and standard error to print to."""
    confine(Path(sys.argv[1]), Path.cwd())
    wire = Wire()
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    printed: Any = Printed(wire)
    sys.stdout = printed
    logging.basicConfig(stream=printed, format="%(message)s", level=logging.WARNING)
    anyio.run(serve, Path(sys.argv[1]), sys.argv[2], wire)


if __name__ == "__main__":
    main()
