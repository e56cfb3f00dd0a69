"""Whose word a refusal is: the product's, in a form that its plugin declares, or a gateway's on the way to it.

A plugin that declares no forms, or one only, is given the benefit of the doubt: all but a page can be its product's.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from connector_host.http.json_bounds import mended_as_read, refusal
from connector_host.model.failure import Kind
from connector_host.model.invocation_errors import ApiError
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.requests import ErrorForm, Server
from connector_host.ports.parts import Reply

_KINDS = {
    401: Kind.UNAUTHORIZED,
    403: Kind.ACCESS_DENIED,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    413: Kind.TOO_LARGE,
    429: Kind.RATE_LIMITED,
}
_TITLE = re.compile(rb"<title[^>]*>(.{0,200}?)</title", re.IGNORECASE | re.DOTALL)
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<center", b"<h1")
_XML = re.compile(rb"<\?xml.{0,200}?\?>|<!--.{0,2000}?-->", re.DOTALL)
_PROXYS_OWN = ("proxy-authenticate", "x-squid-error")
_REFUSED, _WANTS_A_LOGIN = 400, 407
_KEPT = 100_000  # bytes of an error's body that are read; what is shown of it is cut where it is masked
_SHORT = 1000  # characters of a plain text that can be a product's own word
_TEXTS = 20  # of a body's explanations that are told
_EXPLAINS = (
    "message", "error_message", "error", "error_description", "title", "detail", "details", "description", "reason",
    "errors",
)  # fmt: skip
_EMPTY = "The answer is empty: a gateway or proxy on the way may have given it as well."


class ErrorBody(Struct, frozen=True):
    """What an error's body holds: `form` is json, string, text, empty or page; `value` its JSON, its text or title."""

    form: str
    value: Any


def read(body: bytes) -> ErrorBody:
    """Return what an error's body holds, whatever it is."""
    if is_page(body):
        return ErrorBody("page", title_of(body))
    text = body[:_KEPT].decode("utf-8-sig", "replace").strip()
    if not text:
        return ErrorBody("empty", "")
    if refusal(body[:_KEPT]):  # nested beyond all use: whoever looks for words in it would not come back
        return ErrorBody("text", text)
    try:
        value = mended_as_read(text, json.loads(text))
    except (ValueError, RecursionError):
        return ErrorBody("text", text)
    texts = value if isinstance(value, list) else [value]
    return ErrorBody("string" if all(isinstance(one, str) for one in texts) else "json", value)


def is_page(body: bytes) -> bool:
    """Whether a body is an HTML page with something in it."""
    if body[:1] in {b"{", b"["}:  # nearly every answer: JSON begins no page
        return False
    return _XML.sub(b"", body[:4000]).lstrip(b"\xef\xbb\xbf \t\r\n")[:40].lower().startswith(_PAGE)


def title_of(body: bytes) -> str:
    """Return a page's title, empty where it has none."""
    found = _TITLE.search(body[:20_000])
    return "" if found is None else " ".join(found[1].decode("utf-8", "replace").split())


class Refusals:
    """The refusals of one declared server, as one connection asks it at `address`."""

    def __init__(self, server: Server, address: str) -> None:
        self._forms = server.errors
        self._assistance = server.assistance
        self._address = address

    def is_a_gateways(self, reply: Reply) -> bool:
        """Whether there is evidence that something else than the product refuses."""
        return reply.status >= _REFUSED and self._not_the_products(reply, read(reply.body))

    def error(self, reply: Reply) -> ApiError:
        """Return what a refusal is: the product's, in its own words where it has any, or a gateway's."""
        body = read(reply.body)
        if self._not_the_products(reply, body):
            return self._gateways(reply, body)
        form = self._form(body)
        kind = kind_of(reply.status)
        told = _told(form or ErrorForm(), body)
        if kind is Kind.RATE_LIMITED and not told and reply.remark:
            return ApiError(
                reply.remark, kind=kind, assistance=self._assistance.get(kind, ""), http_status=reply.status
            )
        sentence = next(iter(told), phrase(reply.status))
        rest = [*told[1:], *([_EMPTY] if body.form == "empty" and kind is not Kind.RATE_LIMITED else [])]
        return ApiError(
            sentence,
            kind=kind,
            code=None if form is None else _code(form, body.value),
            detail=" ".join(filter(None, ["; ".join(rest), reply.remark])),
            assistance=self._assistance.get(kind, ""),
            http_status=reply.status,
        )

    def _not_the_products(self, reply: Reply, body: ErrorBody) -> bool:
        if reply.status == _WANTS_A_LOGIN or any(name in reply.headers for name in _PROXYS_OWN):
            return True
        undeclared = self._form(body) is None
        return undeclared and (body.form == "page" or (bool(self._forms) and body.form != "empty"))

    def _form(self, body: ErrorBody) -> ErrorForm | None:
        return next((one for one in self._forms if _fits(one, body)), None)

    def _gateways(self, reply: Reply, body: ErrorBody) -> ApiError:
        """Return what a gateway's refusal is: it says nothing of keys, roles and identifiers."""
        if body.form == "page":
            what = f"with a page titled '{body.value}'" if body.value else "with a page"
        else:
            words = "; ".join(_told(ErrorForm(), body))
            what = f"in another form than the product does: {words}" if words else "in another form than the product"
        through = f", through the proxy {reply.proxy}" if reply.proxy else ""
        return ApiError(
            f"A gateway, a proxy or another server answered {reply.status} {what}",
            kind=Kind.GATEWAY,
            detail=f"The address asked is {self._address}{through}. {reply.remark}".rstrip(),
            assistance="Check that address, and ask who runs the network in between.",
            http_status=reply.status,
        )


def kind_of(status: int) -> Kind:
    """Return what kind of failure a product's status is."""
    return _KINDS.get(status) or (Kind.SERVER_ERROR if status >= 500 else Kind.REJECTED)  # noqa: PLR2004 - RFC 9110, 15.6


def phrase(status: int) -> str:
    """Return a status in words."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"The server answered with status {status}"


def _fits(form: ErrorForm, body: ErrorBody) -> bool:
    paths = (*form.code, *form.message, *form.details)
    if form.body != body.form:
        return False
    if body.form == "text":
        return len(body.value) <= _SHORT
    return body.form != "json" or not paths or _first(body.value, paths) is not None


def _told(form: ErrorForm, body: ErrorBody) -> list[str]:
    """Return every text of a body that explains, the product's message first."""
    if body.form == "text":
        return [" ".join(body.value.split())]
    declared = [*_texts(_first(body.value, form.message)), *_texts(_first(body.value, form.details))]
    code = _code(form, body.value)
    every = dict.fromkeys([*declared, *_explanations(body.value)])
    return [text for text in every if text != code][:_TEXTS]


def _explanations(value: Any) -> Iterator[str]:
    """Return the texts under the keys that products explain themselves with, wherever they stand."""
    if isinstance(value, Mapping):
        for key in _EXPLAINS:
            yield from _explanations(value.get(key))
        if not any(key in value for key in _EXPLAINS):
            yield from _texts(value)
    else:
        yield from (text for one in (value if isinstance(value, list) else [value]) for text in _part(one))


def _part(value: Any) -> Iterator[str]:
    yield from _explanations(value) if isinstance(value, Mapping) else _texts(value)


def _texts(value: Any) -> list[str]:
    """Return what a message says, that may be text, a list or an object of texts by the field they are about."""
    if value is None or isinstance(value, bool):
        return []
    if isinstance(value, list):
        return [text for one in value[:_TEXTS] for text in _texts(one)]
    if isinstance(value, Mapping):
        explained = any(key in value for key in _EXPLAINS)
        if explained:
            return list(dict.fromkeys(_explanations(value)))
        named = [(key, ", ".join(_texts(child))) for key, child in list(value.items())[:_TEXTS]]
        return [f"{key}: {text}" for key, text in named if text]
    text = str(value).strip()
    return [text] if text else []


def _code(form: ErrorForm, value: Any) -> str | None:
    code = _first(value, form.code)
    plain = isinstance(code, int | str) and not isinstance(code, bool)
    return str(code).strip() or None if plain else None


def _first(body: Any, paths: Sequence[str]) -> Any:
    for path in paths:
        value = compile_path(path).first(body)
        if value is not ABSENT and value is not None and value not in ("", [], {}):
            return value
    return None
