"""How something failed: kinds, one failure of an invocation, and the problems of a manifest."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType, NoneType

from msgspec import Struct

from connector_host.model.effects import Effect


class Level(StrEnum):
    """How much a problem matters: with an error the host refuses the plugin; advice is for its author."""

    ERROR = "error"
    ADVICE = "advice"


class Fix(Struct, frozen=True):
    """A change that mends a problem: `length` characters at line and column (from 1) become `text`."""

    line: int
    column: int
    length: int
    text: str


class Problem(Struct, frozen=True):
    """One thing wrong: file, line and column (from 1), how many characters, the rule, its cause and what to do."""

    path: str
    line: int
    cause: str
    assistance: str = ""
    rule: str = "manifest"
    column: int = 1
    length: int = 1
    level: Level = Level.ERROR
    allowed: tuple[str, ...] = ()
    fix: Fix | None = None
    at: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.cause} {self.assistance}".rstrip() + f" [{self.rule}]"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems as a reader meets them, each once."""
    return sorted(dict.fromkeys(problems), key=lambda one: (one.path, one.line, one.column, one.rule))


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
    GATEWAY = "gateway"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNEXPECTED_REPLY = "unexpected_reply"
    INCOMPLETE = "incomplete"
    NOT_CONFIRMED = "not_confirmed"
    UNKNOWN = "unknown"
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
        Kind.GATEWAY: 502,
        Kind.UNREACHABLE: 503,
        Kind.TIMEOUT: 504,
        Kind.UNEXPECTED_REPLY: 502,
        Kind.INCOMPLETE: 206,
        Kind.NOT_CONFIRMED: 202,
        Kind.UNKNOWN: 500,
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


class Failure(Struct, frozen=True):
    """Why one item, or a whole invocation, failed; `code` is the product's own code where it gave one.

    `indicator` takes the place of the command's own; `effect` says whether something happened at the product all the
    same, `attention` that a person must look at the connection, `worded` that the message is the manifest's own
    already, `pointer` (RFC 6901) where in the inputs it lies. Raises TypeError for what is not of its type: it is made
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
    effect: Effect = Effect.NONE
    pointer: str | None = None

    def __post_init__(self) -> None:
        for name, kinds in _FAILURE_TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, kinds):
                wanted = " or ".join("nothing" if kind is NoneType else kind.__name__ for kind in kinds)
                raise TypeError(f"{name} of a failure is {wanted}, not {type(value).__name__}")
