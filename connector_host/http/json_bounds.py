"""What strangers' JSON would cost to read, seen before it is; and its half characters, mended once it is read."""

import re
from itertools import accumulate
from typing import Any

DEEPEST = 200  # lists and objects within one another
MOST_VALUES = 2_000_000  # each takes about 70 bytes; an object counts four times
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = bytes.maketrans(b"[{]}", bytes([2, 2, 0, 0]))
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_LEVELS = 20  # folded away; hardly any JSON has more


def refusal(body: bytes) -> str | None:
    """Return why a JSON text is not read, or None; takes a fraction of what reading takes."""
    values = body.count(b",") + body.count(b"[") + 4 * body.count(b"{")
    if values > MOST_VALUES:
        return f"it holds more than {MOST_VALUES:,} values"
    if values > DEEPEST and _is_deep(body):
        return f"its lists and objects stand deeper than {DEEPEST} within one another"
    return None


def _is_deep(body: bytes) -> bool:
    """Count brackets outside of texts, once the innermost lists and objects are folded away, level by level."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    left = b"".join(body.translate(None, _OTHERS).split(b'"')[::2])
    for _ in range(_LEVELS):
        folded = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(folded) == len(left):
            break
        left = folded
    if left.count(b"[") + left.count(b"{") <= DEEPEST - _LEVELS:
        return False
    return max(accumulate(step - 1 for step in left.translate(_STEPS)), default=0) > DEEPEST - _LEVELS


def mended_as_read(text: str, value: Any) -> Any:
    """Return the value of a JSON text, mended where the text has half characters; a look at the text costs least."""
    return mended(value) if _HALF.search(text) else value


def mended(value: Any) -> Any:
    """Return the value with half characters (lone surrogates) replaced, so that it can be written anywhere."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(child) for child in value]
    if isinstance(value, dict):
        return {mended(key): mended(child) for key, child in value.items()}
    return value
