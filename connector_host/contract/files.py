"""Files that go into a command: kept in a spool of limited size until the command that takes them has run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SpooledFile:
    """A file in the spool, as a command gets it: its name, its media type, its size in bytes, where it lies."""

    name: str
    media_type: str
    size: int
    path: Path

    def read(self) -> bytes:
        """Return the whole content."""
        return self.path.read_bytes()

    def __str__(self) -> str:
        return self.name


class Spool(Protocol):
    """Keeps files."""

    def put(self, name: str, content: bytes, media_type: str = "") -> str:
        """Keep a file; returns what a parameter of format file takes. Raises BadSetting where it is too large."""

    def find(self, reference: str) -> SpooledFile | None:
        """Return a kept file, or None."""

    def remove(self, reference: str) -> None:
        """Forget a file; one that is not there is no error."""
