"""The noun of an invocation: one call of one command through one connection, from the call to the record."""

import math
import os
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from msgspec import Struct, field

from connector_host.model.caller import Actor, Principal
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import WrongUse
from connector_host.model.guarded import Guarded
from connector_host.model.manifest import Command, Manifest

LONGEST_KEY = 200
# What every event that is told while an invocation runs says of it: its id, connection and caller.
UNDER_WAY: ContextVar[Mapping[str, Any]] = ContextVar("the invocation under way")
Progress = Callable[[int, int | None], None]


class Options(Guarded, frozen=True):
    """How one invocation is to run; not part of what it does.

    `deadline_seconds` wins over the manifest's and the host's. `progress(done, total)` is told of records, or of items
    of a fan-out. Without `record` nothing is kept in the history. `invocation_id` is the caller's own (a UUID that was
    not used before); an `idempotency_key`, of at most 200 characters, makes a repeated call with the same inputs the
    first one's, for a day. With `text_inputs` values that come as text are read by their parameters' schemas, as on the
    command line: `PU00001`, `true`, `["a", "b"]`. `id_is_new` says that the id was made for this call, by a random
    UUID, so that no look for another of it is needed. `request_id` names the request that asked for it at a surface;
    the history keeps it. `traceparent` (W3C Trace Context) is handed on with each request to the product.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"progress"})

    deadline_seconds: float | None = None
    progress: Progress | None = None
    record: bool = True
    invocation_id: str | None = None
    idempotency_key: str | None = None
    text_inputs: bool = False
    id_is_new: bool = False
    request_id: str = ""
    traceparent: str = ""

    def id_for_run(self) -> str:
        """Return the invocation's id: the caller's own, or a new one; raises WrongUse for what makes no sense."""
        seconds = self.deadline_seconds
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < math.inf):
            raise WrongUse(f"A deadline is a number of seconds above 0, not {seconds!r:.40}.")
        key = self.idempotency_key
        if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
            raise WrongUse(f"An idempotency key has 1 to {LONGEST_KEY} printable characters.")
        if key is not None and not self.record:
            raise WrongUse("With an idempotency key the result must be recorded: a repeated call is given it.")
        if self.invocation_id is None:
            return new_id()
        try:
            return str(UUID(self.invocation_id))
        except ValueError as error:
            raise WrongUse(f"'{self.invocation_id[:60]}' is no UUID, as an invocation's id is.") from error


DEFAULTS = Options()
UNRECORDED = Options(record=False)


class Invocation(Struct, eq=False):
    """One call of one command through one connection.

    `inputs` are as they were given, and once they are accepted in their one form; `inputs_text` is then their JSON,
    without secrets. `actor` stands in history and audit. `deadline` is in the clock's monotonic seconds, and
    `concurrency` how many elements of a fan-out may be under way at once. `draft` holds the secrets of a connection
    that is not stored. `ingest` says that an intake's records go into the store, `zones` names the
    host's time zone by inputs whose time was written without an offset.
    """

    id: str
    manifest: Manifest
    command: Command
    stored: StoredConnection
    inputs: Mapping[str, Any]
    caller: Principal
    actor: Actor
    options: Options = DEFAULTS
    ingest: bool = False
    draft: Mapping[str, Any] | None = None
    inputs_text: str | None = None
    deadline: float = float("inf")
    concurrency: int = 1
    started_at: datetime | None = None
    uploads: list[str] = field(default_factory=list)
    zones: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Invocation({self.manifest.id} {self.command.id} through {self.stored.connection.name}, {self.id})"


_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_RANDOM = ~(0xF << 76 | 0x3 << 62)


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, the rest random."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return _written(value & _RANDOM | _VERSION_7 | _VARIANT)


def id_at(moment: str) -> str:
    """Return a bound that sorts after every id made before an ISO 8601 time."""
    milliseconds = int(datetime.fromisoformat(moment).timestamp() * 1000)
    return _written((milliseconds + 1) << 80)


def _written(value: int) -> str:
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def plugin_id(written: str) -> str:
    """Return the id that an author means by `acme`, `acme-cloud` or `plugins/acme/`; it may still be none."""
    return written.rstrip("/").rpartition("/")[2].replace("-", "_")
