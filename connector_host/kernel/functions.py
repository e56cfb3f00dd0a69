"""Holds an author's functions against the manifest by reading their source; nothing is run."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector_host.contract.errors import Problem
from connector_host.contract.modules import CODE
from connector_host.kernel.strict_yaml import Document, Where


@dataclass(frozen=True, slots=True)
class _Function:
    """A function marked with @command, as its source shows it."""

    name: str
    line: int
    each: str | None
    required: frozenset[str]
    optional: frozenset[str]


def check_functions(document: Document) -> list[Problem]:
    """Commands without a function, functions without a command, and parameters that differ."""
    source = Path(document.file).with_name(CODE)
    declared = {name: spec for name, spec in document.value["commands"].items() if "request" not in spec}
    if not source.exists():
        return [
            document.problem(
                ("commands", name),
                f"The command '{name}' has neither a request nor a function.",
                f"Add 'request:', or write it in {CODE}.",
            )
            for name in declared
        ]
    try:
        functions = {function.name: function for function in _functions(source)}
    except (SyntaxError, ValueError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", 1) or 1
        return [Problem(str(source), line, f"This is not Python: {error.args[0]}.", "Mend the syntax.")]
    return list(_compare(document, source, declared, functions))


def _compare(
    document: Document, source: Path, declared: Mapping[str, Any], functions: Mapping[str, _Function]
) -> Iterator[Problem]:
    for name, spec in declared.items():
        where: Where = ("commands", name)
        if name not in functions:
            yield document.problem(
                where,
                f"The command '{name}' has no function.",
                f"Write '@command def {name}(call, …)' in {CODE}, or add 'request:'.",
            )
        else:
            yield from _compare_parameters(document, where, spec, source, functions[name])
    for name, function in functions.items():
        if name not in declared:
            what = "is declared with a request" if name in document.value["commands"] else "is not in the manifest"
            yield Problem(
                str(source),
                function.line,
                f"The function '{name}' is a command, but it {what}.",
                "Declare it under 'commands:', or remove it.",
            )


def _compare_parameters(
    document: Document, where: Where, spec: Mapping[str, Any], source: Path, function: _Function
) -> Iterator[Problem]:
    schema = spec.get("input", {})
    each = spec.get("each")
    if each != function.each:
        yield document.problem(
            where,
            f"The manifest says each: {each}, {source.name}:{function.line} says each={function.each!r}.",
            "Make them agree.",
        )
        return
    properties = {name for name in schema.get("properties", {}) if name != each}
    names = function.required | function.optional
    if properties != names:
        yield document.problem(
            (*where, "input"),
            f"The parameters of '{function.name}' differ: the manifest has {_listed(properties)}, "
            f"{source.name}:{function.line} has {_listed(names)}.",
            "Make them agree.",
        )
        return
    given = set(schema.get("required", [])) | {
        name for name, value in schema.get("properties", {}).items() if "default" in value
    }
    for name in sorted(function.required - given):
        yield document.problem(
            (*where, "input", "properties", name),
            f"'{name}' is optional here, but {source.name}:{function.line} demands it.",
            "Give it a default in the function, or require it here.",
        )


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
        each = next(
            (
                word.value.value
                for word in decorator.keywords
                if word.arg == "each" and isinstance(word.value, ast.Constant)
            ),
            None,
        )
    positional = [argument.arg for argument in node.args.posonlyargs + node.args.args]
    defaulted = set(positional[len(positional) - len(node.args.defaults) :]) if node.args.defaults else set()
    keyword = [argument.arg for argument in node.args.kwonlyargs]
    defaulted |= {name for name, default in zip(keyword, node.args.kw_defaults, strict=True) if default is not None}
    taken = positional[2:] if each else positional[1:]
    names = frozenset(taken + keyword)
    return _Function(
        node.name, node.lineno, each if isinstance(each, str) else None, names - defaulted, names & defaulted
    )
