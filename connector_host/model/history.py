"""The nouns of the history: a record for each invocation, what is looked for, and how much a connection is used."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

from connector_host.model.caller import Actor

_UNKNOWN = Actor("")


class HistoryRecord(Struct, frozen=True):
    """One line of the invocation history; `inputs`, `error` and `result` are redacted JSON text.

    `caller` names the actor for people, `request_id` the HTTP request that asked for it, if one did.
    """

    invocation_id: str
    plugin: str
    command: str
    connection: str
    caller: str
    status: str
    started_at: str
    duration_ms: int
    inputs: str
    error: str | None = None
    result: str | None = None
    connection_id: str = ""
    actor: Actor = _UNKNOWN
    effect: str = ""
    request_id: str = ""

    @property
    def repeatable(self) -> bool:
        """Whether it can be run again as it was: it did nothing at the product, and its inputs stand here whole."""
        return self.effect == "none" and "********" not in self.inputs

    def document(self) -> dict[str, Any]:
        """Return the record as a JSON document, its texts parsed."""
        texts = {"inputs": self.inputs, "error": self.error, "result": self.result}
        return {**to_builtins(self), **{name: text and json.loads(text) for name, text in texts.items()}}

    def as_result(self) -> dict[str, Any]:
        """Return the document of a result of which only this record is left."""
        return {
            **{name: getattr(self, name) for name in ("status", "plugin", "command", "connection", "invocation_id")},
            **{name: getattr(self, name) for name in ("started_at", "duration_ms")},
            "effect": self.effect or "unknown",
            **dict.fromkeys(("raw_data", "context_data", "completeness", "intake")),
            "key_fields": {},
            "notes": [],
            "error": json.loads(self.error) if self.error else None,
        }


class HistoryFilter(Struct, frozen=True):
    """What is looked for in the history; what is left out is not asked about.

    `status` is a result's, `caller` and `text` are parts of what stands there (`text` in the error), whatever their
    case among ASCII letters. `since` and `until` bound the time at which an invocation began: from, and before; in UTC
    where they have no zone.
    """

    connection: str | None = None
    plugin: str | None = None
    command: str | None = None
    caller: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class HistoryPage(Struct, frozen=True):
    """Some invocations, newest first; `next` is what the next page is asked for with, empty where there is none."""

    records: Sequence[HistoryRecord]
    next: str = ""


class Calls(Struct, frozen=True):
    """How many invocations a connection had, how many of them failed, and how long they took (milliseconds).

    `p95_ms` is the time within which nineteen of twenty ended.
    """

    total: int = 0
    failed: int = 0
    p95_ms: int = 0


class Use(Struct, frozen=True):
    """Who ran a command through a connection, how often, and when last (ISO 8601)."""

    caller: str
    command: str
    count: int
    last: str
