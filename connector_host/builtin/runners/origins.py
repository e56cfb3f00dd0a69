"""The declared servers of a plugin as one connection fills them in; makes requests that can not leave them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode
from weakref import WeakKeyDictionary

from connector_host.builtin.runners.template import compile_value
from connector_host.contract.errors import RequestRefused, RequestTooLarge
from connector_host.contract.manifest import Limit, Manifest, RetryPolicy, Server
from connector_host.contract.origin import check_origin
from connector_host.contract.paths import ABSENT, compile_path
from connector_host.contract.ports import Allowance, OpenConnection, Request

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_ILLEGAL_IN_PATH = re.compile(r"[?#\\\s\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Order:
    """What a command asks for, before it is bound to an origin."""

    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    json: Any
    idempotent: bool | None
    deadline: float


class Origin:
    """One declared server of one connection."""

    def __init__(self, server: Server, values: Mapping[str, Any], retry: RetryPolicy) -> None:
        roots = {"connection": values}
        base = compile_value(server.url)(roots)
        if base is ABSENT or not isinstance(base, str):
            raise RequestRefused(f"The connection gives no URL for the server '{server.name}'.")
        self.server = server
        self._base = check_origin(base)
        self._headers = {
            "Accept-Encoding": "gzip",
            "User-Agent": "connector-host/1",
            **_filled(server, roots),
        }
        self._values = values
        self._retry = retry
        self._fingerprints: dict[Any, str] = {}

    def request(self, order: Order) -> Request:
        """Return the complete request; raises RequestRefused, RequestTooLarge."""
        body = None if order.json is None else _encoded(order.json)
        if body is not None and self.server.max_body is not None and len(body) > self.server.max_body:
            raise RequestTooLarge(
                f"The request has {len(body)} bytes; the server '{self.server.name}' accepts {self.server.max_body}.",
                assistance="Send less at once.",
            )
        headers = {**self._headers, **{name: _header(name, value) for name, value in order.headers.items()}}
        if body is not None:
            headers["Content-Type"] = "application/json"
        query = _query(order.query)
        idempotent = order.method in _IDEMPOTENT if order.idempotent is None else order.idempotent
        return Request(
            method=order.method,
            url=f"{self._base}{_checked_path(order.path)}{'?' if query else ''}{query}",
            server=self.server.name,
            headers=headers,
            body=body,
            idempotent=idempotent,
            allowance=self._allowance(self.server.limit, order.json),
            retry=self._retry,
            deadline=order.deadline,
        )

    def path_of(self, url: str) -> str | None:
        """Return the path and query of an absolute or relative URL on this server, or None where it leads elsewhere."""
        if url.startswith(self._base + "/"):
            return url[len(self._base) :]
        return url if url.startswith("/") and not url.startswith("//") else None

    def _allowance(self, limit: Limit | None, body: Any) -> Allowance | None:
        if limit is None:
            return None
        roots = {"connection": self._values, "body": body}
        per: Any = (
            compile_path(limit.per).first(roots) if limit.per.startswith("$") else self._values.get(limit.per, ABSENT)
        )
        requests = limit.requests if isinstance(limit.requests, int) else compile_path(limit.requests).first(roots)
        if not isinstance(requests, int):
            return None
        who = self._fingerprints.get(per)
        if who is None:
            text = f"{self.server.name}\0{self._base}\0{per}"
            who = self._fingerprints[per] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return Allowance(who, requests, limit.seconds)


class Origins:
    """The origins of every connection in use, made once each."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[OpenConnection, dict[str, Origin]] = WeakKeyDictionary()

    def get(self, manifest: Manifest, opened: OpenConnection, server: str) -> Origin:
        """Return the origin; raises RequestRefused for a server that is not declared."""
        made = self._made.setdefault(opened, {})
        if server not in made:
            if server not in manifest.servers:
                raise RequestRefused(
                    f"The plugin declares no server '{server}'. It has: {', '.join(manifest.servers)}."
                )
            made[server] = Origin(manifest.servers[server], opened.values, manifest.retry)
        return made[server]


def _filled(server: Server, roots: Mapping[str, Any]) -> dict[str, str]:
    filled = compile_value(server.headers)(roots)
    return {name: _header(name, value) for name, value in filled.items()}


def _header(name: str, value: Any) -> str:
    text = str(value).strip(" \t")
    if not _HEADER_NAME.fullmatch(name) or not text.isascii() or not (text.isprintable() or not text):
        raise RequestRefused(
            f"The value for the header {name} holds characters that a header can not carry.",
            assistance="Use printable ASCII characters, without line breaks.",
        )
    return text


def _encoded(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise RequestRefused("The request's body is not JSON.", detail=str(error)[:200]) from error


def _checked_path(path: str) -> str:
    """Return a path that stays below the server's URL, whoever reads it; the query has a place of its own."""
    if not path.startswith("/") or _ILLEGAL_IN_PATH.search(path):
        raise RequestRefused(
            "The path is not one: it must begin with '/' and carry no '?', '#', backslash or space.",
            assistance="Build paths with url(), and give the query by itself.",
        )
    if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        raise RequestRefused("The path climbs ('.' or '..' as a segment).", assistance="Build paths with url().")
    return path


def _query_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _query(query: Mapping[str, Any]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        several = value if isinstance(value, list | tuple) else (value,)
        pairs += [(name, _query_text(one)) for one in several if one is not None]
    try:
        return urlencode(pairs)
    except UnicodeEncodeError:
        raise RequestRefused("The query is not valid Unicode text.") from None
