"""Which programs are alive: each holds the lock of a file of its own, which the system takes back when it dies."""

import os
import uuid
from pathlib import Path

from connector_host.model.file_lock import FileLock


class Presence:
    """The file of this program among those of all that use the database; made when it is first needed.

    A process id says nothing: it is used again, and another container has its own.
    """

    def __init__(self, folder: Path) -> None:
        self.id = ""
        self.folder = folder
        self._lock: FileLock | None = None

    def claim(self) -> str:
        """Be there; return this program's id."""
        if self._lock is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._taken()
            os.register_at_fork(after_in_child=self._lock.release)  # the child is another program
        return self.id

    def _taken(self) -> FileLock:
        """Make the file and lock it; another program that looks between the two takes it for a dead one's."""
        while True:
            self.id = uuid.uuid4().hex
            lock = FileLock(self.folder / self.id)
            if lock.acquire(wait=False) and lock.path.exists():
                return lock
            lock.release()

    def is_alive(self, program: str) -> bool:
        """Whether a program still runs; the file of one that does not is removed."""
        if program == self.id:
            return True
        file = self.folder / program
        if not program.isalnum() or not file.exists():
            return False
        lock = FileLock(file)
        if not lock.acquire(wait=False):
            return True
        file.unlink(missing_ok=True)
        lock.release()
        return False

    def left_over(self) -> bool:
        """Whether a program ended without a word; the files of such are removed."""
        dead = [file.name for file in self.folder.glob("*") if file.name.isalnum() and not self.is_alive(file.name)]
        return bool(dead)

    def leave(self) -> None:
        """Be gone, in good order."""
        if self._lock is not None:
            self._lock.path.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None
