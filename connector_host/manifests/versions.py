"""Versions of hosts and plugins, compared one way."""

import re

_PLAIN = re.compile(r"\d+(?:\.\d+){0,2}")


def compared(first: str, second: str) -> int:
    """Return -1, 0 or 1: the order of two versions, as Python orders them: a pre-release is before its release."""
    if _PLAIN.fullmatch(first) and _PLAIN.fullmatch(second):
        one, other = release_of(first), release_of(second)
        return (one > other) - (one < other)
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - most versions are plain numbers

    try:
        return (Version(first) > Version(second)) - (Version(first) < Version(second))
    except InvalidVersion:
        return (release_of(first) > release_of(second)) - (release_of(first) < release_of(second))


def release_of(version: str) -> tuple[int, int, int]:
    """Return the first three numbers of a version."""
    numbers = [int(part) for part in re.findall(r"\d+", version.partition("-")[0])]
    return tuple([*numbers, 0, 0, 0][:3])  # type: ignore[return-value]
