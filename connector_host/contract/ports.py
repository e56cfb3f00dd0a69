"""One Protocol per replaceable part: at most six methods each, and no policy."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from connector_host.contract.authoring import Item, Page
from connector_host.contract.connection import WrappedKey
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.model import Completeness
from connector_host.contract.requests import RetryPolicy


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
    """One HTTP request, complete: the URL lies on its declared server, the headers carry its credentials.

    `again` says of a reply that it should be asked for again, whatever its status.
    """

    method: str
    url: str
    server: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    idempotent: bool = False
    allowance: Allowance | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    deadline: float = float("inf")
    again: "Callable[[Reply], bool] | None" = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: any status, the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part is made with: `part = Part(surroundings)`.

    `options(name)` gives the part's own section of the host manifest (`smtp`), empty where there is none.
    """

    home: Path
    database: str
    key: str
    clock: Clock
    observe: Callable[[str, Mapping[str, Any]], None]
    options: Callable[[str], Mapping[str, Any]]


Send = Callable[[Request], Awaitable[Reply]]
Step = Callable[[Request, Send], Awaitable[Reply]]
Observe = Callable[[str, Mapping[str, Any]], None]


class Session(Protocol):
    """The open wire of one connection, kept across its invocations."""

    async def send(self, request: Request) -> Reply:
        """Send once; raises Unreachable, TimedOut, UnexpectedReply or ReplyTooLarge."""

    async def close(self) -> None:
        """Close every pooled connection."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom a wire trusts and how it shows who it is; each is PEM text, the first also the path of a PEM file.

    Without `ca_bundle` the system's roots are trusted.
    """

    ca_bundle: str | None = None
    client_certificate: str | None = None
    client_key: str | None = field(default=None, repr=False)


class Transport(Protocol):
    """Opens sessions."""

    def open(self, tls: Tls) -> Session:
        """Return a session; what is wrong with `tls` is told by its first request over TLS."""


class Shielded(dict[str, Any]):
    """A connection's parameters and secrets; its repr shows the names only."""

    def __repr__(self) -> str:
        return f"<{', '.join(sorted(self))}>"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class OpenConnection:
    """A connection in use: its parameters and opened secrets, and its wire.

    `vouches(body)` is true where no secret of the connection can stand in a reply's body; `conceal(text)` makes one
    more text a secret. `memory` lives as long as the connection is in use and unchanged. `renew(name, value)` stores
    a secret that the product gave in place of an old one.
    """

    id: str
    values: Mapping[str, Any]
    session: Session
    vouches: Callable[[bytes], bool]
    conceal: Callable[[str], None]
    renew: Callable[[str, str], Awaitable[None]]
    memory: MutableMapping[str, Any] = field(default_factory=dict, repr=False)


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

    async def close(self) -> None:
        """Let go of what is kept between commands."""


class Cipher(Protocol):
    """Seals bytes under a key, bound to a context that must be the same when they are opened."""

    def new_key(self) -> bytes:
        """Return a fresh random key."""

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal."""

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open; raises SealBroken."""


class Envelope(Protocol):
    """Seals for somebody who holds a private key; keys are PEM."""

    def seal(self, public_key: bytes, plain: bytes, context: bytes) -> bytes:
        """Seal; raises BadSetting for a key that is none."""

    def open(self, private_key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Open; raises BadSetting for a key that is none, and SealBroken."""


class KeyProvider(Protocol):
    """Keeps the master keys."""

    async def current(self) -> str:
        """Id of the key that seals now; raises KeyMissing, KeyExposed."""

    async def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap a data key under the current master key."""

    async def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Unwrap; raises KeyMissing, KeyExposed, KeyUnknown, SealBroken."""

    async def create(self) -> None:
        """Make the first master key; does nothing where one exists."""

    async def rotate(self) -> None:
        """Make a new current key and keep the older ones; raises SealError where keys are made elsewhere."""

    async def retire(self) -> None:
        """Forget all keys but the current one."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are to be told: `event` is `connection.failing` or `connection.recovered`."""

    event: str
    connection: str
    recipients: tuple[str, ...]
    subject: str
    text: str


class Notifier(Protocol):
    """Tells people."""

    async def notify(self, notice: Notice) -> None:
        """Deliver a notice to all its recipients; raises NoticeUndelivered."""
