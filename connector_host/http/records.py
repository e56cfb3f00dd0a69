"""Takes a list out of a reply record by record, with each record's own text."""

import json
import re
from collections.abc import Sequence
from typing import Any, overload

import msgspec
from msgspec import Struct

from connector_host.http.replies import DECODER
from connector_host.model.paths import compile_path

_SPACE = re.compile(r"[ \t\n\r]*")
_scan = DECODER.scan_once  # type: ignore[attr-defined]  # documented in CPython's json.scanner, absent from its types


_split_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read = msgspec.json.Decoder().decode


class Texts(Sequence[str]):
    """The text of each element of a JSON array, split off when the first is asked for."""

    def __init__(self, array: bytes) -> None:
        self._array = array
        self._texts: list[str] | None = None

    def _all(self) -> list[str]:
        if self._texts is None:
            self._texts = [str(bytes(element), "utf-8") for element in _split_array(self._array)]
        return self._texts

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        return len(self._array) > 2  # noqa: PLR2004 - an empty array

    def __eq__(self, other: object) -> bool:
        return self._array == other._array if isinstance(other, Texts) else list(self) == other

    __hash__ = None  # type: ignore[assignment]


class ListReply(Struct):
    """A parsed reply: `records` and the text of each, and `rest`, the other top-level fields."""

    rest: dict[str, Any]
    records: list[Any] | None
    texts: Sequence[str]


def split_list(body: bytes, field: str) -> ListReply | None:
    """Split a reply `{"field": [...], ...}`; None where it is no object, `records` None where it has no such list.

    A field that begins with `$` is a path to the list. Raises ValueError, RecursionError for what is not JSON.
    """
    if not field.startswith("$"):
        try:
            parts = _split_object(body)
            array = bytes(parts.pop(field))
            if array.startswith(b"["):
                rest = {name: _read(part) for name, part in parts.items()}
                return ListReply(rest, _read(array), Texts(array))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError):
            pass  # the slower reader says what it is, or reads what only it can
    return _split_slowly(body.decode("utf-8-sig"), field)


def _split_slowly(text: str, field: str) -> ListReply | None:
    if field.startswith("$"):
        return _split_deep(text, field)
    position = _skip(text, 0)
    if text[position : position + 1] != "{":
        DECODER.decode(text)
        return None
    try:
        return _split(text, position + 1, field)
    except StopIteration as error:
        raise json.JSONDecodeError("Expecting value", text, error.value) from None
    except IndexError:
        raise json.JSONDecodeError("The text ends too early", text, len(text)) from None


def _split_deep(text: str, path: str) -> ListReply:
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
