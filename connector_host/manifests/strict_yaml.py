"""A strict YAML reader that remembers where everything stood.

Refused: tags, anchors and aliases, duplicate keys, several documents, keys that are not text, nesting deeper than
64 and files over one megabyte. Plain scalars are JSON's `true`, `false`, `null` and whole numbers; everything else
(`no`, `1.0`, `2024-01-01`) stays text.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, field

from connector_host.manifests.source_map import Document, Mark, Where
from connector_host.model.errors import ManifestError
from connector_host.model.failure import Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")


class _Open(Struct):
    """A collection that is still being read."""

    value: Any
    where: Where
    key: str | None = field(default=None)
    twice: bool = field(default=False)


def read_yaml(path: Path, *, shown_as: str | None = None) -> Document:
    """Read one file; raises ManifestError with file and line, every problem that the reader can find at once."""
    document = read_document(path, shown_as=shown_as)
    if document.problems:
        raise ManifestError(document.problems)
    return document


def read_document(path: Path, *, shown_as: str | None = None) -> Document:
    """Read one file, whatever can be read of it; its `problems` say what is refused in it.

    Raises ManifestError where nothing can be read.
    """
    name = shown_as or str(path)
    try:
        content = read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        cause = f"The file cannot be read ({error.strerror})."
        raise ManifestError([Problem(name, 1, cause, "Check path and rights.", "file")]) from error
    return parse_document(content, name)


def read_regular(path: Path, most: int) -> bytes:
    """Return at most so many bytes of a regular file; raises OSError, for a pipe or a device too, and never hangs."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(most)


def parse_yaml(content: bytes, name: str) -> Document:
    """Parse one document; raises ManifestError with file and line."""
    document = parse_document(content, name)
    if document.problems:
        raise ManifestError(document.problems)
    return document


def parse_document(content: bytes, name: str) -> Document:
    """Parse one document, whatever can be read of it; raises ManifestError where nothing can."""
    if len(content) > MAX_BYTES:
        cause = f"The file is larger than {MAX_BYTES} bytes."
        raise ManifestError([Problem(name, 1, cause, "Make it smaller.", "yaml-size")])
    try:
        text = content.decode("utf-8-sig")
        return _Builder(name, text).build(yaml.parse(text, Loader=_Loader))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(name, line, "The file is not UTF-8 text.", "Save it as UTF-8.", "yaml-encoding")
        raise ManifestError([problem]) from error
    except yaml.YAMLError as error:
        raise ManifestError([_syntax_problem(name, error)]) from error


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    begun = getattr(error, "context_mark", None) if "flow" in str(getattr(error, "context", "")) else None
    if begun is not None and mark is not None and begun.line < mark.line:
        mark, reason = begun, f"what begins here does not end: {reason} on line {mark.line + 1}"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    cause, advice = f"This is not YAML: {reason}.", "Check indentation, quotes and colons, here and on the line before."
    if "tab" in reason or "cannot start any token" in reason:
        advice = "Indent with spaces; text that begins with @, `, % or a tab needs quotes."
    return Problem(name, line, cause, advice, "yaml-syntax", column)


class _Builder:
    """Builds the value from libyaml's events on a stack of its own, so that depth cannot exhaust another."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._stack: list[_Open] = []
        self._document = Document(name, None, text=text)
        self._documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Document:
        for event in events:
            if self._documents < 2:  # noqa: PLR2004 - a second document is refused, and not read
                self._take(event)
        return self._document

    def _take(self, event: yaml.Event) -> None:
        self._refuse_the_unwanted(event)
        if isinstance(event, yaml.AliasEvent):
            self._place(None, event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open({}, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open([], event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._stack.pop()

    def _refuse_the_unwanted(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "yaml-anchor", "Anchors and aliases are not allowed.", "Write the value out.")
        tag = getattr(event, "tag", None)
        if tag:
            self._refuse(event, "yaml-tag", f"The tag {tag} is not allowed.", "Remove it.")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                cause = "The file holds more than one document."
                self._refuse(event, "yaml-documents", cause, "Remove the second '---'.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
        else:
            self._place(_resolve(event), event)

    def _key(self, top: _Open, event: yaml.ScalarEvent) -> None:
        top.key, top.twice = event.value, event.value in top.value
        if top.twice:
            first = self._document.keys[(*top.where, event.value)].line
            cause = f"The key '{event.value}' stands here twice (first on line {first}; that one counts)."
            self._refuse(event, "yaml-duplicate-key", cause, "Keep one of them.")
        else:
            self._document.keys[(*top.where, event.value)] = _mark(event)

    def _open(self, value: Any, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            problem = self._problem(event, "yaml-depth", f"The file nests deeper than {MAX_DEPTH}.", "Make it flatter.")
            raise ManifestError([*self._document.problems, problem])
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            raise ManifestError(
                [*self._document.problems, self._problem(event, "yaml-key", "A key must be text.", "Quote it.")]
            )
        where = self._place(value, event)
        if event.flow_style:
            self._document.flow.add(where)
        self._stack.append(_Open(value, where))

    def _place(self, value: Any, event: yaml.Event) -> Where:
        if not self._stack:
            if self._documents == 1:
                self._document.value = value
            return ()
        top = self._stack[-1]
        if isinstance(top.value, dict):
            where: Where = (*top.where, top.key or "")
            if top.twice:  # the first stands; what is below this one has no place
                where = (*top.where, f"{top.key} (again)")
            else:
                top.value[top.key] = value
            top.key, top.twice = None, False
        else:
            top.value.append(value)
            where = (*top.where, len(top.value) - 1)
        self._document.values[where] = _mark(event)
        return where

    def _refuse(self, event: yaml.Event, rule: str, cause: str, assistance: str) -> None:
        self._document.problems.append(self._problem(event, rule, cause, assistance))

    def _problem(self, event: yaml.Event, rule: str, cause: str, assistance: str) -> Problem:
        mark = _mark(event)
        return Problem(self._name, mark.line, cause, assistance, rule, mark.column, mark.length)


def _mark(event: yaml.Event) -> Mark:
    start, end = event.start_mark, event.end_mark
    if start is None:
        return Mark(1, 1, 1)
    length = end.column - start.column if end is not None and end.line == start.line else 1
    return Mark(start.line + 1, start.column + 1, max(length, 1))


def _resolve(event: yaml.ScalarEvent) -> Any:
    text = event.value
    if event.style is not None and event.style != "":
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _WHOLE.fullmatch(text) else text
