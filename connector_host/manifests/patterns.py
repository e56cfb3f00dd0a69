r"""Patterns of schemas, on an engine whose time grows with the text alone (Rust's regex), wherever they are asked.

What it cannot run is refused: look-arounds, references back. `\d`, `\w` and `$` mean what ECMA 262 says, in both the
verdict and its explanation.
"""

import re
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


def without_unusable(schema: Any, where: tuple[str | int, ...] = ()) -> tuple[Any, list[tuple[str | int, ...]]]:
    """Return a schema without the patterns that cannot be run, and where they stood."""
    if isinstance(schema, list):
        parts = [without_unusable(child, (*where, index)) for index, child in enumerate(schema)]
        return [child for child, _ in parts], [place for _, places in parts for place in places]
    if not isinstance(schema, dict):
        return schema, []
    kept, gone = {}, []
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str) and fault_of_pattern(value) is not None:
            gone.append((*where, key))
            continue
        kept[key], places = without_unusable(value, (*where, key))
        gone += places
    return kept, gone


def _usable(pattern: str) -> Any:
    import jsonschema_rs  # noqa: PLC0415 - see above

    try:
        return _compiled(pattern)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        reason = ENDLESS if _python_reads(pattern) else "it is no regular expression"
        raise ValueError(f"The pattern {pattern} cannot be used: {reason}.") from error


ENDLESS = "look-arounds, \\Z and references back need an engine that can take for ever"


def _python_reads(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
