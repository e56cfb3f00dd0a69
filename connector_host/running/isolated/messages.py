"""What passes between the host and a plugin's own process: one JSON object a line, and errors as facts."""

import json
from pathlib import Path
from typing import Any

from msgspec import convert, to_builtins

from connector_host.model import invocation_errors
from connector_host.model.authoring import Failed, Item, Page, Upload
from connector_host.model.failure import Failure
from connector_host.model.invocation_errors import CommandBug, InvocationError

_FILE = "$connector-host-file"


def line(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent; what JSON has no word for is refused with TypeError or ValueError."""
    return json.dumps(message, default=_plain, allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Upload):
        return {_FILE: [value.name, value.media_type, value.size, str(value.path)]}
    raise TypeError(f"{type(value).__name__} cannot leave the plugin's process: give text, numbers, lists and objects")


def with_files(value: Any) -> Any:
    """Return inputs with files as files again."""
    if isinstance(value, dict) and _FILE in value:
        name, media_type, size, path = value[_FILE]
        return Upload(name, media_type, size, Path(path))
    return {key: with_files(one) for key, one in value.items()} if isinstance(value, dict) else value


def encode_error(error: InvocationError) -> dict[str, Any]:
    """Return an error as facts."""
    return {"class": type(error).__name__, "failure": to_builtins(error.failure)}


def decode_error(facts: dict[str, Any]) -> InvocationError:
    """Return the error that facts tell of, of the same class."""
    found = getattr(invocation_errors, facts["class"], None) if facts["class"] != "Failed" else Failed
    fitting = isinstance(found, type) and issubclass(found, InvocationError)
    kind: type[InvocationError] = found if fitting and isinstance(found, type) else CommandBug
    error = kind.__new__(kind)
    failure = convert(facts["failure"], Failure)
    Exception.__init__(error, failure.message)
    error.failure = failure
    return error


def item_told(item: Item | Page) -> dict[str, Any]:
    """Return an item, or a page, as a message's facts."""
    if isinstance(item, Page):
        return {"page": {"records": item.records, "texts": list(item.texts)}}
    if isinstance(item.value, InvocationError):
        return {"key": item.key, "error": encode_error(item.value)}
    if isinstance(item.value, Page):
        return {"key": item.key, **item_told(item.value)}
    failed = {} if item.failure is None else {"failure": encode_error(item.failure)}
    return {"key": item.key, "value": item.value, **failed}


def item_of(facts: dict[str, Any]) -> Item | Page:
    """Return the item, or the page, that facts tell of; a page from a process is never vouched for as clean."""
    if "page" in facts:
        page = Page(facts["page"]["records"], facts["page"]["texts"])
        return Item(facts["key"], page) if "key" in facts else page
    if "error" in facts:
        return Item(facts["key"], decode_error(facts["error"]))
    return Item(facts["key"], facts["value"], decode_error(facts["failure"]) if "failure" in facts else None)
