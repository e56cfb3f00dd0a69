"""Runs a plugin's functions in processes of their own: ended at the deadline, started again with growing pauses."""

import os
import sys
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from msgspec import Struct, field

from connector_host.model.authoring import Item, Page
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import CommandBug, DeadlinePassed
from connector_host.model.manifest import Command, Manifest
from connector_host.ports.parts import Body, Clock, CommandOutput, OpenConnection, Surroundings
from connector_host.running.call import RunningCall, Servers, with_call
from connector_host.running.fanout import fan_out
from connector_host.running.isolated.process import Job, PluginProcess
from connector_host.running.python import author_boundary

KEPT = 4  # idle processes of one plugin
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a process that died is started again; doubles
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


class _Crew(Struct):
    """The processes of one plugin: those at rest, how often one died in a row, and when the next may start."""

    idle: list[PluginProcess] = field(default_factory=list)
    died: int = 0
    not_before: float = 0.0


class IsolatedRunner:
    """The runner of plugins with `isolation: process`; `environments` may name a Python of its own for each."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._clock: Clock = surroundings.clock
        self._environments: Mapping[str, Any] = surroundings.options("environments")
        self._crews: dict[str, _Crew] = {}

    def prepare(self, command: Command, opened: OpenConnection) -> Body:
        """Return what has a process call the function of the command's name."""
        servers = Servers(command, opened)

        async def body(invocation: Invocation, output: CommandOutput) -> None:
            job = Job(command, opened, invocation, output)
            await with_call(servers, invocation, output, lambda call: self._run(job, call))

        return body

    async def close(self) -> None:
        """End all processes."""
        for crew in self._crews.values():
            for worker in crew.idle:
                await worker.end()
        self._crews.clear()

    async def _run(self, job: Job, call: RunningCall) -> None:
        manifest = job.opened.manifest
        crew = self._crews.setdefault(manifest.id, _Crew())
        worker = await self._take(crew, manifest, job.invocation.deadline)
        whole = False
        try:
            await _work(worker, job, call)
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

    async def _take(self, crew: _Crew, manifest: Manifest, deadline: float) -> PluginProcess:
        while crew.idle:
            worker = crew.idle.pop()
            if worker.runs:
                return worker
            await worker.end()
        pause = crew.not_before - self._clock.monotonic()
        if pause > 0:
            if self._clock.monotonic() + pause >= deadline:
                raise DeadlinePassed(f"The plugin's process died, and is started again in {pause:.0f} seconds.")
            await self._clock.sleep(pause)
        python = str(self._environments.get(manifest.id, sys.executable))
        command = [python, "-P", "-m", "connector_host.running.isolated.worker", str(manifest.root), manifest.id]
        folder = TemporaryDirectory(prefix="connector-host-")
        try:
            process = await anyio.open_process(
                command, env=_environment(folder.name), cwd=folder.name, start_new_session=True
            )
            return PluginProcess(process, folder)
        except OSError as error:
            folder.cleanup()
            raise CommandBug(
                f"The plugin's process cannot be started ({error.strerror}).",
                assistance=f"Check 'environments: {{{manifest.id}: …}}' in the host manifest.",
            ) from error


def _environment(folder: str) -> dict[str, str]:
    """Return what a process sees of the host's environment."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if "PYTHONPATH" in environment:  # its folder is another than the host's
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, environment["PYTHONPATH"].split(os.pathsep)))
    return {**environment, "TMPDIR": folder, "HOME": folder}


async def _work(worker: PluginProcess, job: Job, call: RunningCall) -> None:
    """Have the command done; a fan-out element by element, so that the host knows what became of each."""
    manifest, command = job.opened.manifest, job.command

    async def one(element: Any) -> Item:
        made: list[Item | Page] = []
        with author_boundary(manifest.id, manifest.version, command.id):
            await worker.work(job, call, made.append, element=element)
            (item,) = made
            if not isinstance(item, Item):
                raise TypeError("the answer for one element is one item")
            return item

    async with worker.at_work():
        if command.each is not None:
            await fan_out(job.invocation.inputs[command.each], job.invocation.concurrency, job.output, one)
        else:
            with author_boundary(manifest.id, manifest.version, command.id):
                await worker.work(job, call, job.output.add)
