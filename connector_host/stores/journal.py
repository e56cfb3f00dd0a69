"""What programs begin and end, in files of their own beside the one whose lock says that they live.

A line costs a tenth of a transaction, and waits for nobody; what ended is written into the database soon after, many
together. A dead program's files are read by the others. A file that grew is left for the next, and removed once all
that stands in it is done.
"""

import errno
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from connector_host.stores.presence import Presence

LARGEST = 1024 * 1024  # bytes of a file, from which the next one is begun
_BEGUN, _ENDED, _DONE = b"+", b"=", b"-"
_NAME = re.compile(r"[0-9a-f]{32}\.[0-9]{1,9}")


class _File(Struct, eq=False):
    """One of this program's files: open, its size, and how much of what stands in it is not done."""

    path: Path
    descriptor: int
    number: int | None
    size: int = 0
    open: int = 0


class Left(Struct, frozen=True):
    """What a dead program left, by id: what it began and did not end, and what ended and may not be recorded."""

    begun: Mapping[str, bytes]
    ended: Mapping[str, bytes]


class Journal:
    """What this program began and ended, and what those that died left; each text is one line."""

    def __init__(self, presence: Presence, *, power: bool) -> None:
        self._presence = presence
        self._power = power
        self._open: dict[str, _File] = {}
        self._file: _File | None = None
        self._number = 0

    def is_open(self, name: str) -> bool:
        """Whether this program began it, or ended it, and it is not done yet."""
        return name in self._open

    def begin(self, name: str, text: bytes) -> None:
        """Write down, durably, what begins; raises OSError, and then nothing is written."""
        self._add(_BEGUN, name, text)

    def end(self, name: str, text: bytes) -> None:
        """Write down, durably, what came of it, whether it was begun or not; raises OSError."""
        self._add(_ENDED, name, text)

    def done(self, names: Iterable[str]) -> None:
        """Forget what is recorded elsewhere, or need not be."""
        lines: dict[int, tuple[_File, list[bytes]]] = {}
        for name in names:
            file = self._open.pop(name, None)
            if file is not None:
                file.open -= 1
                lines.setdefault(file.descriptor, (file, []))[1].append(b"%b%b\n" % (_DONE, name.encode()))
        for file, said in lines.values():
            with suppress(OSError):  # what is recorded may stand here too: the database takes it once
                if not file.open and file is not self._file:
                    _remove(file)
                else:
                    _write(file, b"".join(said))

    def left(self) -> Mapping[str, Left]:
        """Return what dead programs left, by program."""
        return {name: self._left_by(name) for name in self._programs() if not self._presence.is_alive(name)}

    def own_ended(self) -> Mapping[str, bytes]:
        """Return what this program ended, and is not done."""
        return self._left_by(self._presence.id).ended

    def elsewhere(self) -> Mapping[str, bytes]:
        """Return what other programs ended, dead or alive, and may not be recorded yet."""
        return {name: text for one in self._programs() for name, text in self._left_by(one).ended.items()}

    def knows(self, name: str) -> bool:
        """Whether any program began it, or ended it, and it is not recorded yet."""
        return name in self._open or any(self.was_left(program, name) for program in self._programs())

    def _programs(self) -> list[str]:
        """Return the other programs that have files here."""
        return sorted({path.name.partition(".")[0] for path in self._files("*")} - {self._presence.id})

    def was_left(self, program: str, name: str) -> bool:
        """Whether something of a dead program is not recorded yet."""
        left = self._left_by(program)
        return name in left.begun or name in left.ended

    def forget(self, program: str) -> None:
        """Remove the files of a dead program, of which all is recorded."""
        for path in self._files(program):
            path.unlink(missing_ok=True)

    def _files(self, program: str) -> list[Path]:
        """Return a program's files, in their order."""
        found = [path for path in self._presence.folder.glob(f"{program}.*") if _NAME.fullmatch(path.name)]
        return sorted((path for path in found if path.is_file()), key=lambda path: int(path.suffix[1:]))

    def leave(self) -> None:
        """Be gone; what is not done stays for others to read."""
        files = {file.descriptor: file for file in (*self._open.values(), *([self._file] if self._file else []))}
        for file in files.values():
            if file.open:
                os.close(file.descriptor)
            else:
                _remove(file)
        self._file = None
        self._open.clear()

    def _left_by(self, program: str) -> Left:
        begun: dict[str, bytes] = {}
        ended: dict[str, bytes] = {}
        for path in self._files(program):
            for line in _lines(path):
                name, _, text = line[1:].partition(b" ")
                begun.pop(name.decode("latin-1"), None)
                ended.pop(name.decode("latin-1"), None)
                if line[:1] != _DONE:
                    (begun if line[:1] == _BEGUN else ended)[name.decode("latin-1")] = text
        return Left(begun, ended)

    def _add(self, kind: bytes, name: str, text: bytes) -> None:
        file = self._open.get(name) or self._room()
        if _number_of(file.path) != file.number:
            raise FileNotFoundError(f"{file.path} was removed or replaced while it was in use")
        line = b"%b%b %b\n" % (kind, name.encode(), text)
        if not _write(file, line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._power:
            os.fsync(file.descriptor)
        if name not in self._open:
            file.open += 1
            self._open[name] = file

    def _room(self) -> _File:
        """Return the file to write to."""
        file = self._file
        if file is not None and file.size >= LARGEST and not file.open:
            os.ftruncate(file.descriptor, 0)
            file.size = 0
        if file is None or file.size >= LARGEST:
            path = self._presence.folder / f"{self._presence.claim()}.{self._number}"
            self._number += 1
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            descriptor = os.open(path, flags, 0o600)
            file = self._file = _File(path, descriptor, os.fstat(descriptor).st_ino)
            if self._power:
                _sync_folder(path.parent)
        return file


def _write(file: _File, line: bytes) -> bool:
    """Add a line, all of it or nothing; whether there was room."""
    try:
        written = os.write(file.descriptor, line)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        written = 0
    if written < len(line):
        os.ftruncate(file.descriptor, file.size)
        return False
    file.size += written
    return True


def _number_of(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - a third of the time of Path.stat(), with each line
    except OSError:
        return None


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file; half a line was never written. Another program may have removed it."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except OSError:
        return []


def _sync_folder(folder: Path) -> None:
    """Wait for the disk to have a new file's name."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(file: _File) -> None:
    os.close(file.descriptor)
    file.path.unlink(missing_ok=True)
