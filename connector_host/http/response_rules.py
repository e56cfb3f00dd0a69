"""What a manifest's rules say of replies: which passed, which failed, which should be asked for again."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from connector_host.http.refusals import Refusals, read
from connector_host.model.failure import Kind
from connector_host.model.invocation_errors import ApiError
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.requests import ResponseRule
from connector_host.model.template import compile_value
from connector_host.ports.parts import Reply

WELL = 200


class ResponseRules:
    """The rules for one command's replies from one server."""

    def __init__(self, rules: Iterable[ResponseRule], refusals: Refusals) -> None:
        self._rules = tuple(rules)
        self._refusals = refusals
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
        rules = [rule for rule in self._rules if _may_fit(rule, reply)]
        if not rules or self._refusals.is_a_gateways(reply):
            return None
        body = _body(reply) if any(rule.field for rule in rules) else None
        return next((rule for rule in rules if _fits(rule, body)), None)

    def _failed(self, rule: ResponseRule, reply: Reply) -> ApiError:
        told = self._refusals.error(reply).failure
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


def _body(reply: Reply) -> Any:
    """Return what rules look into: a body's JSON, or its text as a message."""
    body = read(reply.body)
    return body.value if body.form in {"json", "string"} else {"message": body.value} if body.form == "text" else {}


def _body_root(reply: Reply) -> dict[str, Any]:
    body = _body(reply)
    return body if isinstance(body, dict) else {}


_FIELD = re.compile(r"\$\.([A-Za-z_]\w*)")


def _may_fit(rule: ResponseRule, reply: Reply) -> bool:
    """Whether a rule is about such a status and its field can be there, seen without reading the body.

    A name stands in JSON as it is, unless letters of it are escaped; a text is looked into as a `message`.
    """
    status = reply.status
    if rule.statuses and not {str(status), f"{status // 100}xx"} & set(rule.statuses):
        return False
    found = None if rule.field is None else _FIELD.match(rule.field)
    if found is None or found[1] == "message":
        return True
    return f'"{found[1]}"'.encode() in reply.body or b"\\u" in reply.body


def _fits(rule: ResponseRule, body: Any) -> bool:
    if rule.field is None:
        return True
    value = compile_path(rule.field).first(body)
    if value is ABSENT:
        return False
    return rule.values is None or any(value == one or str(value) == str(one) for one in rule.values)
