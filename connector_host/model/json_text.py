"""JSON as RFC 8259 has it, and nothing that Python alone would take: NaN, numbers beyond all, names given twice."""

import json
import re
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


_SAME = {"\\\\": "\\\\", "\\/": "/"}
_HIDING = re.compile(r"\\\\|\\u([0-9a-fA-F]{4})|\\/")
_CODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_FEW = 64  # characters that are hidden in a text: written one after the other, in a fifth of the time
_NONE, _BACKSLASH = "\0", {"005c", "005C"}


def unescaped(text: str) -> str:
    r"""Return JSON text with `\uXXXX` and `\/` as the characters they stand for; pairs of surrogates become one."""
    plain = text.replace("\\\\", _NONE)  # a run of backslashes begins with an escape, so its pairs are these
    codes = set(_CODE.findall(plain))
    if _NONE in text or len(codes) > _FEW or codes & {"0000", *_BACKSLASH}:
        plain = _HIDING.sub(lambda found: _SAME.get(found[0]) or chr(int(found[1], 16)), text)
    else:
        plain = plain.replace("\\/", "/")
        for code in codes:
            plain = plain.replace(f"\\u{code}", chr(int(code, 16)))
        plain = plain.replace(_NONE, "\\\\")
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
