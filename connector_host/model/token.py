"""Tokens: what a program or a person shows to act over HTTP, and for whom they then act."""

import hashlib
import secrets
import zlib
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest

from msgspec import Struct

from connector_host.model.caller import Bounds, Caller, Operator, Principal

_PREFIX, _ID_BYTES, _SECRET_BYTES = "ch", 6, 32


class Scope(StrEnum):
    """What the holder of a token may do; each is granted by itself."""

    READ = "read"
    RUN_READ_ONLY = "run:read-only"
    RUN = "run"
    CONNECTIONS = "connections"
    ADMIN = "admin"


_IMPLIED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.RUN_READ_ONLY: frozenset({Scope.READ, Scope.RUN_READ_ONLY}),
    Scope.RUN: frozenset({Scope.READ, Scope.RUN_READ_ONLY, Scope.RUN}),
    Scope.CONNECTIONS: frozenset({Scope.READ, Scope.CONNECTIONS}),
    Scope.ADMIN: frozenset(Scope),
}


class Token(Struct, frozen=True):
    """A token as it is kept: whose it is, what it is good for, and until when; its secret is not in it.

    `plugins`, `connections` and `commands` narrow it where they hold names. Times are in UTC; `made_by` is the actor.
    """

    name: str
    scopes: tuple[Scope, ...]
    id: str = ""
    user: str | None = None
    groups: tuple[str, ...] = ()
    site: str | None = None
    tenant: str | None = None
    plugins: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    made_by: str = ""

    @property
    def granted(self) -> frozenset[Scope]:
        """All scopes that it has, those that others imply included."""
        return frozenset().union(*(_IMPLIED[Scope(one)] for one in self.scopes))

    @property
    def principal(self) -> Principal:
        """For whom its holder acts: `admin` for the operator, known by the token."""
        if Scope.ADMIN in self.granted:
            return Operator(self.id)
        manages = Scope.CONNECTIONS in self.granted
        return Caller(self.user, self.groups, self.site, self.tenant, manages, self.bounds)

    @property
    def bounds(self) -> Bounds:
        """What it is narrowed to."""
        return Bounds(self.plugins, self.connections, self.commands)

    def allows(self, scope: Scope) -> bool:
        """Whether it is good for something that wants this scope."""
        return scope in self.granted

    def covers(self, *, plugin: str = "", connection: str = "", command: str = "") -> bool:
        """Whether what it is narrowed to, if to anything, includes these names."""
        return self.bounds.cover(plugin=plugin, connection=connection, command=command)


def new_token_text() -> tuple[str, str]:
    """Return a new token's id and its whole text: `ch_<id>_<64 hex digits><checksum>`, which scanners recognise."""
    token_id = secrets.token_hex(_ID_BYTES)
    secret = secrets.token_hex(_SECRET_BYTES)
    return token_id, f"{_PREFIX}_{token_id}_{secret}{_checksum(token_id, secret)}"


def digest_of_text(text: str) -> bytes:
    """Return what is kept of a token: SHA-256, for its secret is random and as long."""
    return hashlib.sha256(text.encode()).digest()


def id_in(text: str) -> str | None:
    """Return the id in a token's text; None where it has not the form of one, which tells nothing of what there is."""
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    length = _SECRET_BYTES * 2
    whole = prefix == _PREFIX and len(token_id) == _ID_BYTES * 2 and len(secret) == length + 8 and text.isascii()
    if not whole or not compare_digest(secret[length:], _checksum(token_id, secret[:length])):
        return None
    return token_id


def _checksum(token_id: str, secret: str) -> str:
    return f"{zlib.crc32(f'{token_id}{secret}'.encode()):08x}"
