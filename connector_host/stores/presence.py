"""Which programs are alive: each holds the lock of a file of its own, which the system takes back when it dies."""

import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

from connector_host.model.file_lock import FileLock

_PROGRAM = re.compile(r"[0-9a-f]{32}")


class Presence:
    """The file of this program among those of all that use the database; made when it is first needed.

    A process id says nothing: it is used again, and another container has its own.
    """

    def __init__(self, folder: Path) -> None:
        self.id = ""
        self.folder = folder
        self._lock: FileLock | None = None

    def claim(self) -> str:
        """Be there; return this program's id. Raises OSError."""
        if self._lock is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.id, self._lock = self._taken()
            os.register_at_fork(after_in_child=self._lock.release)  # the child is another program
        return self.id

    def _taken(self) -> tuple[str, FileLock]:
        """Make a file and lock it; another program that looks between the two takes it for a dead one's."""
        while True:
            name = uuid.uuid4().hex
            lock = FileLock(self.folder / name)
            if lock.acquire(wait=False) and lock.path.exists():
                return name, lock
            lock.release()

    def is_alive(self, program: str) -> bool:
        """Whether a program still runs."""
        if program == self.id:
            return True
        file = self.folder / program
        if not _PROGRAM.fullmatch(program) or not file.is_file():
            return False
        lock = FileLock(file)
        alive = not lock.acquire(wait=False)
        lock.release()
        return alive

    def dead(self) -> Sequence[str]:
        """Return the programs that ended without a word."""
        names = [file.name for file in self.folder.glob("*") if _PROGRAM.fullmatch(file.name) and file.is_file()]
        return [name for name in names if not self.is_alive(name)]

    def bury(self, programs: Sequence[str]) -> None:
        """Remove the files of programs that are dead, each under its lock: one may just be about to live."""
        for program in programs:
            lock = FileLock(self.folder / program)
            if lock.acquire(wait=False):
                lock.path.unlink(missing_ok=True)
            lock.release()

    def leave(self) -> None:
        """Be gone, in good order."""
        if self._lock is not None:
            self._lock.path.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None
