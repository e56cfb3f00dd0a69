"""A gallery of mistakes: each manifest in broken/ has one, and gets just the message beside it, at the right place."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connector_host.authoring.checking import validate
from connector_host.configuration import bundled
from connector_host.model.failure import Problem

SCHEMAS = bundled() / "schemas"

GALLERY = Path(__file__).parent / "broken"
CASES = sorted(GALLERY.iterdir())


def found(folder: Path) -> list[Problem]:
    return list(validate(folder, SCHEMAS).problems)


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
    findings = validate(tmp_path, SCHEMAS, fix=True)
    assert (findings.mended, findings.problems) == (1, ())


def test_two_mistakes_on_one_line_are_mended(tmp_path: Path) -> None:
    text = (GALLERY / "33-unmasked-secret" / "manifest.yaml").read_text("utf-8")
    right = "since: {title: Since, type: string, format: date-time}"
    assert right in text
    (tmp_path / "manifest.yaml").write_text(
        text.replace(right, "since: {titl: Since, typee: string, formatt: date-time}"), "utf-8"
    )
    assert validate(tmp_path, SCHEMAS, fix=True).mended == 3
    assert right in (tmp_path / "manifest.yaml").read_text("utf-8")


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = (GALLERY / "01-unknown-key-in-command" / "manifest.yaml").read_text("utf-8")
    text = text.replace("kind: test_connection", "kind: test_conection").replace("seconds: 60}", "seconds: 1m}")
    text = text.replace("$.input.since", "$.input.sinse").replace("solved, other]", "solved, other], default: slved")
    (tmp_path / "manifest.yaml").write_text(text, "utf-8")
    rules = [problem.rule for problem in found(tmp_path)]
    assert rules == ["wrong-type", "unknown-key", "unknown-reference", "default-not-an-option", "unknown-value"]


def test_what_stands_in_a_command_with_a_wrong_key_is_told_once_the_key_is_right(tmp_path: Path) -> None:
    text = (GALLERY / "01-unknown-key-in-command" / "manifest.yaml").read_text("utf-8")
    text = text.replace("default: short", "default: shrot")
    (tmp_path / "manifest.yaml").write_text(text, "utf-8")
    assert [problem.rule for problem in found(tmp_path)] == ["unknown-key"]
    (tmp_path / "manifest.yaml").write_text(text.replace("eech:", "each:"), "utf-8")
    assert [problem.rule for problem in found(tmp_path)] == ["default-not-an-option"]


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


WRONG_WORDS = ["null", "7", "true", "[]", "{}", "x", "$.a", "[1, 2]", "{a: 1}", "like", "$.input.x", ""]


@pytest.mark.parametrize("seed", range(4))
def test_no_manifest_makes_the_validator_stumble(seed: int, tmp_path: Path) -> None:
    """Words replaced, lines repeated, taken away and moved: whatever comes of it is told as problems."""
    dice = random.Random(seed)
    plugins = [bundled() / "plugins" / name / "manifest.yaml" for name in ("opsgenie", "urlscan", "rest_vault")]
    texts = [file.read_text("utf-8") for file in [*plugins, GALLERY / "45-like-nothing" / "manifest.yaml"]]
    for _ in range(150):
        lines = dice.choice(texts).split("\n")
        for _ in range(dice.choice((1, 1, 2, 4))):
            place = dice.randrange(len(lines))
            words = list(re.finditer(r"[\w$.*@#-]+", lines[place]))
            if words and dice.random() < 0.7:
                word = dice.choice(words)
                lines[place] = lines[place][: word.start()] + dice.choice(WRONG_WORDS) + lines[place][word.end() :]
            else:
                lines[place : place + dice.randrange(2)] = dice.choice(
                    ([], [dice.choice(lines)], [f"  {lines[place]}"])
                )
        (tmp_path / "manifest.yaml").write_text("\n".join(lines), "utf-8")
        for problem in found(tmp_path):
            assert problem.cause
            assert problem.line >= 1


def test_likes_that_lead_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    text = (GALLERY / "45-like-nothing" / "manifest.yaml").read_text("utf-8")
    more = "  one:\n    like: two\n    title: One\n  two:\n    like: xyzzy\n    title: Two\n  six:\n    like: ten\n  ten:\n    like: six\n"
    (tmp_path / "manifest.yaml").write_text(text.replace("  reopen_ticket:", f"{more}  reopen_ticket:"), "utf-8")
    rules = [problem.rule for problem in found(tmp_path)]
    assert rules.count("unknown-like") == 2
    assert "like-circle" in rules
