"""The parts of a host that can be replaced, one protocol each: at most six methods, and no policy."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from msgspec import Struct, field

from connector_host.model.authoring import Item, Page
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import Invocation
from connector_host.model.manifest import Command, Manifest
from connector_host.model.proxy import Proxy
from connector_host.model.requests import RetryPolicy
from connector_host.model.result import Completeness
from connector_host.model.stored import Lease


class Clock(Protocol):
    """Time, replaceable so that tests need not wait."""

    def now(self) -> datetime:
        """Return the time in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Allowance(Struct, frozen=True):
    """A rate limit as it applies to one request; `key` is a fingerprint, never the secret itself."""

    key: str
    requests: int
    seconds: int


class Request(Guarded, frozen=True):
    """One HTTP request, complete: the URL lies on its declared server, the headers carry its credentials.

    `deadline` is in the clock's monotonic seconds. `again` says of a reply that it should be asked for again, whatever
    its status. `transport` names another transport than the host's own, where the server's manifest does;
    `proxy` another proxy than the environment's, where the host's manifest does.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"url", "headers", "body", "again"})

    method: str
    url: str
    server: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    idempotent: bool = False
    allowance: Allowance | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    deadline: float = float("inf")
    again: "Callable[[Reply], bool | None] | None" = None
    transport: str | None = None
    proxy: Proxy | None = None


class Reply(Guarded, frozen=True):
    """What came back: any status, headers by their names in small letters, the unpacked body.

    `proxy` is the host and port of the proxy that it came through, `remark` what the host has to say of it.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"headers", "body"})

    status: int
    headers: Mapping[str, str]
    body: bytes
    proxy: str = ""
    remark: str = ""


class Surroundings(Struct, frozen=True):
    """What every part is made with: `part = Part(surroundings)`.

    `options(name)` gives what the host manifest says under `options:` for the part of this name, empty where nothing;
    `lease` takes requests of a rate limit that all programs of the data folder share.
    """

    home: Path
    database: str
    key: str
    clock: Clock
    observe: Callable[[str, Mapping[str, Any]], None]
    options: Callable[[str], Mapping[str, Any]]
    lease: "Callable[[Allowance, int], Awaitable[Lease]] | None" = None


Send = Callable[[Request], Awaitable[Reply]]
Step = Callable[[Request, Send], Awaitable[Reply]]
Observe = Callable[[str, Mapping[str, Any]], None]


class Wire(Protocol):
    """The open wire of one connection, kept across its invocations."""

    async def send(self, request: Request) -> Reply:
        """Send once; raises Unreachable where nothing was sent, and else what may have been: see errors.py."""

    async def close(self) -> None:
        """Close every socket that is open."""


class Tls(Guarded, frozen=True):
    """Whom a wire trusts and how it shows who it is; each is PEM text, the first also the path of a PEM file.

    Without `ca_bundle` the system's roots are trusted.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"client_key"})

    ca_bundle: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


Permit = Callable[[str, str], None]  # a server's name and one of its addresses; raises RequestRefused


class Transport(Protocol):
    """Opens wires."""

    def open(self, tls: Tls, permit: Permit) -> Wire:
        """Return a wire to those addresses alone that `permit` lets pass; a proxy's own is not asked about.

        What is wrong with `tls` is told by its first request over TLS.
        """


class ShieldedValues(dict[str, Any]):
    """A connection's parameters and secrets; its repr shows the names only."""

    def __repr__(self) -> str:
        return f"<{', '.join(sorted(self))}>"


class OpenConnection(Guarded, frozen=True, eq=False, weakref=True):
    """A connection in use, as those who carry its commands out see it.

    `values` are its parameters and opened secrets. `send` sends through the host's steps. `cannot_hold(body)` is true
    where no secret of the connection can stand in a reply's body; `conceal(text)` makes one more text a secret.
    `memory` lives as long as the connection is in use and unchanged. `renew(name, value)` stores a secret that the
    product gave in place of an old one.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"values", "memory"})

    id: str
    manifest: Manifest
    values: Mapping[str, Any]
    send: Send
    clock: Clock
    cannot_hold: Callable[[bytes], bool]
    conceal: Callable[[str], None]
    renew: Callable[[str, str], Awaitable[None]]
    memory: MutableMapping[str, Any] = field(default_factory=dict)


class CommandOutput(Protocol):
    """Where a command's body puts what comes out of it."""

    def add(self, item: Item | Page) -> None:
        """Take one item, or one page of a list."""

    def completeness(self, facts: Completeness) -> None:
        """Take one list's completeness; several add up."""

    def note(self, text: str) -> None:
        """Take a sentence for people."""

    def progress(self, done: int, total: int | None) -> None:
        """Take how far the command has come (records, or items of a fan-out)."""


Body = Callable[[Invocation, CommandOutput], Awaitable[None]]


class Runner(Protocol):
    """Carries commands out."""

    def prepare(self, command: Command, opened: OpenConnection) -> Body:
        """Return the command's body for a connection in use, made once and run for each invocation.

        The body raises InvocationError where the whole of the command fails.
        """

    async def close(self) -> None:
        """Let go of what is kept between commands."""


class Notice(Struct, frozen=True):
    """What people are to be told: `event` is `connection.failing`, `connection.recovered` or `trial`."""

    event: str
    connection: str
    recipients: tuple[str, ...]
    subject: str
    text: str


class Notifier(Protocol):
    """Tells people."""

    async def notify(self, notice: Notice) -> None:
        """Deliver a notice to all its recipients; raises NoticeUndelivered."""
