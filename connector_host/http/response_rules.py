"""What a manifest's rules say of replies: which passed, which failed, which should be asked for again."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from connector_host.http.refusals import Refusals, read
from connector_host.model.failure import Kind
from connector_host.model.invocation_errors import ApiError
from connector_host.model.paths import ABSENT, JsonPath, compile_path
from connector_host.model.requests import ResponseRule
from connector_host.model.template import compile_value
from connector_host.ports.parts import Reply

WELL = 200


class ResponseRules:
    """The rules for one command's replies from one server."""

    def __init__(self, rules: Iterable[ResponseRule], refusals: Refusals) -> None:
        self._rules = tuple(_CompiledRule(rule) for rule in rules)
        self._refusals = refusals
        self._looked_at: tuple[Reply, ResponseRule | None] | None = None
        self.again: Callable[[Reply], bool | None] | None = self._wants_another if self._rules else None

    def judged(self, reply: Reply) -> Reply:
        """Return a reply that is well, or that no rule is about; raises ApiError for one that a rule calls failed."""
        rule, self._looked_at = self._rule(reply), None
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
        """Return the first rule that is about a reply.

        The step that sends again asks first, and judged() right after it about the same reply, which is not read twice:
        that halves what the rules cost, a seventh of an invocation's own part.
        """
        if self._looked_at is None or self._looked_at[0] is not reply:
            self._looked_at = reply, self._rule_of(reply)
        return self._looked_at[1]

    def _rule_of(self, reply: Reply) -> ResponseRule | None:
        rules = [one for one in self._rules if one.may_fit(reply)]
        if not rules or self._refusals.is_a_gateways(reply):
            return None
        body = _body(reply) if any(one.path for one in rules) else None
        return next((one.rule for one in rules if one.fits(body)), None)

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


class _CompiledRule:
    """A rule with its path compiled, and what it is told by before a body is read."""

    def __init__(self, rule: ResponseRule) -> None:
        self.rule = rule
        self.path: JsonPath | None = None if rule.field is None else compile_path(rule.field)
        named = None if rule.field is None else _FIELD.match(rule.field)
        self._name = None if named is None or named[1] == "message" else f'"{named[1]}"'.encode()
        self._by_status: dict[int, bool] = {}

    def may_fit(self, reply: Reply) -> bool:
        """Whether it is about such a status and its field can be there, seen without reading the body.

        A name stands in JSON as it is, unless letters of it are escaped; a text is looked into as a `message`.
        """
        about = self._by_status.get(reply.status)
        if about is None:
            written = {str(reply.status), f"{reply.status // 100}xx"}
            about = self._by_status[reply.status] = not self.rule.statuses or bool(written & set(self.rule.statuses))
        return about and (self._name is None or self._name in reply.body or b"\\u" in reply.body)

    def fits(self, body: Any) -> bool:
        """Whether its field is there, with one of the values it asks for."""
        if self.path is None:
            return True
        value = self.path.first(body)
        if value is ABSENT:
            return False
        values = self.rule.values
        return values is None or any(value == one or str(value) == str(one) for one in values)
