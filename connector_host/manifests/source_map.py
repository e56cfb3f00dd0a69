"""A parsed file, and where each of its parts stands."""

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from connector_host.model.failure import Fix, Level, Problem

Where = tuple[str | int, ...]


class Mark(Struct, frozen=True):
    """A place in the text: line and column from 1, and how many characters on that line."""

    line: int
    column: int
    length: int
    file: str = ""  # where it is not the document's own


class Document(Struct):
    """A parsed file: its value, where each key and each value stands by its path of keys and indexes, its problems.

    `flow` names the collections written in braces or brackets.
    """

    file: str
    value: Any
    keys: dict[Where, Mark] = field(default_factory=dict)
    values: dict[Where, Mark] = field(default_factory=dict)
    flow: set[Where] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    text: str = ""
    texts: dict[str, str] = field(default_factory=dict)  # of the files that were taken in, by their names

    def take_in(self, other: "Document", where: Where) -> None:
        """Lay another file's value at a place, with where its parts stand and what is wrong with it."""
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            for part, mark in theirs.items():
                mine[(*where, *part)] = replace(mark, file=other.file)
        self.values.setdefault(where, Mark(1, 1, 1, other.file))
        self.keys.setdefault(where, Mark(1, 1, 1, other.file))
        self.flow |= {(*where, *part) for part in other.flow}
        self.problems += other.problems
        self.texts[other.file] = other.text
        parent = self.value
        for step in where[:-1]:
            parent = parent[step]
        parent[where[-1]] = other.value

    def line(self, where: Where) -> int:
        """Line of the part at `where`, or of the nearest part around it."""
        return self.mark(where).line

    def mark(self, where: Where, *, key: bool = False) -> Mark:
        """Place of the part at `where` (or of its key), or of the nearest part around it."""
        while where:
            value = self.values.get(where)
            name = self.keys.get(where)
            found = name if key or value is None or (name is not None and value.line != name.line) else value
            if found or value:
                return found or value or _TOP
            where = where[:-1]
        return _TOP

    def problem(
        self,
        where: Where,
        rule: str,
        cause: str,
        assistance: str = "",
        *,
        key: bool = False,
        level: Level = Level.ERROR,
        allowed: tuple[str, ...] = (),
        fix: str | None = None,
    ) -> Problem:
        """Return a problem at `where`: at its value, or with `key` at its key; `fix` is the text to stand there."""
        mark = self.mark(where, key=key)
        known = where in (self.keys if key else self.values)
        change = self._fix(mark, fix) if fix is not None and known else None
        return Problem(
            mark.file or self.file,
            mark.line,
            cause,
            assistance,
            rule,
            mark.column,
            mark.length,
            level,
            allowed,
            change,
            dotted(where),
        )

    def _fix(self, mark: Mark, text: str) -> Fix:
        """Return the change; what is quoted stays quoted."""
        text_of_file = self.texts.get(mark.file, self.text)
        line = text_of_file.splitlines()[mark.line - 1] if text_of_file else ""
        quote = line[mark.column - 1 : mark.column]
        quoted = f"{quote}{text}{quote}" if quote in {"'", '"'} and not text.startswith(quote) else text
        return Fix(mark.line, mark.column, mark.length, quoted)


_TOP = Mark(1, 1, 1)


def dotted(where: Where) -> str:
    """Return a place as people write it: commands.create_event.input.required[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")
