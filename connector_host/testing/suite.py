"""`plugin_suite`: the conformance kit as tests, one for each rule and command, by one line in a test file."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from connector_host.configuration import bundled
from connector_host.contract.errors import WrongUse
from connector_host.contract.manifest import Manifest
from connector_host.contract.modules import MANIFEST
from connector_host.kernel.manifests.loading import load_manifest
from connector_host.testing.bench import bench_of
from connector_host.testing.kit import cases, check
from connector_host.testing.rules.ruling import GRADES, RULES


def plugin_suite(place: str | Path, *, grade: str = "platinum") -> Any:
    """Return a test of the plugin in a folder: a test file's `__file__`, or the folder itself.

    The plugin stands where the nearest manifest.yaml is, in that folder, below or above. Rules up to `grade` are
    tested; a test fails with what was seen, and is skipped where a rule has nothing to look at or is exempt. Raises
    FileNotFoundError where there is no manifest, WrongUse where there are several or there is no such grade, and
    ManifestError for a wrong one.
    """
    if grade not in GRADES:
        raise WrongUse(f"There is no grade '{grade}': there are {', '.join(GRADES[:-1])} and {GRADES[-1]}.")
    manifest = load_manifest(_folder(Path(place)), bundled() / "schemas")
    wanted = GRADES[: GRADES.index(grade) + 1]
    chosen = [(one.code, command.id) for one, command in cases(manifest) if one.grade in wanted]
    names = [f"{command}-{code}" if RULES[code].each_command else code for code, command in chosen]

    @pytest.mark.parametrize(("code", "command"), chosen, ids=names)
    def test_plugin(code: str, command: str) -> None:
        _hold(manifest, code, command)

    return test_plugin


def _hold(manifest: Manifest, code: str, command: str) -> None:
    async def go() -> Any:
        async with bench_of(manifest) as bench:
            return await check(bench, RULES[code], manifest.commands[command])

    seen = anyio.run(go)
    if seen.outcome == "failed":
        pytest.fail(f"{RULES[code].sentence}\n{seen.detail}", pytrace=False)
    if seen.outcome != "passed":
        pytest.skip(seen.detail or "nothing to look at")


def _folder(place: Path) -> Path:
    start = place if place.is_dir() else place.parent
    for folder in (start, *start.parents[:3]):
        if (folder / MANIFEST).exists() and _is_plugin(folder / MANIFEST):
            return folder
        below = sorted(file.parent for file in folder.glob(f"*/{MANIFEST}") if _is_plugin(file))
        if len(below) > 1:
            names = ", ".join(one.name for one in below)
            raise WrongUse(f"There are several plugins in {folder}: {names}. Name the folder of the one to test.")
        if below:
            return below[0]
    raise FileNotFoundError(f"There is no plugin's {MANIFEST} in, below or above {start}.")


def _is_plugin(file: Path) -> bool:
    return any(line.startswith("id:") for line in file.read_text("utf-8").splitlines())
