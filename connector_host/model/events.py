"""What a host tells while it works: one frozen type for each event; none holds a secret.

Every event says when it was (UTC). Those of an invocation say which it is, through which connection, by which command,
for whom; a connection's id stays what it is when its name changes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

from connector_host.model.caller import Actor


class Event(Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened."""

    at: datetime

    @property
    def name(self) -> str:
        """Return what kind of event it is, as `invocation.finished`."""
        return str(self.__struct_config__.tag)

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document; `event` is its name."""
        found: dict[str, Any] = to_builtins(self)
        return found


class _Invoked(Event, frozen=True, kw_only=True):
    invocation: str
    plugin: str
    command: str
    connection: str
    connection_id: str
    caller: str
    actor: Actor
    site: str | None = None


class InvocationStarted(_Invoked, frozen=True, kw_only=True, tag="invocation.started"):
    """A command was accepted, and runs."""


class InvocationFinished(_Invoked, frozen=True, kw_only=True, tag="invocation.finished"):
    """A command has ended, with a result's status and effect."""

    status: str
    effect: str
    duration_ms: int


class RequestSent(_Invoked, frozen=True, kw_only=True, tag="request.sent"):
    """A request was answered, or failed: `outcome` is its HTTP status or what went wrong, `attempt` counts from 1."""

    server: str
    method: str
    attempt: int
    outcome: str
    duration_ms: float


class RequestRetried(_Invoked, frozen=True, kw_only=True, tag="request.retried"):
    """A request will be sent again, after so many seconds; `status` is None where nothing was answered."""

    server: str
    seconds: float
    status: int | None = None


class RequestDelayed(_Invoked, frozen=True, kw_only=True, tag="request.delayed"):
    """A request waits so many seconds for its rate limit."""

    server: str
    seconds: float


class LimitUsed(_Invoked, frozen=True, kw_only=True, tag="limit.used"):
    """A request took one of those that a rate limit allows: `used` of `limit` within so many seconds."""

    server: str
    used: int
    limit: int
    seconds: int


class IntakeStored(_Invoked, frozen=True, kw_only=True, tag="intake.stored"):
    """A page of records was taken in: how many are new, and how many had changed."""

    new: int
    updated: int


class _Changed(Event, frozen=True, kw_only=True):
    connection: str
    connection_id: str
    plugin: str
    caller: str
    actor: Actor


class ConnectionAdded(_Changed, frozen=True, kw_only=True, tag="connection.added"):
    """A connection was added, by whom."""


class ConnectionChanged(_Changed, frozen=True, kw_only=True, tag="connection.changed"):
    """A connection was changed, by whom; it has this name now."""


class ConnectionRemoved(_Changed, frozen=True, kw_only=True, tag="connection.removed"):
    """A connection was removed, by whom; the operator is told alone."""


class HealthChanged(Event, frozen=True, kw_only=True, tag="health.changed"):
    """A connection's test ended otherwise than the one before, or it needs attention for another reason than before."""

    connection: str
    connection_id: str
    plugin: str
    status: str | None = None
    attention: str = ""


class EventsLost(Event, frozen=True, kw_only=True, tag="events.lost"):
    """Whoever reads was too slow, so that the oldest events were dropped: how many."""

    count: int


AnyEvent = (
    InvocationStarted
    | InvocationFinished
    | RequestSent
    | RequestRetried
    | RequestDelayed
    | LimitUsed
    | IntakeStored
    | ConnectionAdded
    | ConnectionChanged
    | ConnectionRemoved
    | HealthChanged
    | EventsLost
)
KINDS: Mapping[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in AnyEvent.__args__}


def event_of(name: str, at: datetime, facts: Mapping[str, Any]) -> Event | None:
    """Return the event that a part told of; None for one that is no kind of these, or lacks what it must say."""
    if name not in KINDS:
        return None
    try:
        return convert({**facts, "event": name, "at": at}, KINDS[name])
    except ValidationError:
        return None
