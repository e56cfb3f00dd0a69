"""A gallery of mistakes: each manifest in broken/ has one, and gets just the message beside it, at the right place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector_host.app import Joiner
from connector_host.contract.problems import Problem

GALLERY = Path(__file__).parent / "broken"
CASES = sorted(GALLERY.iterdir())


def found(folder: Path) -> list[Problem]:
    return list(Joiner().workshop.validate(folder).problems)


def told(problem: Problem) -> str:
    place = f"{problem.line}:{problem.column} {problem.level.value} [{problem.rule}]"
    return f"{place} {problem.cause} {problem.assistance}".rstrip()


def test_there_are_at_least_forty() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_each_mistake_is_told_exactly(folder: Path) -> None:
    expected = (folder / "expected.txt").read_text("utf-8").splitlines()
    assert [told(problem) for problem in found(folder)] == expected


def fixable() -> list[Path]:
    return [folder for folder in CASES if any(problem.fix for problem in found(folder))]


@pytest.mark.parametrize("folder", fixable(), ids=lambda folder: folder.name)
def test_what_a_machine_can_mend_is_mended(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text((folder / "manifest.yaml").read_text("utf-8"), "utf-8")
    findings = Joiner().workshop.validate(tmp_path, fix=True)
    assert (findings.mended, findings.problems) == (1, ())


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = (GALLERY / "01-unknown-key-in-command" / "manifest.yaml").read_text("utf-8")
    text = text.replace("kind: test_connection", "kind: test_conection").replace("seconds: 60}", "seconds: 1m}")
    text = text.replace("$.input.since", "$.input.sinse").replace("default: short", "default: shrot")
    (tmp_path / "manifest.yaml").write_text(text, "utf-8")
    rules = [problem.rule for problem in found(tmp_path)]
    assert rules == ["wrong-type", "default-not-an-option", "unknown-key", "unknown-reference", "unknown-value"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "connector_host", "plugins", "validate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_same_for_people_machines_and_pull_requests() -> None:
    folder = str(GALLERY / "05-unknown-type")
    text = run(folder)
    assert text.returncode == 1
    assert "        note: {title: Note, type: integar, required_if: {reason: other}}\n" in text.stderr
    lines = text.stderr.splitlines()
    caret = next(line for line in lines if "^" in line)
    source = lines[lines.index(caret) - 1]
    assert source[caret.index("^") : caret.rindex("^") + 1] == "integar"
    [problem] = json.loads(run(folder, "--output", "json").stdout)
    assert (problem["line"], problem["column"], problem["end_column"], problem["rule"]) == (45, 35, 42, "unknown-value")
    assert "integer" in problem["allowed"]
    assert problem["fix"] == {"line": 45, "column": 35, "length": 7, "text": "integer"}
    github = run(folder, "--output", "github").stdout
    assert github.startswith("::error file=")
    assert "line=45,col=35,endColumn=42,title=unknown-value::" in github


def test_an_exemption_with_a_reason_silences_a_rule(tmp_path: Path) -> None:
    text = (GALLERY / "34-unused-setting" / "manifest.yaml").read_text("utf-8")
    place = "exemptions: [{rule: unused-setting, at: connection.properties.%s, reason: A later version uses it.}]\n"
    for name, left in (("region", []), ("server_url", ["unused-setting"])):
        (tmp_path / "manifest.yaml").write_text(text + place % name, "utf-8")
        assert [problem.rule for problem in found(tmp_path)] == left
