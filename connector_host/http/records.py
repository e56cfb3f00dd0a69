"""Takes a list out of a reply record by record, with each record's own text."""

import json
import re
from typing import Any

from connector_host.http.replies import DECODER, collector_paused
from connector_host.model.paths import compile_path

_SPACE = re.compile(r"[ \t\n\r]*")
_scan = DECODER.scan_once  # type: ignore[attr-defined]  # documented in CPython's json.scanner, absent from its types


class ListReply:
    """A parsed reply: `records` and the text of each, and `rest`, the other top-level fields."""

    __slots__ = ("records", "rest", "texts")

    def __init__(self, rest: dict[str, Any], records: list[Any] | None, texts: list[str]) -> None:
        self.rest = rest
        self.records = records
        self.texts = texts


def split_list(text: str, field: str) -> ListReply | None:
    """Split a reply `{"field": [...], ...}`; None where it is no object, `records` None where it has no such list.

    A field that begins with `$` is a path to the list. Raises ValueError, RecursionError for text that is not JSON.
    """
    if field.startswith("$"):
        return _split_deep(text, field)
    position = _skip(text, 0)
    if text[position : position + 1] != "{":
        DECODER.decode(text)
        return None
    with collector_paused():
        try:
            return _split(text, position + 1, field)
        except StopIteration as error:
            raise json.JSONDecodeError("Expecting value", text, error.value) from None
        except IndexError:
            raise json.JSONDecodeError("The text ends too early", text, len(text)) from None


def _split_deep(text: str, path: str) -> ListReply:
    with collector_paused():
        value = DECODER.decode(text)
    records = compile_path(path).first(value)
    found = records if isinstance(records, list) else None
    texts = [json.dumps(record, ensure_ascii=False) for record in found or ()]
    return ListReply(value if isinstance(value, dict) else {}, found, texts)


def _split(text: str, position: int, field: str) -> ListReply:
    rest: dict[str, Any] = {}
    records: list[Any] | None = None
    texts: list[str] = []
    position = _skip(text, position)
    while text[position] != "}":
        key, position = _key(text, position)
        if key == field and text[position] == "[":
            records, texts, position = _elements(text, position + 1)
        else:
            rest[key], position = _scan(text, position)
        position = _after_comma(text, position, "}")
    if _skip(text, position + 1) != len(text):
        raise json.JSONDecodeError("Extra data", text, position + 1)
    return ListReply(rest, records, texts)


def _key(text: str, position: int) -> tuple[str, int]:
    if text[position] != '"':
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
    key, position = _scan(text, position)
    position = _skip(text, position)
    if text[position] != ":":
        raise json.JSONDecodeError("Expecting ':' delimiter", text, position)
    return key, _skip(text, position + 1)


def _elements(text: str, position: int) -> tuple[list[Any], list[str], int]:
    records: list[Any] = []
    texts: list[str] = []
    position = _skip(text, position)
    while text[position] != "]":
        record, end = _scan(text, position)
        records.append(record)
        texts.append(text[position:end])
        position = _after_comma(text, end, "]")
    return records, texts, position + 1


def _after_comma(text: str, position: int, closing: str) -> int:
    position = _skip(text, position)
    if text[position] == ",":
        position = _skip(text, position + 1)
        if text[position] == closing:
            raise json.JSONDecodeError("Illegal trailing comma", text, position)
    elif text[position] != closing:
        raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
    return position


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None  # noqa: S101 - the pattern matches the empty text
    return match.end()
