"""Judges a reply: JSON out of a good one, one error with status, code, sentence and advice out of any other."""

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec
from msgspec.structs import replace

from connector_host.http.json_bounds import refusal
from connector_host.model.failure import Kind
from connector_host.model.invocation_errors import ApiError, UnexpectedReply
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.requests import ErrorPaths, ResponseRule
from connector_host.model.template import compile_value
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
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_KEPT = 100_000  # bytes of an error's body that are read; what is shown of it is cut where it is masked


def json_of(reply: Reply, errors: ErrorPaths) -> Any:
    """Return the reply's JSON, None for an empty good reply; raises ApiError, UnexpectedReply."""
    if reply.status >= 400:  # noqa: PLR2004 - RFC 9110, 15.5 and 15.6
        raise api_error(reply, errors)
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
        raise UnexpectedReply(
            f"The server answered with status {reply.status}, which its API does not promise.",
            http_status=reply.status,
        )
    return parsed(reply) if reply.body.strip() else None


def text_of(reply: Reply) -> str:
    """Return the body as text; raises UnexpectedReply."""
    try:
        return reply.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise not_json(reply, "it is not UTF-8 text") from None


def refuse_hostile(reply: Reply) -> None:
    """Raise UnexpectedReply for JSON that would fill the memory, or is nested beyond all use."""
    reason = refusal(reply.body)
    if reason is not None:
        raise UnexpectedReply(
            f"The server's answer is not read: {reason}.",
            assistance="Ask for less at once; if that is right, the service may be out of order.",
            http_status=reply.status,
        )


def parsed(reply: Reply) -> Any:
    """Return the body's JSON; raises UnexpectedReply."""
    refuse_hostile(reply)
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        text = text_of(reply)  # NaN, half characters, a byte order mark: rare, and told or mended by the slower reader
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise not_json(reply, str(error)) from None
    return mended(value) if _LONE_SURROGATE.search(reply.body) else value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{text[:40]} is larger than any number")
    return value


DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def mended(value: Any) -> Any:
    """Return the value with half characters (lone surrogates) replaced, so that it can be written anywhere."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(child) for child in value]
    if isinstance(value, dict):
        return {mended(key): mended(child) for key, child in value.items()}
    return value


def not_json(reply: Reply, reason: str) -> UnexpectedReply:
    """Return what a good status with a bad body is."""
    body = reply.body.lstrip()[:2000].lower()
    if body.startswith((b"<!doctype html", b"<html")):
        found = _TITLE.search(reply.body[:20_000])
        title = f" ('{found[1].decode('utf-8', 'replace')}')" if found else ""
        return UnexpectedReply(
            f"The server answered with an HTML page{title}, not with JSON.",
            assistance="Check the server URL: a login page or a proxy may stand in the way.",
            http_status=reply.status,
        )
    return UnexpectedReply(
        "The server's answer is not JSON.",
        detail=reason,
        assistance="Check the server URL; if it is right, the service may be out of order.",
        http_status=reply.status,
    )


def wrong_shape(reply: Reply, what: str) -> UnexpectedReply:
    """Return what JSON of another shape is."""
    return UnexpectedReply(
        f"The server's answer does not have the promised shape: {what}.",
        assistance="Check the server URL and the API version.",
        http_status=reply.status,
    )


def api_error(reply: Reply, errors: ErrorPaths) -> ApiError:
    """Return the product's refusal: classified by the HTTP status, told in the product's own words where it has any."""
    body = lenient(reply.body)
    code = _first(body, errors.code)
    message = _first(body, errors.message)
    details = _first(body, errors.details)
    sentence = _flat(message) or _phrase(reply.status)
    detail = _flat(details)
    return ApiError(
        sentence,
        kind=_KINDS.get(reply.status) or (Kind.SERVER_ERROR if reply.status >= 500 else Kind.REJECTED),  # noqa: PLR2004 - RFC 9110, 15.6
        code=str(code) if isinstance(code, int | str) and not isinstance(code, bool) and str(code).strip() else None,
        detail=detail if detail != sentence else "",
        http_status=reply.status,
    )


def lenient(body: bytes) -> Any:
    """Return an error body's JSON, or its text where it is short and no page."""
    text = body[:_KEPT].decode("utf-8", "replace").strip()
    try:
        return mended(json.loads(text))
    except (ValueError, RecursionError):
        return {} if text[:1] in {"<", "{", "["} else {"message": text}


def _first(body: Any, paths: tuple[str, ...]) -> Any:
    for path in paths:
        value = compile_path(path).first(body)
        if value is not ABSENT and value is not None and value not in ("", [], {}):
            return value
    return None


def _flat(value: Any) -> str:
    """Return a message that may be text, a list or an object, as text."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, map(_flat, value[:20])))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_flat(child)}" for key, child in list(value.items())[:20])
    return str(value)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"The server answered with status {status}"


WELL = 200


class ResponseRules:
    """The rules for one command's replies from one server."""

    def __init__(self, rules: Iterable[ResponseRule], errors: ErrorPaths) -> None:
        self._rules = tuple(rules)
        self._errors = errors
        self.again: Callable[[Reply], bool | None] | None = self._wants_another if self._rules else None

    def judged(self, reply: Reply) -> Reply:
        """Return a reply that is well, or that no rule is about; raises ApiError for one that a rule calls failed."""
        rule = self._rule(reply)
        if rule is None:
            return reply
        if rule.verdict == "passed":
            return reply if 200 <= reply.status < 300 else replace(reply, status=WELL)  # noqa: PLR2004 - RFC 9110, 15.3
        raise self._failed(rule, reply)

    def _wants_another(self, reply: Reply) -> bool | None:
        """Whether a rule says that it should be asked for again, or that it stands; None where none is about it."""
        rule = self._rule(reply)
        return None if rule is None else rule.verdict == "retry"

    def _rule(self, reply: Reply) -> ResponseRule | None:
        if not self._rules:
            return None
        body = lenient(reply.body) if any(rule.field for rule in self._rules) else None
        return next((rule for rule in self._rules if _fits(rule, reply.status, body)), None)

    def _failed(self, rule: ResponseRule, reply: Reply) -> ApiError:
        told = api_error(reply, self._errors).failure
        message = compile_value(rule.message)(_body_root(reply)) if rule.message else None
        kind = rule.kind or ("unauthorized" if rule.verdict == "needs_attention" else told.kind)
        error = ApiError(
            told.message if message is None or message is ABSENT else str(message),
            kind=Kind(kind),
            code=rule.code or told.code,
            detail=told.detail,
            assistance=rule.assistance or told.assistance,
            http_status=reply.status,
        )
        error.failure = replace(
            error.failure,
            indicator=rule.indicator,
            attention=rule.verdict == "needs_attention",
            worded=rule.message is not None,
        )
        return error


def _body_root(reply: Reply) -> dict[str, Any]:
    body = lenient(reply.body)
    return body if isinstance(body, dict) else {}


def _fits(rule: ResponseRule, status: int, body: Any) -> bool:
    if rule.statuses and not {str(status), f"{status // 100}xx"} & set(rule.statuses):
        return False
    if rule.field is None:
        return True
    value = compile_path(rule.field).first(body)
    if value is ABSENT:
        return False
    return rule.values is None or any(value == one or str(value) == str(one) for one in rule.values)
