"""A strict YAML reader that remembers where everything stood.

Refused: tags, anchors and aliases, duplicate keys, several documents, keys that are not text, nesting deeper than
64 and files over one megabyte. Plain scalars are JSON's `true`, `false`, `null` and whole numbers; everything else
(`no`, `1.0`, `2024-01-01`) stays text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from connector_host.contract.errors import ManifestError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its value, and the line (from 1) of each part by its path of keys and indexes."""

    file: str
    value: Any
    lines: dict[Where, int]

    def line(self, where: Where) -> int:
        """Line of the part at `where`, or of the nearest part around it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def problem(self, where: Where, what: str, mend: str = "") -> Problem:
        """Return a problem at `where`."""
        return Problem(self.file, self.line(where), what, mend)


@dataclass(slots=True)
class _Open:
    """A collection that is still being read."""

    value: Any
    where: Where
    key: str | None = field(default=None)


def read_yaml(path: Path, *, shown_as: str | None = None) -> Document:
    """Read one file; raises ManifestError with file and line."""
    name = shown_as or str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ManifestError(
            [Problem(name, 1, f"The file can not be read ({error.strerror}).", "Check path and rights.")]
        ) from error
    return parse_yaml(content, name)


def parse_yaml(content: bytes, name: str) -> Document:
    """Parse one document; raises ManifestError with file and line."""
    if len(content) > MAX_BYTES:
        raise ManifestError([Problem(name, 1, f"The file is larger than {MAX_BYTES} bytes.", "Make it smaller.")])
    try:
        text = content.decode("utf-8-sig")
        return _Builder(name).build(yaml.parse(text, Loader=_Loader))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ManifestError([Problem(name, line, "The file is not UTF-8 text.", "Save it as UTF-8.")]) from error
    except yaml.YAMLError as error:
        raise ManifestError([_syntax_problem(name, error)]) from error


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else 1
    return Problem(name, line, f"This is not YAML: {reason}.", "Check indentation, quotes and colons.")


class _Builder:
    """Builds the value from libyaml's events on a stack of its own, so that depth can not exhaust another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack: list[_Open] = []
        self._lines: dict[Where, int] = {}
        self._root: Any = None
        self._documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Document:
        for event in events:
            self._take(event)
        return Document(self._name, self._root, self._lines)

    def _take(self, event: yaml.Event) -> None:
        self._refuse_the_unwanted(event)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open({}, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open([], event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._stack.pop()

    def _refuse_the_unwanted(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "Anchors and aliases are not allowed.", "Write the value out.")
        tag = getattr(event, "tag", None)
        if tag:
            self._refuse(event, f"The tag {tag} is not allowed.", "Remove it.")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "The file holds more than one document.", "Remove the second '---'.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
        else:
            self._place(_resolve(event), event)

    def _key(self, top: _Open, event: yaml.ScalarEvent) -> None:
        if event.value in top.value:
            self._refuse(event, f"The key '{event.value}' stands here twice.", "Keep one of them.")
        top.key = event.value
        self._lines[(*top.where, event.value)] = _line(event)

    def _open(self, value: Any, event: yaml.Event) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(event, f"The file nests deeper than {MAX_DEPTH}.", "Make it flatter.")
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._refuse(event, "A key must be text.", "Quote it.")
        self._stack.append(_Open(value, self._place(value, event)))

    def _place(self, value: Any, event: yaml.Event) -> Where:
        if not self._stack:
            self._root = value
            return ()
        top = self._stack[-1]
        if isinstance(top.value, dict):
            where: Where = (*top.where, top.key or "")
            top.value[top.key], top.key = value, None
            return where
        top.value.append(value)
        where = (*top.where, len(top.value) - 1)
        self._lines[where] = _line(event)
        return where

    def _refuse(self, event: yaml.Event, what: str, mend: str) -> None:
        raise ManifestError([Problem(self._name, _line(event), what, mend)])


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _resolve(event: yaml.ScalarEvent) -> Any:
    text = event.value
    if event.style is not None and event.style != "":
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _WHOLE.fullmatch(text) else text
