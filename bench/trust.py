"""Attacks, kills, races and made-up lives by the thousand: `python -m bench trust` runs their tests as often as is due.

The tests run some of it by themselves, CI more (`.ci/run`), this all of it: some forty minutes on two cores.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from bench import ROOT


class Part(Struct, frozen=True):
    """Tests that are run with these settings of theirs."""

    title: str
    tests: tuple[str, ...]
    settings: dict[str, str] = {}


ATTACKS = "tests/attacks"
PARTS = (
    Part("48 disguises of a secret, 8 exits", (f"{ATTACKS}/test_secrets_do_not_come_out.py",)),
    Part("5,000 answers of any kind", (f"{ATTACKS}/test_any_answer.py",), {"FUZZ_EXAMPLES": "5000"}),
    Part(
        "2,000 lives of a product and its poller",
        (f"{ATTACKS}/test_lists_and_intake.py::test_whoever_polls_without_times_loses_nothing_and_doubles_nothing",),
        {"INTAKE_SEEDS": "2000"},
    ),
    Part(
        "200 rotations in each of four programs",
        (f"{ATTACKS}/test_stored.py::test_no_rotation_beside_another_loses_a_secret",),
        {"ROUNDS": "200"},
    ),
    Part("300 kills amid edits, 300 amid runs and intakes", ("tests/e2e/test_killed.py",), {"KILLS": "300"}),
    Part(
        "Two programs, one key, 900 a minute",
        (f"{ATTACKS}/test_what_happened.py::test_two_programs_keep_one_limit_and_use_it",),
        {"WINDOW_SECONDS": "60"},
    ),
    Part("60 s of hostile bytes", ("tests/transport/test_fuzz.py",), {"FUZZ_SECONDS": "60"}),
    Part("Every attack, once", (ATTACKS,)),
)


def tried() -> dict[str, Any]:
    """Run all parts, and print how each went: how many tests, how many failed, how long."""
    report: dict[str, Any] = {}
    for part in PARTS:
        report[part.title] = row = run(part)
        print(f"{part.title:50} {row['tests']:5} tests   {row['failed']} failed   {row['seconds']:7.1f} s", flush=True)
    return report


def run(part: Part) -> dict[str, Any]:
    """Run one part's tests in a process of its own; what failed is printed."""
    with TemporaryDirectory() as made:
        out = Path(made) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--timeout", "7200", f"--junit-xml={out}", *part.tests]
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **part.settings}, capture_output=True, text=True, check=False
        )
        suite = ET.parse(out).getroot()[0].attrib
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-1000:])
    failed = int(suite["failures"]) + int(suite["errors"]) or int(done.returncode != 0)
    return {"tests": int(suite["tests"]), "failed": failed, "seconds": time.monotonic() - begun}
