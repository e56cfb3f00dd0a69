"""One Protocol per replaceable part: at most six methods each, and no policy."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from connector_host.contract.authoring import Item, Page
from connector_host.contract.manifest import Command, Manifest, RetryPolicy
from connector_host.contract.model import Completeness, HistoryRecord, IntakeRecord, StoredConnection, WrappedKey


class Clock(Protocol):
    """Time, replaceable so that tests need not wait."""

    def now(self) -> datetime:
        """Return the time in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A rate limit as it applies to one request; `key` is a fingerprint, never the secret itself."""

    key: str
    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, complete: the URL lies on its declared server, the headers carry its credentials."""

    method: str
    url: str
    server: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    idempotent: bool = False
    allowance: Allowance | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    deadline: float = float("inf")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: any status, the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part is made with: `part = Part(surroundings)`."""

    home: Path
    database: str
    key: str
    clock: Clock
    observe: Callable[[str, Mapping[str, Any]], None]


Send = Callable[[Request], Awaitable[Reply]]
Step = Callable[[Request, Send], Awaitable[Reply]]
Observe = Callable[[str, Mapping[str, Any]], None]


class Session(Protocol):
    """The open wire of one connection, kept across its invocations."""

    async def send(self, request: Request) -> Reply:
        """Send once; raises Unreachable, TimedOut, UnexpectedReply or ReplyTooLarge."""

    async def close(self) -> None:
        """Close every pooled connection."""


class Transport(Protocol):
    """Opens sessions."""

    def open(self, ca_bundle: str | None) -> Session:
        """Return a session whose TLS trusts the system's roots, or those in the PEM file `ca_bundle`."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class OpenConnection:
    """A connection in use: its parameters and opened secrets, and its wire.

    `vouches(body)` is true where no secret of the connection can stand in a reply's body.
    """

    id: str
    values: Mapping[str, Any]
    session: Session
    vouches: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """All a runner needs to carry out one invocation."""

    manifest: Manifest
    command: Command
    inputs: Mapping[str, Any]
    opened: OpenConnection
    send: Send
    clock: Clock
    deadline: float
    concurrency: int
    outcome: "Outcome"


class Outcome(Protocol):
    """Where a runner puts what comes out of a command."""

    def add(self, item: Item | Page) -> None:
        """Take one item, or one page of a list."""

    def completeness(self, facts: Completeness) -> None:
        """Take one list's completeness; several add up."""

    def note(self, text: str) -> None:
        """Take a sentence for people."""

    def progress(self, done: int, total: int | None) -> None:
        """Take how far the command has come (records, or items of a fan-out)."""


class Runner(Protocol):
    """Carries a command out."""

    async def run(self, job: Job) -> None:
        """Run the command; raises InvocationError where the whole of it fails."""


class Cipher(Protocol):
    """Seals bytes under a key, bound to a context that must be the same when they are opened."""

    def new_key(self) -> bytes:
        """Return a fresh random key."""

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal."""

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open; raises SealBroken."""


class KeyProvider(Protocol):
    """Keeps the master keys."""

    def current(self) -> str:
        """Id of the key that seals now; raises KeyMissing, KeyExposed."""

    def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap a data key under the current master key."""

    def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Unwrap; raises KeyMissing, KeyExposed, KeyUnknown, SealBroken."""

    def create(self) -> None:
        """Make the first master key; does nothing where one exists."""

    def rotate(self) -> None:
        """Make a new current key and keep the older ones; raises SealError where keys are made elsewhere."""

    def retire(self) -> None:
        """Forget all keys but the current one."""


class Connections(Protocol):
    """Stored connections and their sealed secrets."""

    async def get(self, name: str) -> StoredConnection | None:
        """One by its name."""

    async def list(self, plugin: str | None = None) -> Sequence[StoredConnection]:
        """All, or those of one plugin, by name."""

    async def add(self, stored: StoredConnection) -> None:
        """Keep a new one; raises ConnectionExists."""

    async def change(self, stored: StoredConnection) -> None:
        """Replace the one of the same id and version; raises ConnectionChanged, ConnectionExists."""

    async def remove(self, connection_id: str) -> bool:
        """Forget one; whether it was there."""

    async def rewrap(self, connection_id: str, old: WrappedKey, new: WrappedKey) -> bool:
        """Exchange the wrapped data key if it is still `old`; whether it was."""


class History(Protocol):
    """What ran, and how it ended."""

    async def append(self, record: HistoryRecord) -> None:
        """Keep one; durable against the process's death once this returns."""

    async def recent(self, limit: int, connection: str | None = None) -> Sequence[HistoryRecord]:
        """Return the newest, newest first."""

    async def get(self, invocation_id: str) -> HistoryRecord | None:
        """One by its id."""

    async def prune(self, before: str) -> int:
        """Forget those started before an ISO 8601 time; how many."""


class IntakeLog(Protocol):
    """Records taken in, each once per connection and command."""

    async def add(self, connection: str, command: str, records: Sequence[IntakeRecord]) -> int:
        """Keep those whose unique key is new, in one transaction; how many were."""

    async def recent(self, connection: str, command: str, limit: int) -> Sequence[IntakeRecord]:
        """Return the newest, newest first."""


class Store(Protocol):
    """The database."""

    connections: Connections
    history: History
    intake: IntakeLog

    async def close(self) -> None:
        """Close it."""
