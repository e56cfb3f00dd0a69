"""The declared servers of a plugin as one connection fills them in; makes requests that can not leave them."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import unquote, urlencode
from weakref import WeakKeyDictionary

from connector_host.builtin.runners.orders import Order, encoded, query_pairs
from connector_host.builtin.runners.template import compile_value
from connector_host.contract.errors import RequestRefused, RequestTooLarge
from connector_host.contract.manifest import Manifest
from connector_host.contract.origin import check_origin
from connector_host.contract.paths import ABSENT, compile_path
from connector_host.contract.ports import Allowance, OpenConnection, Request
from connector_host.contract.requests import Auth, Limit, RetryPolicy, Server

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_ILLEGAL_IN_PATH = re.compile(r"[?#\\\s\x00-\x1f\x7f]")


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
            **{name: _header(name, value) for name, value in compile_value(server.headers)(roots).items()},
        }
        self._query = dict(compile_value(server.query)(roots))
        if server.auth is not None:
            self._show_who_asks(filled_auth(server.auth, roots))
        self._values = values
        self._retry = retry
        self._fingerprints: dict[Any, str] = {}

    def request(self, order: Order) -> Request:
        """Return the complete request; raises RequestRefused, RequestTooLarge."""
        body, content_type = encoded(order)
        if body is not None and self.server.max_body is not None and len(body) > self.server.max_body:
            raise RequestTooLarge(
                f"The request has {len(body)} bytes; the server '{self.server.name}' accepts {self.server.max_body}.",
                assistance="Send less at once.",
            )
        headers = {**self._headers, **{name: _header(name, value) for name, value in order.headers.items()}}
        if body is not None:
            _set_type(headers, content_type, declared_holds=order.parts is None)
        query = _query({**order.query, **self._query})
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

    def _show_who_asks(self, auth: Auth) -> None:
        """Put fixed credentials into the headers or the query; oauth2 tokens come with each order."""
        if auth.type == "basic":
            self._headers["Authorization"] = _header("Authorization", _basic(auth.username, auth.password))
        elif auth.type == "bearer":
            self._headers["Authorization"] = _header("Authorization", f"Bearer {auth.token}")
        elif auth.type == "header":
            self._headers[auth.name] = _header(auth.name, auth.value)
        elif auth.type == "query":
            self._query[auth.name] = auth.value

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


def filled_auth(auth: Auth, roots: Mapping[str, Any]) -> Auth:
    """Return the authentication with the connection's values in it; what is not there is empty."""
    filled: dict[str, Any] = {one.name: compile_value(getattr(auth, one.name))(roots) for one in fields(auth)}
    return Auth(**{name: value for name, value in filled.items() if value is not ABSENT and value is not None})


def _header(name: str, value: Any) -> str:
    text = str(value).strip(" \t")
    if not _HEADER_NAME.fullmatch(name) or not text.isascii() or not (text.isprintable() or not text):
        raise RequestRefused(
            f"The value for the header {name} holds characters that a header can not carry.",
            assistance="Use printable ASCII characters, without line breaks.",
        )
    return text


def _set_type(headers: dict[str, str], content_type: str, *, declared_holds: bool) -> None:
    """Give headers the body's type, unless one is declared and holds: a multipart body's has a boundary in it."""
    declared = next((name for name in headers if name.lower() == "content-type"), None)
    if declared is None or not declared_holds:
        headers.pop(declared or "", None)
        headers["Content-Type"] = content_type


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


def _query(query: Mapping[str, Any]) -> str:
    try:
        return urlencode(query_pairs(query))
    except UnicodeEncodeError:
        raise RequestRefused("The query is not valid Unicode text.") from None


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
