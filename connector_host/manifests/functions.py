"""Holds an author's Python against the manifest by reading its source; nothing is run."""

import ast
from collections.abc import Container, Iterator, Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Any

from msgspec import Struct

from connector_host.manifests.source_map import Document, Where
from connector_host.model.failure import Problem
from connector_host.model.manifest import CODE


class _Function(Struct, frozen=True):
    """A function marked with @command, as its source shows it; `each` is what an old mark repeats of the manifest."""

    name: str
    line: int
    each: str | None
    positional: tuple[str, ...]
    keywords: frozenset[str]
    defaulted: frozenset[str]


def check_functions(document: Document, value: Mapping[str, Any], set_aside: Container[str]) -> list[Problem]:
    """Commands without a function, functions without a command (but for those set aside), parameters that differ."""
    source = Path(document.file).with_name(CODE)
    if not source.exists():
        causes = {name: f"The command '{name}' has neither a request nor a function." for name in value["commands"]}
        advice = f"Add 'request:', or write it in {CODE}."
        return [
            document.problem(("commands", name), "no-function", causes[name], advice, key=True)
            for name, spec in value["commands"].items()
            if "request" not in spec
        ]
    try:
        functions = {function.name: function for function in _functions(source) if function.name not in set_aside}
    except (SyntaxError, ValueError) as error:
        return [_no_python(source, error)]
    return list(_Comparison(document, source, value["commands"], functions).problems())


def check_sandbox(document: Document, value: Mapping[str, Any]) -> list[Problem]:
    """Tell of a sandbox that is not there, or has not the two names that make one."""
    if "sandbox" not in value:
        return []
    source = Path(document.file).with_name(value["sandbox"])
    try:
        tree = ast.parse(source.read_text("utf-8"), str(source))
    except OSError as error:
        cause = f"The file {value['sandbox']} cannot be read ({error.strerror})."
        return [document.problem(("sandbox",), "sandbox", cause, "Add it, or remove 'sandbox': the samples make one.")]
    except (SyntaxError, ValueError) as error:
        return [_no_python(source, error)]
    missing = [name for name in ("OPTIONS", "build") if name not in set(_names(tree))]
    if not missing:
        return []
    cause = f"{value['sandbox']} has no {' and no '.join(missing)}."
    advice = "A sandbox has 'OPTIONS', the JSON Schemas of its options by name, and 'build(**options)', its ASGI app."
    return [document.problem(("sandbox",), "sandbox", cause, advice)]


def _names(tree: ast.Module) -> Iterator[str]:
    """Return the names that a module's top level defines or imports."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        else:
            yield from (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def _no_python(source: Path, error: SyntaxError | ValueError) -> Problem:
    cause = f"This is not Python: {error.args[0]}."
    return Problem(str(source), getattr(error, "lineno", 1) or 1, cause, "Mend the syntax.", "python-syntax")


class _Comparison(Struct, frozen=True):
    """The manifest beside the author's source."""

    document: Document
    source: Path
    commands: Mapping[str, Any]
    functions: Mapping[str, _Function]

    def problems(self) -> Iterator[Problem]:
        """Tell of every difference."""
        for name, spec in self.commands.items():
            if "request" in spec:
                continue
            if name in self.functions:
                yield from self._parameters(("commands", name), spec, self.functions[name])
            else:
                cause = f"The command '{name}' has no function."
                advice = f"Write '@command def {name}(call, …)' in {CODE}, or add 'request:'."
                yield self.document.problem(("commands", name), "no-function", cause, advice, key=True)
        for name, function in self.functions.items():
            if "request" in self.commands.get(name, {"request": ...}):
                what = "is declared with a request" if name in self.commands else "is not in the manifest"
                cause = f"The function '{name}' is a command, but it {what}."
                advice = "Declare it under 'commands:', or remove it."
                yield Problem(str(self.source), function.line, cause, advice, "unknown-function")

    def _parameters(self, where: Where, spec: Mapping[str, Any], function: _Function) -> Iterator[Problem]:
        form, each, here = spec.get("input", {}), spec.get("each"), f"{self.source.name}:{function.line}"
        properties = {name for name in form.get("properties", {}) if name != each}
        taken = {*function.positional[2 if each else 1 :], *function.keywords}
        names = {_input_of(name): name for name in taken}
        if function.each not in (None, each):
            cause = f"The manifest says each: {each}, {here} says each={function.each!r}."
            yield self._differ(where, cause, "Make them agree: write @command alone.")
        elif properties != names.keys():
            cause = f"The parameters of '{function.name}' differ: the manifest has {_listed(properties)}, {here} has "
            yield self._differ((*where, "input"), f"{cause}{_listed(set(names))}.", "Make them agree.")
        else:
            defaults = {name for name, value in form.get("properties", {}).items() if "default" in value}
            required = {name for name, written in names.items() if written not in function.defaulted}
            for name in sorted(required - defaults - set(form.get("required", []))):
                cause = f"'{name}' is optional here, but {here} demands it."
                advice = "Give it a default in the function, or require it here."
                yield self._differ((*where, "input", "properties", name), cause, advice)

    def _differ(self, where: Where, cause: str, advice: str) -> Problem:
        return self.document.problem(where, "function-parameters", cause, advice, key=True)


def _listed(names: set[str] | frozenset[str]) -> str:
    return f"({', '.join(sorted(names))})"


def _functions(source: Path) -> Iterator[_Function]:
    tree = ast.parse(source.read_text("utf-8"), str(source))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                name = decorator.func if isinstance(decorator, ast.Call) else decorator
                if getattr(name, "id", getattr(name, "attr", None)) == "command":
                    yield _function(node, decorator)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr) -> _Function:
    each = None
    if isinstance(decorator, ast.Call):
        words = [word.value for word in decorator.keywords if word.arg == "each"]
        each = next((str(word.value) for word in words if isinstance(word, ast.Constant) and word.value), None)
    positional = tuple(argument.arg for argument in node.args.posonlyargs + node.args.args)
    defaulted = set(positional[len(positional) - len(node.args.defaults) :]) if node.args.defaults else set()
    keyword = [argument.arg for argument in node.args.kwonlyargs]
    defaulted |= {name for name, default in zip(keyword, node.args.kw_defaults, strict=True) if default is not None}
    return _Function(node.name, node.lineno, each, positional, frozenset(keyword), frozenset(defaulted))


def _input_of(name: str) -> str:
    """Return the input that a parameter takes: Python's own words are written with an underscore behind, `class_`."""
    return name[:-1] if name.endswith("_") and iskeyword(name[:-1]) else name
