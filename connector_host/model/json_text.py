"""JSON as RFC 8259 has it, and nothing that Python alone would take: NaN, numbers beyond all, names given twice."""

import json
from typing import Any, NoReturn

DEEPEST = 64  # lists and objects within one another


def parse_json(text: str, *, deepest: int = DEEPEST) -> Any:
    """Return what JSON text means; raises ValueError with words for whoever wrote it.

    Refused are NaN and Infinity, numbers that are larger than any, half characters (lone surrogates), names that an
    object has twice, and what is nested deeper than `deepest`.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"it nests deeper than {deepest} levels") from None
    if _is_deeper(value, deepest):
        raise ValueError(f"it nests deeper than {deepest} levels")
    if "\\u" in text and _has_half_character(value):
        raise ValueError("it holds half a character (a lone surrogate)")
    return value


def no_constant(name: str) -> NoReturn:
    """Refuse what JSON has no word for."""
    raise ValueError(f"{name} is not JSON")


def finite(text: str) -> float:
    """Return a number; raises ValueError for one that is larger than any."""
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{text[:40]} is larger than any number")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"'{name[:60]}' is given twice")
        found[name] = value
    return found


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return any(isinstance(one, dict | list) for one in level)


def _has_half_character(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


_DECODER = json.JSONDecoder(parse_constant=no_constant, parse_float=finite, object_pairs_hook=_once)
