"""Runs a plugin's functions in processes of their own: ended at the deadline, started again with growing pauses."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from connector_host.builtin.runners.call import RunningCall, with_call
from connector_host.builtin.runners.messages import raised
from connector_host.builtin.runners.origins import Origins
from connector_host.builtin.runners.plugin_process import PluginProcess
from connector_host.builtin.runners.python import author_boundary
from connector_host.contract.errors import CommandBug, DeadlinePassed
from connector_host.contract.ports import Clock, Job, Surroundings

KEPT = 4  # idle processes of one plugin
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a process that died is started again; doubles
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


@dataclass(slots=True)
class _Crew:
    """The processes of one plugin: those at rest, how often one died in a row, and when the next may start."""

    idle: list[PluginProcess] = field(default_factory=list)
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

    async def _take(self, crew: _Crew, job: Job) -> PluginProcess:
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
            return PluginProcess(await anyio.open_process(command, env=environment, start_new_session=True))
        except OSError as error:
            raise CommandBug(
                f"The plugin's process can not be started ({error.strerror}).",
                assistance=f"Check 'environments: {{{job.manifest.id}: …}}' in the host manifest.",
            ) from error
