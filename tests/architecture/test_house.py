"""The house: arrows run down, no circle, no room too crowded, few concepts, and the face is what it says."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import connector_host
from bench import ROOT
from bench.house import HELD, MODULES, TARGETS, arrows, body_lines, count, imports_of

PLUGIN = ROOT / "plugins" / "pagerduty"
FILES = sorted([*MODULES.values(), *PLUGIN.glob("*.py")])
FLOORS = {
    "model": 0, "ports": 1, "http": 2, "manifests": 3, "running": 3, "stores": 3, "crypto": 3, "notifiers": 3,
    "host": 4, "configuration": 4, "parts": 5, "app": 6, "logs": 6, "portals": 1, "blocking_face": 6, "blocking": 7, "__init__": 6, "authoring": 7, "testing": 8, "web": 8, "cli": 9,
    "__main__": 10,
}  # fmt: skip
OUTSIDE = {"paths": {"jsonpath_ng"}, "hookspecs": {"pluggy"}}


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def may(source: str, target: str) -> bool:
    """Whether a room may import another: what is below it; host sees model, ports and manifests alone."""
    if source == target:
        return True
    if source == "host":
        return target in {"model", "ports", "manifests"}
    if source in {"manifests", "stores", "crypto", "notifiers"}:
        return target in {"model", "ports"}
    return FLOORS[target] < FLOORS[source]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "connector_host"])
def test_arrows_only_run_down(name: str) -> None:
    for target in arrows()[name] - {"connector_host"}:
        assert may(room(name), room(target)), f"{name} climbs to {target}"


def named_in_strings(file: Path) -> Iterator[str]:
    """Modules that are named in texts: what is imported by name is an arrow, too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"connector_host(?:\.\w+)+", node.value)


@pytest.mark.parametrize("name", [name for name in MODULES if name != "connector_host"])
def test_arrows_in_texts_run_down_too(name: str) -> None:
    if room(name) == "parts":
        return  # names the built-in parts, each imported when the host manifest chooses it
    for text in named_in_strings(MODULES[name]):
        parts = text.split(".")
        if len(parts) > 2 and parts[1] in FLOORS:
            assert may(room(name), parts[1]), f"{name} names {text}"


@pytest.mark.parametrize("file", sorted((ROOT / "connector_host" / "model").glob("*.py")), ids=lambda file: file.stem)
def test_the_model_stands_on_msgspec_alone(file: Path) -> None:
    allowed = {"connector_host", "msgspec", *OUTSIDE.get(file.stem, set())} | sys.stdlib_module_names
    for name in imports_of(file):
        assert name.split(".")[0] in allowed, name
        assert not name.startswith("connector_host.") or name.startswith("connector_host.model")


@pytest.mark.parametrize("file", sorted(PLUGIN.glob("*.py")), ids=lambda file: file.stem)
def test_the_plugin_uses_no_private_name_of_the_host(file: Path) -> None:
    for name in imports_of(file):
        if name.startswith("connector_host"):
            assert name == "connector_host" or name.split(".")[1] in connector_host.__all__, name


@pytest.mark.parametrize("target", TARGETS)
def test_the_house_keeps_its_measures(target: str) -> None:
    assert count()[target] <= HELD[target]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_room_is_crowded(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= 30, node.name


def test_the_measure_of_functions_measures_right() -> None:
    """A guard once took the docstring's characters for lines, and a function of 92 lines passed for one of 28."""
    doc = '    """One sentence that is rather long, so that its characters outnumber its lines by far."""\n'
    source = "def long():\n" + doc + "".join(f"    a{number} = 1\n" for number in range(90))
    assert body_lines(ast.parse(source).body[0]) == 91
    lines = '    """First.\n\n    Second.\n    """\n'
    assert body_lines(ast.parse("def short():\n" + lines + "    return 1\n").body[0]) == 2


def test_no_file_outweighs_the_house() -> None:
    sizes = [len(file.read_text("utf-8").splitlines()) for file in MODULES.values()]
    assert max(sizes) <= 0.08 * sum(sizes)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_file_opens_with_a_sentence(file: Path) -> None:
    sentence = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    assert sentence
    assert sentence.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_one_place_catches_everything(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            if {"Exception", "BaseException", "everything"} & set(re.findall(r"\w+", caught)):
                named = file.stem == "boundary" and caught == "Exception"
                again = any(isinstance(one, ast.Raise) and one.exc is None for one in ast.walk(node))
                assert named or again, f"{file}:{node.lineno}"


def test_ports_are_small() -> None:
    from connector_host.ports import intake, parts, sealing, stores, tokens

    for name, port in [one for module in (intake, parts, sealing, stores, tokens) for one in vars(module).items()]:
        if inspect.isclass(port) and getattr(port, "_is_protocol", False):
            methods = [one for one in vars(port) if callable(getattr(port, one)) and not one.startswith("_")]
            assert len(methods) <= 6, name


def test_the_face_is_what_it_says() -> None:
    assert sorted(connector_host.__all__) == connector_host.__all__
    for name in connector_host.__all__:
        assert getattr(connector_host, name) is not None
    held = {
        name
        for name, value in vars(connector_host).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "TYPE_CHECKING"
    }
    assert held <= set(vars(connector_host)["_LATE"]) == set(connector_host.__all__)
    with pytest.raises(AttributeError):
        _ = connector_host.Nonsense  # type: ignore[attr-defined]  # what mypy says of it, too


def test_importing_the_face_brings_little_in() -> None:
    import subprocess

    program = "import sys; import connector_host; print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 88


def test_no_late_import_is_wrong() -> None:
    """What is imported inside functions is there: nothing else finds out before somebody needs it."""
    for name, file in MODULES.items():
        for one in imports_of(file):
            if one.startswith("connector_host.") and one in MODULES:
                importlib.import_module(one)
        assert name


def test_types_travel_with_the_package() -> None:
    assert (ROOT / "connector_host" / "py.typed").exists()
