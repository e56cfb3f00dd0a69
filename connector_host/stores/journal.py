"""What programs begin, in files of their own beside the one whose lock says that they live.

A line is added when something begins, and one when it ended: a hundredth of what a transaction takes. A dead program's
files are read by the others. A file that grew is left for the next, and removed once all that began in it has ended.
"""

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from connector_host.stores.presence import Presence

LARGEST = 256 * 1024  # bytes of a file, from which the next one is begun
_BEGUN, _ENDED = b"+", b"-"


class _File(Struct, eq=False):
    """One of this program's files: open, its size, and how many that began in it have not ended."""

    path: Path
    descriptor: int
    size: int = 0
    under_way: int = 0


class Journal:
    """What this program began and did not end, and what those that died left; an id stands before each record."""

    def __init__(self, presence: Presence, *, power: bool) -> None:
        self._presence = presence
        self._power = power
        self._under_way: dict[str, _File] = {}
        self._file: _File | None = None
        self._number = 0

    def is_under_way(self, name: str) -> bool:
        """Whether this program began it, and did not end it yet."""
        return name in self._under_way

    def begin(self, name: str, record: bytes) -> None:
        """Write down, durably, what begins; `record` is one line. Raises OSError, and then nothing is written."""
        file = self._room()
        self._add(file, b"%b%b %b\n" % (_BEGUN, name.encode(), record))
        if self._power:
            os.fsync(file.descriptor)
        file.under_way += 1
        self._under_way[name] = file

    def end(self, names: Iterable[str]) -> None:
        """Write down what ended; a disk that is full is no reason to keep it: what is recorded elsewhere has ended."""
        for name in names:
            file = self._under_way.pop(name, None)
            if file is None:
                continue
            file.under_way -= 1
            if not file.under_way and file is not self._file:
                self._remove(file)
                continue
            with suppress(OSError):
                self._add(file, b"%b%b\n" % (_ENDED, name.encode()))

    def left(self) -> Mapping[str, Mapping[str, bytes]]:
        """Return what dead programs began and did not end, by program and id; files with nothing left are removed."""
        found: dict[str, dict[str, bytes]] = {}
        for path in sorted(self._presence.folder.glob("*.*")):
            program = path.name.partition(".")[0]
            if self._presence.is_alive(program):
                continue
            begun = _begun(path)
            found.setdefault(program, {}).update(begun)
            if not begun:
                path.unlink(missing_ok=True)
        return found

    def was_left(self, program: str, name: str) -> bool:
        """Whether a dead program began it, and nobody recorded it yet."""
        return any(name in _begun(path) for path in self._presence.folder.glob(f"{program}.*"))

    def forget(self, program: str) -> None:
        """Remove the files of a dead program, of which all is recorded."""
        for path in self._presence.folder.glob(f"{program}.*"):
            path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Be gone; what has not ended stays for others to read."""
        files = {id(file): file for file in (*self._under_way.values(), *([self._file] if self._file else []))}
        for file in files.values():
            if file.under_way:
                os.close(file.descriptor)
            else:
                self._remove(file)
        self._file = None
        self._under_way.clear()

    def _room(self) -> _File:
        """Return the file to write to; raises OSError where it was removed."""
        file = self._file
        if file is not None and file.size >= LARGEST and not file.under_way:
            os.ftruncate(file.descriptor, 0)
            file.size = 0
        if file is None or file.size >= LARGEST:
            path = self._presence.folder / f"{self._presence.claim()}.{self._number}"
            self._number += 1
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            file = self._file = _File(path, os.open(path, flags, 0o600))
        if not os.fstat(file.descriptor).st_nlink:
            raise FileNotFoundError(f"{file.path} was removed while it was in use")
        return file

    def _add(self, file: _File, line: bytes) -> None:
        written = 0
        try:
            written = os.write(file.descriptor, line)
        finally:
            if written < len(line):
                os.ftruncate(file.descriptor, file.size)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file.size += written

    def _remove(self, file: _File) -> None:
        os.close(file.descriptor)
        file.path.unlink(missing_ok=True)


def _begun(path: Path) -> dict[str, bytes]:
    """Return what began in a file and did not end; half a line, of a program that died over it, never began."""
    found: dict[str, bytes] = {}
    *lines, _ = path.read_bytes().split(b"\n")
    for line in lines:
        name, _, record = line[1:].partition(b" ")
        if line[:1] == _BEGUN:
            found[name.decode()] = record
        else:
            found.pop(name.decode(), None)
    return found
