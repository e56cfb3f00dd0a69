"""What differs between two JSON values, path by path."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

_ID = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Z0-9]{6,}|[0-9a-f]{8}-[0-9a-f-]{27}|(?=.*[0-9])[0-9a-f]{16,}")
_PLAIN = re.compile(r"[A-Za-z_][\w-]*")
DEEPEST = 200


class Difference(Struct, frozen=True):
    """One place where two values differ: `kind` is added, removed or changed; `fleeting` is a time or an id alone."""

    path: str
    kind: str
    before: Any = None
    after: Any = None
    fleeting: bool = False


def differences(before: Any, after: Any, path: str = "$", depth: int = 0) -> Iterator[Difference]:
    """Return where two JSON values differ, in order; records with an `id` are compared by it, wherever they stand."""
    if before == after:
        return
    if depth < DEEPEST and isinstance(before, dict) and isinstance(after, dict):
        yield from _of_pairs(before, after, [f"{path}{step(str(key))}" for key in {**before, **after}], depth)
    elif depth < DEEPEST and isinstance(before, list) and isinstance(after, list):
        by_id = _have_ids(before) and _have_ids(after)
        one, two = _keyed(before, by_id=by_id), _keyed(after, by_id=by_id)
        yield from _of_pairs(one, two, [f"{path}[{'id ' if by_id else ''}{key}]" for key in {**one, **two}], depth)
    else:
        fleeting = type(before) is type(after) and isinstance(before, str) and _is_fleeting(before, after)
        yield Difference(path, "changed", before, after, fleeting)


def step(name: str) -> str:
    """Return a name as a step of a JSONPath."""
    quote = '"' if "'" in name else "'"
    return f".{name}" if _PLAIN.fullmatch(name) else f"[{quote}{name}{quote}]"


def _of_pairs(before: dict[Any, Any], after: dict[Any, Any], paths: list[str], depth: int) -> Iterator[Difference]:
    for path, key in zip(paths, {**before, **after}, strict=True):
        if key not in after:
            yield Difference(path, "removed", before[key])
        elif key not in before:
            yield Difference(path, "added", None, after[key])
        else:
            yield from differences(before[key], after[key], path, depth + 1)


def _have_ids(values: list[Any]) -> bool:
    """Whether each of a list's values has an id of its own."""
    ids = [value.get("id") if isinstance(value, dict) else None for value in values]
    return all(isinstance(one, str | int) for one in ids) and len(set(ids)) == len(ids)


def _keyed(values: list[Any], *, by_id: bool) -> dict[Any, Any]:
    """Return a list's values by their ids, or by their places."""
    return {value["id"]: value for value in values} if by_id else dict(enumerate(values))


def _is_fleeting(before: str, after: str) -> bool:
    return all(_is_time(one) for one in (before, after)) or all(bool(_ID.fullmatch(one)) for one in (before, after))


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
