"""What is wrong in a plugin: where, by which rule, why, and what to do about it."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How much a problem matters: with an error the host refuses the plugin; advice is for its author."""

    ERROR = "error"
    ADVICE = "advice"


class Fix(Struct, frozen=True):
    """A change that mends a problem: `length` characters at line and column (from 1) become `text`."""

    line: int
    column: int
    length: int
    text: str


class Problem(Struct, frozen=True):
    """One thing wrong: file, line and column (from 1), how many characters, the rule, its cause and what to do."""

    path: str
    line: int
    cause: str
    assistance: str = ""
    rule: str = "manifest"
    column: int = 1
    length: int = 1
    level: Level = Level.ERROR
    allowed: tuple[str, ...] = ()
    fix: Fix | None = None
    at: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.cause} {self.assistance}".rstrip() + f" [{self.rule}]"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems as a reader meets them, each once."""
    return sorted(dict.fromkeys(problems), key=lambda one: (one.path, one.line, one.column, one.rule))
