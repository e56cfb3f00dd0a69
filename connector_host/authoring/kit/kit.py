"""The conformance kit: runs every rule over a plugin and computes its grade; as a report, or as tests."""

import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from connector_host.authoring.kit.bench import GRADES, NOT_APPLICABLE, RULES, Bench, Rule, bench_of
from connector_host.configuration import bundled
from connector_host.manifests.structuring import load_manifest
from connector_host.model.errors import WrongUse
from connector_host.model.manifest import MANIFEST, Command, Manifest


class Check(Struct, frozen=True):
    """One rule of the conformance kit, held against a plugin or one of its commands.

    `outcome` is passed, failed, exempt or not_applicable; `detail` says what was seen, or why it is exempt.
    """

    rule: str
    grade: str
    outcome: str
    about: str = ""
    detail: str = ""


class Report(Struct, frozen=True):
    """What the conformance kit found: every check, and the grade that follows (none, bronze to platinum)."""

    plugin: str
    version: str
    grade: str
    checks: tuple[Check, ...]
    seconds: float


for _room in ("failures", "results", "connection", "safety"):
    import_module(f"connector_host.authoring.kit.rules_{_room}")


def run_kit(folder: Path) -> Report:
    """Run all rules over the plugin in a folder; raises ManifestError where it cannot be loaded."""
    manifest = load_manifest(folder.resolve(), bundled() / "schemas")
    begun = time.monotonic()
    checks = tuple(anyio.run(_all_checks, manifest))
    return Report(manifest.id, manifest.version, grade_of(checks), checks, round(time.monotonic() - begun, 2))


def cases(manifest: Manifest) -> Iterator[tuple[Rule, Command]]:
    """Return every rule with every command that it is held against; those of the whole plugin come last."""
    commands = list(manifest.commands.values())
    for one in RULES.values():
        if one.each_command:
            yield from ((one, command) for command in commands)
    yield from ((one, commands[0]) for one in RULES.values() if not one.each_command)


async def _all_checks(manifest: Manifest) -> list[Check]:
    async with bench_of(manifest) as bench:
        return [await check(bench, one, command) for one, command in cases(manifest)]


async def check(bench: Bench, one: Rule, command: Command) -> Check:
    """Hold one rule against one command, or against the plugin."""
    about = command.id if one.each_command else ""
    seen = await one.check(bench, command)
    if seen is None or seen == NOT_APPLICABLE:
        return Check(one.code, one.grade, "passed" if seen is None else "not_applicable", about)
    at = f"commands.{command.id}" if one.each_command else ""
    exemption = next((exempt for exempt in bench.manifest.exemptions if exempt.covers(one.code, at)), None)
    if exemption is not None:
        return Check(one.code, one.grade, "exempt", about, exemption.reason)
    return Check(one.code, one.grade, "failed", about, seen)


def grade_of(checks: tuple[Check, ...]) -> str:
    """Return the highest grade none of whose rules, nor those of a lower one, failed; `none` where bronze did."""
    reached = "none"
    for grade in GRADES:
        if any(one.grade == grade and one.outcome == "failed" for one in checks):
            break
        reached = grade
    return reached


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

    import pytest  # noqa: PLC0415 - the kit itself runs without it

    @pytest.mark.parametrize(("code", "command"), chosen, ids=names)
    def test_plugin(code: str, command: str) -> None:
        _hold(manifest, code, command)

    return test_plugin


def _hold(manifest: Manifest, code: str, command: str) -> None:
    import pytest  # noqa: PLC0415 - the same

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
