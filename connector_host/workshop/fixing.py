"""Mends what a machine can mend in a manifest: names that are clearly misspelled, and the editor's line."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from connector_host.contract.problems import Problem


def mend(problems: Iterable[Problem]) -> int:
    """Write the fixes of all problems into their files; how many."""
    fixable = sorted((one for one in problems if one.fix is not None), key=lambda one: one.path)
    return sum(_mend_file(Path(path), list(found)) for path, found in groupby(fixable, key=lambda one: one.path))


def _mend_file(file: Path, problems: list[Problem]) -> int:
    lines = file.read_text("utf-8").splitlines(keepends=True)
    fixes = {one.fix for one in problems if one.fix is not None}
    for fix in sorted(fixes, key=lambda one: (one.line, one.column), reverse=True):
        line, start = lines[fix.line - 1], fix.column - 1
        lines[fix.line - 1] = f"{line[:start]}{fix.text}{line[start + fix.length :]}"
    file.write_text("".join(lines), "utf-8")
    return len(fixes)
