"""Shows what is wrong with a plugin: problems with the line and a caret, and what the conformance kit found."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from connector_host.authoring.kit.kit import Report
from connector_host.model.failure import Problem
from connector_host.model.result import plain

FORMATS = ("text", "json", "github")


def show_problems(problems: Sequence[Problem], output: str) -> None:
    """Print problems in one of the FORMATS; text goes to stderr, the others are for machines, on stdout."""
    if output == "json":
        click.echo(json.dumps([_document(one) for one in problems], ensure_ascii=False))
        return
    for problem in problems:
        click.echo(_annotation(problem) if output == "github" else _text(problem), err=output == "text")


def _document(problem: Problem) -> dict[str, object]:
    facts = plain(problem)
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


_ORDER = ("none", "bronze", "silver", "gold", "platinum")
_SIGNS = {"passed": "ok", "failed": "FAILED", "exempt": "exempt", "not_applicable": "-"}


def reaches(grade: str, wanted: str) -> bool:
    """Whether a grade is as high as the wanted one."""
    return _ORDER.index(grade) >= _ORDER.index(wanted)


def show_report(report: Report, *, verbose: bool) -> None:
    """Print a report: what failed and what is exempt; with `verbose` all of it."""
    checks = sorted(report.checks, key=lambda one: (_ORDER.index(one.grade), one.rule))
    for grade, group in groupby(checks, key=lambda one: one.grade):
        found = list(group)
        passed = sum(one.outcome in {"passed", "not_applicable"} for one in found)
        exempt = sum(one.outcome == "exempt" for one in found)
        click.echo(f"{grade:<9} {passed} of {len(found)}{f', {exempt} exempt' if exempt else ''}")
        for one in found:
            if verbose or one.outcome in {"failed", "exempt"}:
                about = f" {one.about}" if one.about else ""
                click.echo(f"  {_SIGNS[one.outcome]:<6} [{one.rule}]{about}{': ' if one.detail else ''}{one.detail}")
    click.echo(
        f"{report.plugin} {report.version}: grade {report.grade}, {len(checks)} checks in {report.seconds:.1f} s"
    )
