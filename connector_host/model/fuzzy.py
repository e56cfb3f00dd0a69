"""Choice by a few letters: of what has them in their order, the closest first."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
LONGEST = 64  # characters; who types more is looking for a text, not by letters


def in_order(letters: str) -> str:
    """Return the pattern, as Selection.name takes it, of names with these letters in their order, in any case."""
    return "*" + "".join(f"{_any_case(letter)}*" for letter in _typed(letters))


def containing(text: str) -> str:
    """Return the pattern, as Selection.name takes it, of names with this text in them, in any case."""
    return f"*{''.join(map(_any_case, text))}*"


def exactly(text: str) -> str:
    """Return the pattern, as Selection.name takes it, of this name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _any_case(letter: str) -> str:
    cases = "".join(dict.fromkeys((letter, letter.lower()[:1], letter.upper()[:1])))
    return f"[{cases}]" if len(cases) > 1 else exactly(letter)


def _typed(letters: str) -> str:
    return "".join(letters.split())[:LONGEST]


def best(found: Iterable[T], letters: str, name: Callable[[T], str]) -> list[T]:
    """Return those whose names have the letters in their order, in any case, the best match first.

    Best is a name that begins with them, then one whose words do, then one in which they stand close together; without
    letters all are as good as they come.
    """
    typed = _typed(letters).casefold()
    if not typed:
        return list(found)
    ranked = ((_distance(name(one).casefold(), typed), len(name(one)), name(one), one) for one in found)
    return [row[-1] for row in sorted((row for row in ranked if row[0] is not None), key=lambda row: row[:-1])]


def _distance(name: str, typed: str) -> tuple[bool, bool, bool, int, int] | None:
    """Return how far a name is from the letters, to be sorted by; None for one that lacks some of them."""
    near = re.compile(f"(?=({'.*?'.join(map(re.escape, typed))}))", re.DOTALL)
    spans = [(len(match[1]), match.start()) for match in near.finditer(name)]
    if not spans:
        return None
    words = [word for word in re.split(r"[\W_]+", name) if word]
    initials = "".join(word[0] for word in words)
    begins = "".join(name.split()).startswith(typed)
    return (not begins, typed not in initials, not any(word.startswith(typed) for word in words), *min(spans))
