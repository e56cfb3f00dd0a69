"""What is wrong with a value, in words that need no knowledge of JSON Schema; and what was probably meant."""

from collections.abc import Callable, Iterable
from typing import Any


def sentence_of(error: Any) -> str:
    """Return the reason in words that need no knowledge of JSON Schema."""
    if error.validator == "not" and not error.validator_value:
        return "It cannot be given here."
    bound = error.validator_value
    words: dict[str, Callable[[], str]] = {
        "type": lambda: f"It must be {_types(bound)}, not {_type_of(error.instance)}.",
        "enum": lambda: f"It must be one of {', '.join(map(str, bound))}{_given(error.instance)}.",
        "const": lambda: f"It must be {bound!r}.",
        "minLength": lambda: "It is empty." if bound == 1 else f"It must have at least {bound} characters.",
        "maxLength": lambda: f"It must have at most {bound} characters, and has {len(error.instance)}.",
        "minItems": lambda: "The list is empty." if bound == 1 else f"It must have at least {bound} elements.",
        "maxItems": lambda: f"It must have at most {bound} elements, and has {len(error.instance)}.",
        "minimum": lambda: f"It must be at least {bound}, and is {error.instance}.",
        "maximum": lambda: f"It must be at most {bound}, and is {error.instance}.",
        "pattern": lambda: f"It must match {bound}{_given(error.instance)}.",
        "uniqueItems": lambda: "It holds an element twice.",
    }
    say = words.get(error.validator)
    return say() if say else f"{error.message[:300]}."


LONGEST_NAME = 64  # characters; a longer one was meant to be no name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of the known names that `name` was probably meant to be."""
    import difflib  # noqa: PLC0415 - only a mistake pays

    if len(str(name)) > LONGEST_NAME:
        return None
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1)), None)


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a hint at the nearest of the known names, or at all of them, beginning with a space."""
    near = nearest(name, known)
    if near:
        return f" Did you mean '{near}'?"
    return f" Allowed: {', '.join(sorted(known))}." if known else ""


_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def _types(names: str | list[str]) -> str:
    listed = [names] if isinstance(names, str) else names
    return " or ".join(_TYPE_WORDS.get(name, name) for name in listed)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((_TYPE_WORDS[name] for kind, name in kinds if isinstance(value, kind)), type(value).__name__)


def _given(value: Any) -> str:
    text = str(value)
    return f", not '{text}'" if len(text) <= 60 else ""  # noqa: PLR2004 - longer is not worth repeating


_MOST = 30


def hint(name: str, known: Iterable[str]) -> tuple[str, str | None]:
    """Return advice for a name that is not known, and the name that was probably meant."""
    names = sorted(known)
    near = nearest(name, names)
    shown = ", ".join(names[:_MOST]) + (", …" if len(names) > _MOST else "")
    advice = f"Did you mean '{near}'? " if near else ""
    return f"{advice}Allowed: {shown}." if names else f"{advice}There is none.", near
