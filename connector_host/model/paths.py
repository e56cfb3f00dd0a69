"""JSONPath: compiled once, walked directly where the path is plain, by jsonpath-ng where it is not."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

__all__ = ["ABSENT", "Absent", "JsonPath", "PathSyntaxError", "compile_path", "steps_of"]


class Absent:
    """The type of `ABSENT`: nothing stood at the path (None is a value that stood there)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


class PathSyntaxError(ValueError):
    """The JSONPath cannot be parsed."""


_EACH: Final = object()
_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)|\['(?P<quoted>[^']*)'\]|\["(?P<double>[^"]*)"\]|\[(?P<index>\d+)\]|(?P<each>\[\*\]|\.\*)"""
)


class _PlainPath:
    """A path of names, indexes and `[*]` only."""

    __slots__ = ("_steps",)

    def __init__(self, steps: tuple[Any, ...]) -> None:
        self._steps = steps

    def find(self, document: Any) -> list[Any]:
        """Return all values at the path, in document order."""
        found = [document]
        for step in self._steps:
            if not found:
                break
            if step is _EACH:
                found = [child for value in found for child in _children(value)]
            else:
                found = [child for value in found if (child := _child(value, step)) is not ABSENT]
        return found

    def first(self, document: Any) -> Any:
        """Return the first value at the path, or ABSENT."""
        if _EACH in self._steps:
            return next(iter(self.find(document)), ABSENT)
        for step in self._steps:
            document = _child(document, step)
            if document is ABSENT:
                break
        return document


class _Name:
    """A path of one name, as most field mappings are."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def find(self, document: Any) -> list[Any]:
        value = self.first(document)
        return [] if value is ABSENT else [value]

    def first(self, document: Any) -> Any:
        return document.get(self._name, ABSENT) if isinstance(document, dict) else _child(document, self._name)


class _AnyPath:
    """Every other path (filters, slices, `..`), left to jsonpath-ng."""

    __slots__ = ("_parsed",)

    def __init__(self, parsed: Any) -> None:
        self._parsed = parsed

    def find(self, document: Any) -> list[Any]:
        return [match.value for match in self._parsed.find(document)]

    def first(self, document: Any) -> Any:
        return next(iter(self.find(document)), ABSENT)


JsonPath = _PlainPath | _Name | _AnyPath


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return value.values() if isinstance(value, dict) else ()


def _child(value: Any, step: Any) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else ABSENT
    # Roots such as a connection's settings are mappings, but not dictionaries.
    return value.get(step, ABSENT) if hasattr(value, "get") else ABSENT


@lru_cache(maxsize=4096)
def compile_path(text: str) -> JsonPath:
    """Compile `text`: `$`, `$.a.b`, `$.list[*].id`, or relative to a record as `.id`.

    Raises PathSyntaxError with the parser's own reason.
    """
    if not text.startswith(("$", ".")):
        raise PathSyntaxError(f"a JSONPath begins with '$' (or '.' in a field mapping), not {text[:1]!r}")
    rest = text.removeprefix("$")
    steps = _plain_steps(rest)
    if steps is None:
        return _AnyPath(_parse("$" + rest))
    return _Name(steps[0]) if len(steps) == 1 and isinstance(steps[0], str) else _PlainPath(steps)


def steps_of(text: str) -> tuple[str | int | None, ...] | None:
    """Return a plain path's steps, names, indexes and None for each `[*]`; None for a path that is not plain."""
    steps = _plain_steps(text.removeprefix("$"))
    return None if steps is None else tuple(None if step is _EACH else step for step in steps)


def _plain_steps(rest: str) -> tuple[Any, ...] | None:
    steps: list[Any] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            return None
        if match["each"]:
            steps.append(_EACH)
        elif match["index"]:
            steps.append(int(match["index"]))
        else:
            steps.append(next(filter(None, match.group("name", "quoted", "double")), ""))
        position = match.end()
    return tuple(steps)


def _parse(text: str) -> Any:
    from jsonpath_ng.exceptions import JSONPathError  # noqa: PLC0415 - 22 ms that plain paths never pay
    from jsonpath_ng.ext.parser import parse  # noqa: PLC0415 - the same

    try:
        return parse(text)
    except JSONPathError as error:
        raise PathSyntaxError(str(error)) from error
