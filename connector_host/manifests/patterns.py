r"""Patterns of schemas, on an engine whose time grows with the text alone (Rust's regex), wherever they are asked.

What it cannot run is refused: look-arounds, references back. `\d`, `\w` and `$` mean what ECMA 262 says, in both the
verdict and its explanation.
"""

from functools import lru_cache
from typing import Any


def options() -> Any:
    """Return what tells jsonschema-rs to use the linear engine."""
    import jsonschema_rs  # noqa: PLC0415 - listing plugins needs no schema

    return jsonschema_rs.RegexOptions()


@lru_cache(1024)
def _compiled(pattern: str) -> Any:
    import jsonschema_rs  # noqa: PLC0415 - see above

    return jsonschema_rs.Draft202012Validator({"type": "string", "pattern": pattern}, pattern_options=options())


def matches(pattern: str, text: str) -> bool:
    """Whether a text holds what the pattern describes; raises ValueError for a pattern that cannot be run."""
    return bool(_usable(pattern).is_valid(text))


def fault_of_pattern(pattern: str) -> str | None:
    """Return why a pattern cannot be run, or None."""
    try:
        _usable(pattern)
    except ValueError as error:
        return str(error)
    return None


def _usable(pattern: str) -> Any:
    import jsonschema_rs  # noqa: PLC0415 - see above

    try:
        return _compiled(pattern)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        if any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!", "\\Z", "\\1", "(?P=")):
            reason = "look-arounds, \\Z and references back need an engine that can take for ever"
        else:
            reason = "it is no regular expression"
        raise ValueError(f"The pattern {pattern} cannot be used: {reason}.") from error
