"""How far the audit reached, noted beside the database: a database that was cut, or put back, lacks its end."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from connector_host.model.audit import AuditHead

NOTED_SECONDS = 1.0  # at most once in so many seconds while it is open, and when it is closed


class AuditEnd:
    """A file that holds number and digest of the newest record; `told` hears of each note."""

    def __init__(self, file: Path, told: Callable[[AuditHead], None]) -> None:
        self._file = file
        self._lost = file.with_name(f"{file.name}.lost")
        self._told = told
        self._noted = -NOTED_SECONDS
        self._last: AuditHead | None = None

    @property
    def due(self) -> bool:
        """Whether it is time for another note."""
        return time.monotonic() - self._noted >= NOTED_SECONDS

    def read(self) -> AuditHead | None:
        """Return what was noted; None where nothing was, or what stands there is none."""
        return _heads(self._file)

    def lose(self, head: AuditHead) -> None:
        """Keep an end that the database did not have, until the operator removes the file."""
        with suppress(OSError), self._lost.open("a", encoding="ascii") as out:
            out.write(f"{head}\n")

    def lost(self) -> AuditHead | None:
        """Return the end that was lost last."""
        return _heads(self._lost)

    def note(self, head: AuditHead) -> None:
        """Write it down; a folder that cannot be written to is no reason to refuse work."""
        if head == self._last:
            return
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        try:
            fresh.write_text(f"{head}\n", "ascii")
            fresh.replace(self._file)
        except OSError:
            return
        self._noted, self._last = time.monotonic(), head
        self._told(head)


def _heads(file: Path) -> AuditHead | None:
    """Return the last head in a file."""
    try:
        number, _, digest = file.read_text("ascii").split()[-1].partition(":")
        return AuditHead(int(number), digest)
    except (OSError, ValueError, IndexError):
        return None
