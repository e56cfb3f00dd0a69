"""What becomes a failure in a result; the tree of all errors stands at the top of errors.py."""

from typing import Any, ClassVar

from msgspec.structs import replace

from connector_host.model.errors import ConnectorHostError
from connector_host.model.failure import Failure, Kind


class InvocationError(ConnectorHostError):
    """The invocation failed."""

    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(
        self,
        message: str | None = None,
        *,
        detail: str = "",
        assistance: str = "",
        code: str | None = None,
        http_status: int | None = None,
        kind: Kind | None = None,
        reference: str | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = Failure(kind or self.kind, str(self), detail, assistance, code, http_status, reference)

    def amended(self, **facts: Any) -> "InvocationError":
        """Return the error with other facts about its failure: an assistance, a detail, an effect."""
        self.failure = replace(self.failure, **facts)
        return self


class InvalidInput(InvocationError):
    """The value of a parameter is invalid."""

    kind = Kind.INVALID_INPUT

    def __init__(self, parameter: str, reason: str, assistance: str = "", pointer: str | None = None) -> None:
        self.parameter = parameter
        self.others: tuple[InvalidInput, ...] = ()  # faults of the same inputs
        super().__init__(f"The value for parameter ({parameter}) is invalid.", detail=reason, assistance=assistance)
        self.failure = replace(self.failure, pointer=pointer)


class ConnectionUnavailable(InvocationError):
    """The connection may not be used."""

    kind = Kind.UNAVAILABLE


class NotRecordable(InvocationError):
    """Nothing was sent, because it could not be recorded."""

    kind = Kind.UNAVAILABLE


class Cancelled(InvocationError):
    """It was cancelled by whoever ran it."""

    kind = Kind.UNAVAILABLE


class SecretUnavailable(InvocationError):
    """The connection's secrets cannot be opened."""


class RequestRefused(InvocationError):
    """The host refused to send the request."""

    kind = Kind.INVALID_INPUT


class RequestTooLarge(RequestRefused):
    """The request is larger than the server accepts."""

    kind = Kind.TOO_LARGE


class Unreachable(InvocationError):
    """The server could not be reached."""

    kind = Kind.UNREACHABLE


class ProxyRefused(Unreachable):
    """The proxy does not let the request through."""


class ConnectionLost(InvocationError):
    """The connection broke before the answer was complete."""

    kind = Kind.UNREACHABLE


class TimedOut(InvocationError):
    """The server did not answer in time."""

    kind = Kind.TIMEOUT


class DeadlinePassed(TimedOut):
    """The time allowed for this command is over."""


class RateLimited(InvocationError):
    """The rate limit leaves no room before the deadline."""

    kind = Kind.RATE_LIMITED


class UnexpectedReply(InvocationError):
    """The server's answer is not what its API promises."""

    kind = Kind.UNEXPECTED_REPLY


class ReplyTooLarge(UnexpectedReply):
    """The server's answer is larger than the host accepts."""


class ApiError(InvocationError):
    """The product refused the request."""

    kind = Kind.REJECTED


class CommandBug(InvocationError):
    """The command's own code failed."""
