"""The nouns of connections: what is stored, who calls, what a change and a look-up in a password vault are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a connection stands; the values are the words people see."""

    DAMAGED = "damaged"
    INACTIVE = "inactive"
    ATTENTION = "needs attention"
    FAILING = "failing"
    HEALTHY = "healthy"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """When to test a connection by itself, and whom to tell after how many failures in a row."""

    interval_minutes: int
    failures_before_mail: int = 3
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VaultReference:
    """Where a value stands in a password vault; `vault` is the vault connection's name (in the store: its id)."""

    vault: str
    path: str
    field: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A stored connection without its secrets; `secrets` holds their names only.

    `plugin_version` is the plugin's version when the connection was last saved, `vault` says which parameters are
    looked up in a password vault at each use.
    """

    name: str
    plugin: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    vault: Mapping[str, VaultReference] = field(default_factory=dict)
    id: str = ""
    version: int = 0
    plugin_version: str = ""
    site: str | None = None
    shared_to_internal_sites: bool = False
    recipient_site: str | None = None
    tenants: tuple[str, ...] = ()
    agent: str | None = None
    description: str = ""
    allowed_users: tuple[str, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    admin_users: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = ()
    active: bool = True
    health_check: HealthCheck | None = None

    @property
    def home_site(self) -> str | None:
        """Where its events go: its site, or the recipient site of a shared one."""
        return self.site or self.recipient_site


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A connection's data key, wrapped by the master key `master_key_id`."""

    master_key_id: str
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A connection's sealed secrets; `version` grows whenever any of them changes."""

    version: int
    key: WrappedKey
    secrets: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Health:
    """What became of a connection's tests; `attention` says why a person must look at it, where one must.

    `failures` counts those in a row; `mailed` is true from the e-mail about them to the one about the recovery.
    """

    status: str | None = None
    last_run: datetime | None = None
    last_success: datetime | None = None
    last_failure: datetime | None = None
    failures: int = 0
    mailed: bool = False
    attention: str = ""


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """What the store keeps of a connection; `damage` says why its row can not be read, where that is so."""

    connection: Connection
    sealed: Sealed | None = None
    damage: str = ""
    health: Health = field(default_factory=Health)

    @property
    def state(self) -> State:
        """How the connection stands; the store selects by the same words."""
        marks = (
            (bool(self.damage), State.DAMAGED),
            (not self.connection.active, State.INACTIVE),
            (bool(self.health.attention), State.ATTENTION),
            (self.health.status == "Passed", State.HEALTHY),
            (self.health.status is not None, State.FAILING),
        )
        return next((state for holds, state in marks if holds), State.UNTESTED)


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is done, as the embedding program vouches for; all empty: the operator of the host."""

    user: str | None = None
    groups: tuple[str, ...] = ()
    site: str | None = None
    tenant: str | None = None

    def __str__(self) -> str:
        if self == OPERATOR:
            return "operator"
        place = "".join(f" {word} {name}" for word, name in (("at", self.site), ("of", self.tenant)) if name)
        return f"{self.user or 'somebody'}{place}"


OPERATOR = Caller()
HEALTH_CHECK = "health check"  # stands in the history where nobody called


@dataclass(frozen=True, slots=True)
class Change:
    """What to set on a connection; fields, parameters, secrets and vault references not named stay as they are.

    A parameter or vault reference set to None is taken away. `version` is the version that the change was made for:
    where it is given and the connection has moved on, the change is refused.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict, repr=False)
    remove_secrets: tuple[str, ...] = ()
    vault: Mapping[str, VaultReference | None] = field(default_factory=dict)
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which connections: each filter narrows, `name` is a pattern with `*`; at most `limit` after the name `after`.

    `uses_vault` selects by the id of a vault connection.
    """

    plugin: str | None = None
    site: str | None = None
    active: bool | None = None
    state: State | None = None
    name: str | None = None
    uses_vault: str | None = None
    after: str = ""
    limit: int | None = None


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one connection of many: `error` is empty where all went well."""

    name: str
    error: str = ""


@dataclass(slots=True)
class Round:
    """How many checks were run, and how they ended."""

    passed: int = 0
    failed: int = 0

    @property
    def checked(self) -> int:
        """All of them."""
        return self.passed + self.failed
