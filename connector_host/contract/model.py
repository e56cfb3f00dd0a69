"""The nouns: frozen values that travel between the rooms, one name each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Any

from connector_host.contract.connection import OPERATOR, Caller


class Status(StrEnum):
    """How an invocation ended; the values are the words people see."""

    PASSED = "Passed"
    PARTIAL = "Partially Successful"
    FAILED = "Failed"


class Kind(StrEnum):
    """What a failure is about, independent of any product; the key of `failure_codes` in a manifest."""

    INVALID_INPUT = "invalid_input"
    UNAUTHORIZED = "unauthorized"
    ACCESS_DENIED = "access_denied"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNEXPECTED_REPLY = "unexpected_reply"
    INCOMPLETE = "incomplete"
    NOT_CONFIRMED = "not_confirmed"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


HTTP_EQUIVALENT: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.INVALID_INPUT: 400,
        Kind.UNAUTHORIZED: 401,
        Kind.ACCESS_DENIED: 403,
        Kind.NOT_FOUND: 404,
        Kind.REJECTED: 400,
        Kind.TOO_LARGE: 413,
        Kind.RATE_LIMITED: 429,
        Kind.SERVER_ERROR: 500,
        Kind.UNREACHABLE: 503,
        Kind.TIMEOUT: 504,
        Kind.UNEXPECTED_REPLY: 502,
        Kind.INCOMPLETE: 206,
        Kind.NOT_CONFIRMED: 202,
        Kind.UNAVAILABLE: 403,
        Kind.INTERNAL: 500,
    }
)


_FAILURE_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("message", "detail", "assistance"), (str,)),
    **dict.fromkeys(("code", "reference", "indicator"), (str, NoneType)),
    "kind": (Kind,),
    "http_status": (int, NoneType),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one item, or a whole invocation, failed; `code` is the product's own code where it gave one.

    `indicator` takes the place of the command's own; `attention` says that a person must look at the connection,
    `worded` that the message is the manifest's own already. Raises TypeError for what is not of its type: it is made
    in authors' code too, and that is where the fault should show.
    """

    kind: Kind
    message: str
    detail: str = ""
    assistance: str = ""
    code: str | None = None
    http_status: int | None = None
    reference: str | None = None
    indicator: str | None = None
    attention: bool = False
    worded: bool = False

    def __post_init__(self) -> None:
        for name, kinds in _FAILURE_TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, kinds):
                wanted = " or ".join("nothing" if kind is NoneType else kind.__name__ for kind in kinds)
                raise TypeError(f"{name} of a failure is {wanted}, not {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of one command through one connection."""

    id: str
    plugin: str
    command: str
    connection: str
    inputs: Mapping[str, Any]
    caller: Caller = OPERATOR


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether a list is whole; a list that is not is never Passed."""

    complete: bool
    returned: int
    pages: int
    stopped_because: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One row of the error tab."""

    item: str | None
    failure_indicator: str
    status_code: str
    message: str
    detail: str
    assistance: str
    kind: str
    http_status: int | None
    reference: str | None

    def __str__(self) -> str:
        sentence = f"{self.failure_indicator} Status Code: {self.status_code}. Message: {self.message}"
        return " ".join(part for part in (sentence, self.detail, self.assistance) if part)


@dataclass(frozen=True, slots=True)
class Result:
    """What every surface shows of an invocation; `schemas/result.schema.json` describes its document."""

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


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a parameter: the value to give, and what people see."""

    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One line of the invocation history; `inputs`, `error` and `result` are redacted JSON text."""

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


@dataclass(frozen=True, slots=True)
class IntakeRecord:
    """One record taken in: its unique key, its raw text, what the field mapping made of it, and whose site it is."""

    unique_key: str
    raw: str
    mapped: str
    site: str | None = None


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What an intake run did: records fetched, new in the store, and known already."""

    fetched: int = 0
    new: int = 0
    known: int = 0


Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How one invocation is to run; not part of what it does."""

    deadline_seconds: float | None = None
    progress: Progress | None = field(default=None, repr=False)
    record: bool = True
