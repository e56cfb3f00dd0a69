"""Shows problems: for people with the line and a caret, for machines as JSON, for GitHub as annotations."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from connector_host.contract.problems import Problem

FORMATS = ("text", "json", "github")


def show_problems(problems: Sequence[Problem], output: str) -> None:
    """Print problems in one of the FORMATS; text goes to stderr, the others are for machines, on stdout."""
    if output == "json":
        click.echo(json.dumps([_document(one) for one in problems], ensure_ascii=False))
        return
    for problem in problems:
        click.echo(_annotation(problem) if output == "github" else _text(problem), err=output == "text")


def _document(problem: Problem) -> dict[str, object]:
    facts = asdict(problem)
    return {**facts, "file": facts.pop("path"), "end_column": problem.column + problem.length}


def _text(problem: Problem) -> str:
    place = f"{problem.path}:{problem.line}:{problem.column}"
    lines = [f"{place}: {problem.level.value} [{problem.rule}] {problem.cause}"]
    source = _line(problem)
    if source.strip():
        number = str(problem.line)
        start, shown = _window(source, problem.column - 1)
        room = max(1, min(problem.length, len(source) - problem.column + 1))
        lines += [f"  {number} | {shown}", f"  {' ' * len(number)} | {' ' * (problem.column - 1 - start)}{'^' * room}"]
    if problem.assistance:
        lines.append(f"  {problem.assistance}")
    return "\n".join(lines)


WIDE = 110


def _window(source: str, column: int) -> tuple[int, str]:
    """Return the part of a long line that is worth showing, and where it begins."""
    if len(source) <= WIDE:
        return 0, source
    start = max(0, min(column - WIDE // 3, len(source) - WIDE))
    return start, source[start : start + WIDE]


def _line(problem: Problem) -> str:
    try:
        lines = Path(problem.path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[problem.line - 1].replace("\t", " ") if problem.line <= len(lines) else ""


def _annotation(problem: Problem) -> str:
    """Return a workflow command, as GitHub's documentation of workflow commands describes it."""
    kind = "error" if problem.level.value == "error" else "warning"
    message = f"{problem.cause} {problem.assistance}".strip()
    place = f"file={_property(problem.path)},line={problem.line},col={problem.column}"
    end = f"endColumn={problem.column + problem.length}"
    return f"::{kind} {place},{end},title={_property(problem.rule)}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
