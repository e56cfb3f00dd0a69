"""Writes connector_host/blocking_face.pyi: the host's face as plain functions, made of the async one."""

import ast
import builtins
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import connector_host

FILE = Path(connector_host.__file__).with_name("blocking_face.pyi")
_HEAD = '''"""The host's face for programs without an event loop, as types.

Made by `python docs/reference/make_blocking.py`. Each method does what the async face's does,
and raises what that raises.
"""

'''
_FACES = {"Host": "BlockingHost", "Session": "BlockingSession", "EventStream": "BlockingEventStream"}
_STREAM = '''class BlockingEventStream(Protocol):
    """The events that a caller may see, from the moment at which it was made; the next waits for what comes."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Event: ...
    def close(self) -> None:
        """Read no more; what came until now can still be read."""
'''


def source() -> str:
    """Return the module's text."""
    classes = [*_nouns(), connector_host.Session, connector_host.Host]
    imports: dict[str, set[str]] = {"typing": {"Protocol", "Self"}, "connector_host.model.events": {"Event"}}
    bodies = [_protocol(one, imports) for one in classes]
    lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(imports.items())]
    return _formatted(_HEAD + "\n".join(lines) + "\n\n\n" + "\n\n\n".join([_STREAM, *bodies]) + "\n")


def _nouns() -> Iterator[type]:
    for member in vars(connector_host.Session).values():
        getter = getattr(member, "func", None) or getattr(member, "fget", None)
        if getter is not None:
            yield get_type_hints(getter)["return"]


def _face_of(name: str) -> str:
    return _FACES.get(name) or (f"Blocking{name}" if name in {one.__name__ for one in _nouns()} else name)


def _protocol(one: type, imports: dict[str, set[str]]) -> str:
    module = importlib.import_module(one.__module__)
    tree = ast.parse(inspect.getsource(module))
    [found] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == one.__name__]
    lines = [f"class {_face_of(one.__name__)}(Protocol):", f'    """{_first_line(found)}"""']
    for node in found.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            lines += ["", *(f"    {line}" for line in _method(node, module, imports))]
    if one is connector_host.Host:
        lines += ["", "    def __enter__(self) -> Self: ...", "    def __exit__(self, *_: object) -> None: ..."]
    return "\n".join(lines)


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef, module: Any, imports: dict[str, set[str]]) -> list[str]:
    arguments = node.args
    arguments.defaults = [ast.Constant(...) for _ in arguments.defaults]
    arguments.kw_defaults = [None if one is None else ast.Constant(...) for one in arguments.kw_defaults]
    kept: list[ast.expr] = [ast.Name("property")] if node.decorator_list else []
    made = ast.FunctionDef(node.name, arguments, [ast.Expr(ast.Constant(...))], kept, node.returns)
    for name in ast.walk(made):
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            name.value = _face_of(name.value)
        elif isinstance(name, ast.Name) and not hasattr(builtins, name.id):
            face = _face_of(name.id)
            if face == name.id:
                imports.setdefault(_home(name.id, module), set()).add(name.id)
            name.id = face
    [head, *_] = ast.unparse(ast.fix_missing_locations(made)).replace("'", "").rpartition(":\n")
    return [*f"{head}:".splitlines(), f'    """{_first_line(node)}"""']


def _home(name: str, module: Any) -> str:
    """Return the module that a name comes from."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            return node.module
    return str(module.__name__)


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


def _formatted(text: str) -> str:
    """Return it as the house's formatter writes it."""
    folder = FILE.parents[1]
    ruff = [sys.executable, "-m", "ruff"]
    sort = [*ruff, "check", "--select", "I", "--fix", "--quiet", "--stdin-filename", str(FILE), "-"]
    form = [*ruff, "format", "--stdin-filename", str(FILE), "-"]
    for command in (sort, form):
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=folder)  # noqa: S603
        text = done.stdout
    return text


if __name__ == "__main__":
    FILE.write_text(source(), "utf-8")
