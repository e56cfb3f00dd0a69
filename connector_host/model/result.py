"""The nouns of a result, and its JSON document: the one form that every surface shows and the history keeps."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field, to_builtins

from connector_host.model.effects import Effect
from connector_host.model.errors import ConnectorHostError
from connector_host.model.failure import Kind


class Status(StrEnum):
    """How an invocation ended; the values are the words people see."""

    PASSED = "Passed"
    PARTIAL = "Partially Successful"
    FAILED = "Failed"


class Completeness(Struct, frozen=True):
    """Whether a list is whole; one that is not is never Passed, unless as many were asked for (`limited`)."""

    complete: bool
    returned: int
    pages: int
    stopped_because: str | None = None
    limited: bool = False


class ErrorEntry(Struct, frozen=True):
    """One row of the error tab.

    `status_code` is the product's own code where it gave one, else a refusal's HTTP status, else the manifest's code
    for the kind of failure, else the kind's HTTP equivalent. `reference` leads to a bug's traceback in the host's log,
    `pointer` (RFC 6901) to the place in the inputs that is wrong.
    """

    item: str | None
    failure_indicator: str
    status_code: str
    message: str
    detail: str
    assistance: str
    kind: Kind
    http_status: int | None
    reference: str | None
    effect: str = "none"
    pointer: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same call may go well another time; where its effect is not none, repeat it with a key."""
        return self.kind in _PASSING or (self.kind == Kind.GATEWAY and self.http_status in _PASSING_STATUSES)

    def __str__(self) -> str:
        sentence = f"{self.failure_indicator} Status Code: {self.status_code}. Message: {self.message}"
        return " ".join(part for part in (sentence, self.detail, self.assistance) if part)


_PASSING = frozenset({Kind.RATE_LIMITED, Kind.SERVER_ERROR, Kind.UNREACHABLE, Kind.TIMEOUT})
_PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})  # RFC 9110, 15.5 and 15.6; 429 RFC 6585


class Result(Struct, frozen=True):
    """What every surface shows of an invocation; `schemas/result.schema.json` describes its document.

    `effect` says whether something happened at the product: none, done, or unknown where an answer was lost.
    """

    status: Status
    plugin: str
    command: str
    connection: str
    invocation_id: str
    started_at: datetime
    duration_ms: int
    raw_data: Any = None
    context_data: Any = None
    key_fields: Mapping[str, Any] = field(default_factory=dict)
    completeness: Completeness | None = None
    intake: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[ErrorEntry, ...] = ()
    effect: Effect = Effect.NONE

    def raise_for_failure(self, *, partial_ok: bool = False) -> "Result":
        """Return the result where it Passed, or with `partial_ok` was Partially Successful; raises CommandFailed."""
        if self.status is Status.FAILED or (self.status is Status.PARTIAL and not partial_ok):
            raise CommandFailed(self)
        return self

    def document(self) -> dict[str, Any]:
        """Return the result as a JSON document; what stands in the raw data is not copied."""
        first = self.errors[0] if self.errors else None
        return {
            "status": self.status.value,
            "effect": self.effect.value,
            "plugin": self.plugin,
            "command": self.command,
            "connection": self.connection,
            "invocation_id": self.invocation_id,
            "started_at": iso(self.started_at),
            "duration_ms": self.duration_ms,
            "raw_data": self.raw_data,
            "context_data": self.context_data,
            "key_fields": self.key_fields,
            "completeness": self.completeness and to_builtins(self.completeness),
            "intake": self.intake,
            "notes": list(self.notes),
            "error": first
            and {
                "failure_indicator": first.failure_indicator,
                "status_code": first.status_code,
                "message": first.message,
                "entries": to_builtins(list(self.errors)),
            },
        }

    def json(self, *, indent: int | None = None) -> str:
        """Return the document as JSON text."""
        return json_text(self.document(), indent=indent)


class CommandFailed(ConnectorHostError):
    """A command that did not pass, for programs that want an exception; `result` tells all."""

    def __init__(self, result: Result) -> None:
        told = "; ".join(map(str, result.errors[:_TOLD]))
        more = f" And {len(result.errors) - _TOLD} more." if len(result.errors) > _TOLD else ""
        super().__init__(f"{result.status}. {told}{more}")
        self.result = result


_TOLD = 3  # entries in an exception's words


class Choice(Struct, frozen=True):
    """One option of a parameter: the value to give, and what people see."""

    value: Any
    label: str


def result_of(document: Mapping[str, Any]) -> Result:
    """Return the result that a document describes."""
    whole, error = document["completeness"], document["error"]
    made = {
        **{name: document[name] for name in Result.__struct_fields__ if name in document},
        "status": Status(document["status"]),
        "started_at": datetime.fromisoformat(document["started_at"]),
        "completeness": Completeness(**whole) if whole else None,
        "notes": tuple(document["notes"]),
        "errors": tuple(_entry_of(entry) for entry in error["entries"]) if error else (),
        "effect": Effect(document.get("effect", "none")),
    }
    return Result(**made)


def _entry_of(document: Mapping[str, Any]) -> ErrorEntry:
    return ErrorEntry(**{**document, "kind": Kind(document["kind"])})


def json_text(document: Any, *, indent: int | None = None) -> str:
    """Return JSON text of a document; characters beyond ASCII are kept unless they are no valid Unicode.

    What is not JSON (a plugin may have put it into a page that came from the server) shows as its type's name.
    """
    try:
        text = _ENCODER.encode(document)
        return (text if indent is None else msgspec.json.format(text, indent=indent)).decode()
    except (UnicodeEncodeError, OverflowError, TypeError, RecursionError):
        # Half characters, whole numbers beyond 64 bits and keys that are no text: rare, and the standard library's.
        return json.dumps(document, indent=indent, default=_no_json)


def plain(value: Any) -> Any:
    """Return a noun, or any value, in JSON's types."""
    return msgspec.json.decode(_ENCODER.encode(value))


def _no_json(value: Any) -> str:
    return f"<{type(value).__name__}>"


_ENCODER = msgspec.json.Encoder(enc_hook=_no_json)


def iso(moment: datetime) -> str:
    """Return a time in UTC as ISO 8601 with `Z`, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
