"""What stores are given and give beside the records themselves: a run to be kept, a key that is taken."""

from msgspec import Struct

from connector_host.model.audit import AuditEntry
from connector_host.model.history import HistoryRecord


class Lease(Struct, frozen=True):
    """So many requests of a shared rate limit, to be sent within so many seconds; of none, when to ask again."""

    granted: int
    seconds: float


class EndedRun(Struct, frozen=True):
    """A run to be kept, with its audit record; without `kept` only its end is, where it was begun."""

    record: HistoryRecord
    entry: AuditEntry
    kept: bool = True


class Pruned(Struct, frozen=True):
    """How many runs were forgotten, and by how many seconds the clock jumped since the last time (0: not by a day)."""

    forgotten: int
    jumped: float = 0.0


class KeyUse(Struct, frozen=True):
    """The invocation that an idempotency key stands for, the `digest` of its inputs, and whether it may still run."""

    invocation_id: str
    digest: str
    running: bool


class KeptToken(Struct, frozen=True):
    """A token as a store keeps it: its document as JSON text, its digest, and a MAC over all of it."""

    id: str
    document: str
    digest: bytes
    mac: bytes
    last_used_at: float | None = None


class SignIn(Struct, frozen=True):
    """A session, or a link that works once: by which token, and until when (seconds since 1970)."""

    kind: str
    token_id: str
    expires_at: float
