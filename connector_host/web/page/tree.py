"""Raw data as a tree: two levels and fifty children at once, deeper branches when they are opened; each has a path."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from connector_host.model.differences import step
from connector_host.web.page.views import cell

CHILDREN, LEVELS = 50, 2
NODES, LONGEST = 2000, 500  # of a tree at once; characters of a path


class Node(Struct, frozen=True):
    """One value: what stands before it, its path, how it is shown, and its children, where they are shown at once.

    `more` is from which child on the rest is fetched when somebody asks; None where there is no more.
    """

    label: str
    path: str
    shown: str
    size: int = 0
    children: tuple["Node", ...] = ()
    more: int | None = None


def tree_of(value: Any, path: str, *, first: int = 0, levels: int = LEVELS) -> Node:
    """Return a value's tree, from its child number `first` on."""
    return _node("", path, value, levels, first)


def _node(label: str, path: str, value: Any, levels: int, first: int = 0, budget: list[int] | None = None) -> Node:
    budget = [NODES] if budget is None else budget
    budget[0] -= 1
    label, path = cell(label), path if len(path) <= LONGEST else ""  # what is that long is copied by nobody
    if not isinstance(value, dict | list) or not value:
        return Node(label, path, cell(value) if value is not None else "null")
    size = len(value)
    words = f"{size} {'record' if isinstance(value, list) else 'field'}{'' if size == 1 else 's'}{_name_of(value)}"
    if levels == 0 or budget[0] <= 0 or not path:
        return Node(label, path, words, size, (), 0)
    children = tuple(
        _node(name, f"{path}{taken}", child, levels - 1, 0, budget) for name, taken, child in _children(value, first)
    )
    more = first + CHILDREN if first + CHILDREN < size else None
    return Node(label, path, words, size, children, more)


def _name_of(value: Any) -> str:
    """Return what people call a record, where it says so."""
    called = [value[key] for key in ("summary", "title", "name", "id") if isinstance(value, dict) and value.get(key)]
    return f" · {cell(called[0])}" if called and isinstance(called[0], str) else ""


def _children(value: Any, first: int) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for name in list(value)[first : first + CHILDREN]:
            yield str(name), step(str(name)), value[name]
    else:
        for number, child in enumerate(value[first : first + CHILDREN], first):
            yield str(number), f"[{number}]", child
