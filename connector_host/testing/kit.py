"""The conformance kit: runs every rule over a plugin, and computes its grade."""

import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import anyio

from connector_host.configuration import bundled
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.workshop import Check, Report
from connector_host.kernel.manifests.loading import load_manifest
from connector_host.testing.bench import Bench, bench_of
from connector_host.testing.rules.ruling import GRADES, NOT_APPLICABLE, RULES, Rule

for _room in ("samples", "inputs", "failures", "lists", "safety", "words"):
    import_module(f"connector_host.testing.rules.{_room}")


def run_kit(folder: Path) -> Report:
    """Run all rules over the plugin in a folder; raises ManifestError where it can not be loaded."""
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
