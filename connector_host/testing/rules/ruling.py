"""What a rule of the kit is: a code, a grade, a sentence, and a check of a plugin or of each of its commands."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from connector_host.contract.manifest import Command
from connector_host.testing.bench import Bench

GRADES = ("bronze", "silver", "gold", "platinum")
NOT_APPLICABLE = "(not applicable)"
Seen = str | None  # what was seen to be wrong; None where nothing was
Check = Callable[[Bench, Command], Awaitable[Seen]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; a check of the plugin gets any one of its commands."""

    code: str
    grade: str
    sentence: str
    each_command: bool
    check: Check


RULES: dict[str, Rule] = {}


def rule(code: str, grade: str, sentence: str, *, each_command: bool = True) -> Callable[[Any], Any]:
    """Enter a check under its code."""

    def enter(check: Check) -> Check:
        RULES[code] = Rule(code, grade, sentence, each_command, check)
        return check

    return enter
