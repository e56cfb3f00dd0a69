"""Choice by a few letters: of what has them in their order, the closest first."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar
from unicodedata import normalize

T = TypeVar("T")
LONGEST = 64  # characters; who types more is looking for a text, not by letters


def in_order(letters: str) -> str:
    """Return the pattern, as Selection.name takes it, of names with these letters in their order, in any case."""
    return "*" + "".join(f"{_any_case(letter)}*" for letter in _typed(letters))


def beginning(text: str) -> str:
    """Return the pattern, as Selection.name takes it, of names that begin with this text, in any case."""
    return "".join(map(_any_case, text)) + "*"


def containing(text: str) -> str:
    """Return the pattern, as Selection.name takes it, of names with this text in them, in any case."""
    return f"*{''.join(map(_any_case, text))}*"


def exactly(text: str) -> str:
    """Return the pattern, as Selection.name takes it, of this name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _any_case(letter: str) -> str:
    cases = "".join(dict.fromkeys(one for one in (letter, letter.lower(), letter.upper()) if len(one) == 1))
    return f"[{cases}]" if len(cases) > 1 else exactly(letter)


def _typed(letters: str) -> str:
    return "".join(normalize("NFC", letters).split())[:LONGEST]


def best(found: Iterable[T], letters: str, name: Callable[[T], str]) -> list[T]:
    """Return those whose names have the letters in their order, in any case, the best match first.

    Best is a name that is what was typed, then one that begins with it, then one whose words do by their first letters,
    then one with such a word, then one in which the letters stand close together; of equals the shorter. Without
    letters all are as good as they come.
    """
    typed = _typed(letters).lower()
    if not typed:
        return list(found)
    ranked = ((name(one) != letters, _distance(name(one).lower(), typed), name(one), one) for one in found)
    return [row[-1] for row in sorted((row for row in ranked if row[1] is not None), key=_rank)]


def _rank(row: tuple[bool, tuple[int, ...] | None, str, object]) -> tuple[bool, tuple[int, ...], int, str]:
    other, distance, name, _ = row
    return other, distance or (), len(name), name


def _distance(name: str, typed: str) -> tuple[int, ...] | None:
    """Return how far a name is from the letters, to be sorted by; None for one that lacks some of them."""
    spans = [(end - start, start) for start, end in _spans(name, typed)]
    if not spans:
        return None
    words = [word for word in re.split(r"[\W_]+", name) if word]
    begins = "".join(name.split()).startswith(typed)
    initials = typed in "".join(word[0] for word in words)
    return (not begins, not initials, not any(word.startswith(typed) for word in words), *min(spans))


def _spans(name: str, typed: str) -> Iterable[tuple[int, int]]:
    """Return where the letters stand in their order: from each place of the first to the nearest place of the last."""
    start = name.find(typed[0])
    while start >= 0:
        end = start
        for letter in typed[1:]:
            end = name.find(letter, end + 1)
            if end < 0:
                return  # nor from any later place
        yield start, end + 1
        start = name.find(typed[0], start + 1)
