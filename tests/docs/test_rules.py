"""Every rule of manifests and of the grade has its row in the reference."""

import re
from importlib import import_module

import pytest

from connector_host.configuration import bundled

PAGE = bundled() / "docs" / "reference" / "rules.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the documents are not beside the package")


def test_each_rule_of_the_grade_has_a_row() -> None:
    from connector_host.authoring.kit.bench import RULES

    import_module("connector_host.authoring.kit.kit")
    text = PAGE.read_text("utf-8")
    assert len(RULES) > 15
    assert [code for code in sorted(RULES) if f"| `{code}` |" not in text] == []


def test_each_rule_of_the_validator_is_named() -> None:
    text = PAGE.read_text("utf-8")
    gallery = bundled() / "tests" / "authoring" / "broken"
    told = {
        rule
        for file in gallery.glob("*/expected.txt")
        for rule in re.findall(r"^\d+:\d+ \w+ \[([a-z-]+)\]", file.read_text("utf-8"), re.MULTILINE)
    }
    assert len(told) > 30
    rules = bundled() / "connector_host" / "manifests"
    for file in [*rules.glob("*.py"), *rules.glob("rules/*.py"), *rules.glob("reading/*.py")]:
        told |= set(re.findall(r'problem\(\s*[^"]*?"([a-z]+(?:-[a-z]+)+)"', file.read_text("utf-8")))
    assert [rule for rule in sorted(told) if f"`{rule}`" not in text] == []
