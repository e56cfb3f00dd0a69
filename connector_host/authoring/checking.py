"""`plugins validate`: finds all that is wrong with a plugin's folder, and mends what a machine can."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from connector_host.manifests.reading import Examination, examine
from connector_host.manifests.structuring import manifest_of
from connector_host.model.errors import ManifestError
from connector_host.model.failure import Level, Problem
from connector_host.model.manifest import MANIFEST, Manifest


class Findings(Struct, frozen=True):
    """What a look at a plugin's folder found: the manifest where it can be used, its problems, how many were mended."""

    manifest: Manifest | None
    problems: tuple[Problem, ...] = ()
    mended: int = 0


def validate(folder: Path, schemas: Path, *, fix: bool = False) -> Findings:
    """Find all that is wrong with the plugin in a folder, without running its code; with `fix` mend what can be."""
    try:
        examination = examine(folder / MANIFEST, schemas)
        mended = mend(examination.problems) if fix else 0
        return _findings(examine(folder / MANIFEST, schemas) if mended else examination, folder, mended)
    except ManifestError as error:
        return Findings(None, error.problems)


def _findings(examination: Examination, folder: Path, mended: int) -> Findings:
    problems = tuple(examination.problems)
    if any(problem.level is Level.ERROR for problem in problems):
        return Findings(None, problems, mended)
    return Findings(manifest_of(examination.value, folder, examination.outputs), problems, mended)


def mend(problems: Iterable[Problem]) -> int:
    """Write the fixes of all problems into their files; how many."""
    fixable = sorted((problem for problem in problems if problem.fix is not None), key=lambda problem: problem.path)
    found = groupby(fixable, key=lambda problem: problem.path)
    return sum(_mend_file(Path(path), list(of_file)) for path, of_file in found)


def _mend_file(file: Path, problems: list[Problem]) -> int:
    lines = file.read_text("utf-8").splitlines(keepends=True)
    fixes = {problem.fix for problem in problems if problem.fix is not None}
    for fix in sorted(fixes, key=lambda one: (one.line, one.column), reverse=True):
        line, start = lines[fix.line - 1], fix.column - 1
        lines[fix.line - 1] = f"{line[:start]}{fix.text}{line[start + fix.length :]}"
    file.write_text("".join(lines), "utf-8")
    return len(fixes)
