"""Writes api.md: every public name with its signature and what its docstring says."""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from msgspec import Struct

import connector_host
import connector_host.testing
from connector_host import blocking, logs
from connector_host.ports import calls, hookspecs, parts, sealing, stores

PAGE = Path(__file__).with_name("api.md")
_HEAD = """# Public names

Made of the docstrings by `python docs/reference/make_api.py`. What stands here is a promise; all else may change.
"""
_DEFAULT = re.compile(r"<(?:factory|object object|connector_host[\w.]*\.(\w+) object)[^>]*>")


def page() -> str:
    """Return the page."""
    sections = [_HEAD, "## `connector_host`\n"]
    sections += (_entry(name, getattr(connector_host, name)) for name in connector_host.__all__)
    sections.append("## What hangs on a session\n\nNone of these is made by hand.\n")
    sections += (_entry(f"session.{name}", one, made_by_hand=False) for name, one in _nouns())
    sections.append("## `connector_host.testing`\n")
    sections += (_entry(name, getattr(connector_host.testing, name)) for name in connector_host.testing.__all__)
    for module in (blocking, logs, parts, sealing, stores, calls, hookspecs):
        own = [(name, one) for name, one in vars(module).items() if _own(module, name, one)]
        sections.append(f"## `{module.__name__}`\n\n{inspect.getdoc(module)}\n")
        sections += (_entry(name, one) for name, one in own if getattr(connector_host, name, None) is not one)
    return "\n".join(sections)


def _nouns() -> Iterator[tuple[str, Any]]:
    """Return what a session has beside its methods, by name."""
    for name, member in vars(connector_host.Session).items():
        getter = getattr(member, "func", None) or getattr(member, "fget", None)
        if getter is not None:
            yield name, get_type_hints(getter)["return"]


def _own(module: Any, name: str, one: Any) -> bool:
    return not name.startswith("_") and getattr(one, "__module__", "") == module.__name__ and callable(one)


def _entry(name: str, one: Any, *, made_by_hand: bool = True) -> str:
    if isinstance(one, str):
        return f"### `{name}`\n\n`{one}`\n"
    words = inspect.getdoc(one) or ""
    lines = [f"### `{name}{'' if _plain(one) or not made_by_hand else _signature(one)}`", "", words, ""]
    if inspect.isclass(one):
        if issubclass(one, Exception) and one.__base__ is not None:
            lines += [f"A `{one.__base__.__name__}`.", ""]
        elif issubclass(one, Enum):
            lines += [", ".join(f"`{member.name}` ({member.value})" for member in one) + ".", ""]
        lines += _members(one)
    return "\n".join(lines)


def _plain(one: Any) -> bool:
    return inspect.isclass(one) and (issubclass(one, Exception | Enum) or getattr(one, "_is_protocol", False))


def _members(one: Any) -> Iterator[str]:
    if issubclass(one, Exception | Enum):
        return
    for name, member in vars(one).items():
        if name.startswith("_") or (issubclass(one, Struct) and name in one.__struct_fields__):
            continue
        method = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        words = " ".join((inspect.getdoc(method) or "").split())
        if inspect.isfunction(method):
            asked = "await " if inspect.iscoroutinefunction(method) else ""
            yield f"- `{asked}{name}{_signature(method)}`: {words}"
        elif hasattr(method, "fget") or hasattr(method, "func"):
            yield f"- `{name}`: {words}"
    yield ""


def _signature(one: Any) -> str:
    try:
        signature = inspect.signature(one)
    except ValueError:
        return ""
    kept = [parameter for name, parameter in signature.parameters.items() if name != "self"]
    text = str(signature.replace(parameters=kept)).removesuffix(" -> None")
    text = re.sub(r"'(\w+)'", lambda found: found[0] if found[1].islower() else found[1], text)
    text = re.sub(r"\b(?:connector_host|collections|typing|datetime|pathlib|msgspec)(?:\.\w+)*\.(\w+)", r"\1", text)
    return _DEFAULT.sub(lambda found: f"{found[1]}()" if found[1] else "…", text)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
