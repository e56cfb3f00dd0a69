"""The house: arrows run down, no circle, no room too crowded, and the face is what it says."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import connector_host

ROOT = Path(connector_host.__file__).parent
PLUGIN = ROOT.parent / "plugins" / "pagerduty"
FILES = sorted(ROOT.rglob("*.py")) + sorted(PLUGIN.glob("*.py"))
FLOORS = {
    "contract": 1,
    "kernel": 2,
    "builtin": 2,
    "configuration": 3,
    "plugging": 3,
    "app": 3,
    "testing": 3,
    "workshop": 3,
    "__init__": 3,
    "__main__": 4,
}
# What floor 1 may take from outside: the standard library, pluggy's markers, and jsonpath-ng for paths that are not plain.
OUTSIDE = {"hooks": {"pluggy"}, "paths": {"jsonpath_ng"}}
MAX_LINES, MAX_FUNCTION, MAX_SHARE = 265, 35, 0.08


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> Iterator[str]:
    """Every import, under TYPE_CHECKING and inside functions too, as absolute names."""
    package = name_of(file).split(".") if file.name == "__init__.py" else name_of(file).split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


MODULES = {name_of(file): file for file in FILES}
ARROWS = {name: {one for one in imports_of(file) if one in MODULES and one != name} for name, file in MODULES.items()}


def floor(name: str) -> int:
    parts = name.split(".")
    return FLOORS[parts[1] if len(parts) > 1 else "__init__"]


def room(name: str) -> str:
    return ".".join(name.split(".")[:3])


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("connector_host.")])
def test_arrows_only_run_down(name: str) -> None:
    within = name.startswith("connector_host.builtin.") and name != "connector_host.builtin.plugs"  # it names all rooms
    for target in ARROWS[name] - {"connector_host"}:
        assert floor(target) <= floor(name), f"{name} climbs to {target}"
        if floor(name) == floor(target) == 2:
            assert name.split(".")[1] == target.split(".")[1], f"{name} crosses to {target}"
        if within and target.startswith("connector_host.builtin."):
            assert room(name) == room(target), f"{name} enters another room: {target}"


def test_no_circle() -> None:
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in sorted(ARROWS[name]):
                if name != "connector_host":  # the face brings its host in on demand
                    visit(target, (*way, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("file", sorted((ROOT / "contract").glob("*.py")), ids=lambda file: file.stem)
def test_the_contract_stands_on_the_standard_library(file: Path) -> None:
    import sys

    allowed = {"connector_host", *OUTSIDE.get(file.stem, set())} | sys.stdlib_module_names
    for name in imports_of(file):
        assert name.split(".")[0] in allowed, name
        assert not name.startswith("connector_host.") or name.startswith("connector_host.contract")


@pytest.mark.parametrize("file", sorted(PLUGIN.glob("*.py")), ids=lambda file: file.stem)
def test_the_plugin_uses_no_private_name_of_the_host(file: Path) -> None:
    for name in imports_of(file):
        if name.startswith("connector_host"):
            assert name == "connector_host" or name.split(".")[1] in connector_host.__all__, name


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_room_is_crowded(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 - len(
                ast.get_docstring(node) or "".splitlines()
            ) <= MAX_FUNCTION, node.name


def test_no_file_outweighs_the_house() -> None:
    sizes = {file: len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert max(sizes.values()) <= MAX_SHARE * sum(sizes.values())


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_each_file_opens_with_a_sentence(file: Path) -> None:
    sentence = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    assert sentence
    assert sentence.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_one_place_catches_everything(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            if {"Exception", "BaseException", "everything"} & set(re.findall(r"\w+", caught)):
                named = file.stem == "boundary" and caught == "(Exception, SystemExit)"
                again = any(isinstance(one, ast.Raise) and one.exc is None for one in ast.walk(node))
                assert named or again, f"{file}:{node.lineno}"


def test_ports_are_small() -> None:
    from connector_host.contract import ports, stores

    for name, port in [*vars(ports).items(), *vars(stores).items()]:
        if inspect.isclass(port) and getattr(port, "_is_protocol", False):
            methods = [one for one in vars(port) if callable(getattr(port, one)) and not one.startswith("_")]
            assert len(methods) <= 6, name


def test_the_face_is_what_it_says() -> None:
    for name in connector_host.__all__:
        found = getattr(connector_host, name)
        assert found.__module__ in {"connector_host", "connector_host.app", "connector_host.configuration"}
    assert sorted(connector_host.__all__) == connector_host.__all__


def test_types_travel_with_the_package() -> None:
    assert (ROOT / "py.typed").exists()
