"""What a command asks for, before it is bound to a server; and how its body is written."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from msgspec import field

from connector_host.model.authoring import Upload
from connector_host.model.guarded import Guarded
from connector_host.model.invocation_errors import RequestRefused

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class OutgoingRequest(Guarded, frozen=True):
    """One request: `json`, `form` or `parts` is its body."""

    hidden: ClassVar[frozenset[str]] = frozenset(["query", "headers", "json", "form", "parts"])

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    idempotent: bool | None = None
    deadline: float = float("inf")
    form: Mapping[str, Any] | None = None
    parts: Mapping[str, Any] | None = None


def encoded(order: OutgoingRequest) -> tuple[bytes | None, str]:
    """Return the order's body and its content type; raises RequestRefused."""
    if order.parts is not None:
        return _multipart(order.parts)
    if order.form is not None:
        return urlencode(query_pairs(order.form)).encode(), "application/x-www-form-urlencoded"
    return (None, "") if order.json is None else (_json(order.json), "application/json")


def _json(value: Any) -> bytes:
    try:
        return _JSON.encode(value).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise RequestRefused("The request's body is not JSON.", detail=str(error)) from error


def _multipart(parts: Mapping[str, Any]) -> tuple[bytes, str]:
    import httpx2  # noqa: PLC0415 - listing commands needs no client

    files = {
        name: (part.name, part.read(), part.media_type or "application/octet-stream")
        for name, part in parts.items()
        if isinstance(part, Upload)
    }
    data: dict[str, list[str]] = {}
    for name, value in query_pairs({name: part for name, part in parts.items() if name not in files}):
        data.setdefault(name, []).append(value)
    fields = [(name, (None, value)) for name, values in data.items() for value in values]
    if not files and not fields:  # the library makes no body of nothing; RFC 2046, 5.1.1 has one
        return b"--empty--\r\n", "multipart/form-data; boundary=empty"
    request = httpx2.Request("POST", "http://localhost", data=data if files else None, files=files or fields)
    return request.read(), request.headers["content-type"]


def query_text(value: Any) -> str:
    """Return a value as a query or a form carries it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)


def query_pairs(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return keys and values, a list's elements each by itself."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        several = value if isinstance(value, list | tuple) else (value,)
        pairs += [(name, query_text(one)) for one in several if one is not None]
    return pairs
