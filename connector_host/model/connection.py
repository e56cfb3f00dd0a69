"""The nouns of connections: what is stored, what a change and a look-up in a password vault are."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct, field

from connector_host.model.caller import Actor, Caller
from connector_host.model.guarded import Guarded


class State(StrEnum):
    """How a connection stands; the values are the words people see."""

    DAMAGED = "damaged"
    INACTIVE = "inactive"
    ATTENTION = "needs attention"
    FAILING = "failing"
    HEALTHY = "healthy"
    UNTESTED = "untested"


class HealthCheck(Struct, frozen=True):
    """When to test a connection by itself, and whom to tell after how many failures in a row."""

    interval_minutes: int
    failures_before_mail: int = 3
    recipients: tuple[str, ...] = ()


class VaultReference(Struct, frozen=True):
    """Where a value stands in a password vault; `vault` is the vault connection's name (in the store: its id).

    `by` is who made the reference: they must have a right to the vault at each use; None is the operator.
    """

    vault: str
    path: str
    field: str
    by: Caller | None = None


class Connection(Struct, frozen=True):
    """A stored connection without its secrets; `secrets` holds their names only.

    `plugin_version` is the plugin's version when the connection was last saved, `vault` says which parameters are
    looked up in a password vault at each use. `generation` is the version whose secrets are sealed; `origins` are the
    servers that the secrets may go to, and `set_by` says who set a parameter last, where it was not the operator.
    A vault connection hands out what stands under its `allowed_paths` alone, where it has any.
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
    allowed_paths: tuple[str, ...] = ()
    generation: int = 0
    origins: tuple[str, ...] = ()
    set_by: Mapping[str, Actor] = field(default_factory=dict)

    @property
    def home_site(self) -> str | None:
        """Where its events go: its site, or the recipient site of a shared one."""
        return self.site or self.recipient_site


class WrappedKey(Guarded, frozen=True):
    """A connection's data key, wrapped by the master key `master_key_id`."""

    hidden: ClassVar[frozenset[str]] = frozenset({"wrapped"})
    master_key_id: str
    wrapped: bytes


class Sealed(Guarded, frozen=True):
    """A connection's sealed secrets; `version` grows whenever any of them changes.

    `mac` is over the whole connection, under a key derived from its data key; rows of release 1.0 have none.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"secrets", "mac"})
    version: int
    key: WrappedKey
    secrets: Mapping[str, bytes]
    mac: bytes | None = None


class Delivery(Struct, frozen=True):
    """What became of the notices for one recipient: `told` of the outage, or tried so often, with the last error."""

    told: bool = False
    tries: int = 0
    next_try: datetime | None = None
    error: str = ""


class ConnectionHealth(Struct, frozen=True):
    """What became of a connection's tests; `attention` says why a person must look at it, where one must.

    `failures` counts those in a row; `mailed` is true from the e-mail about them to the one about the recovery, and
    `deliveries` say what became of each recipient's. `unchecked` names what the last test did not prove.
    """

    status: str | None = None
    last_run: datetime | None = None
    last_success: datetime | None = None
    last_failure: datetime | None = None
    failures: int = 0
    mailed: bool = False
    attention: str = ""
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()


class StoredConnection(Struct, frozen=True):
    """What the store keeps of a connection; `damage` says why its row cannot be read, where that is so."""

    connection: Connection
    sealed: Sealed | None = None
    damage: str = ""
    health: ConnectionHealth = field(default_factory=ConnectionHealth)

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


class Change(Guarded, frozen=True):
    """What to set on a connection; fields, parameters, secrets and vault references not named stay as they are.

    A parameter or vault reference set to None is taken away. `version` is the version that the change was made for:
    where it is given and the connection has moved on, the change is refused.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"secrets"})
    fields: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    remove_secrets: tuple[str, ...] = ()
    vault: Mapping[str, VaultReference | None] = field(default_factory=dict)
    version: int | None = None


class Selection(Struct, frozen=True):
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


class BulkOutcome(Struct, frozen=True):
    """What became of one connection of many: `error` is empty where all went well, `note` what is left to do."""

    name: str
    error: str = ""
    note: str = ""


class ImportPreview(Struct, frozen=True):
    """What an import would do with one connection: `changes` are sentences, none where it is new or stays as it is."""

    name: str
    exists: bool
    changes: tuple[str, ...] = ()


class Round(Struct):
    """How many checks were run, how they ended, and how many notices could not be delivered."""

    passed: int = 0
    failed: int = 0
    undelivered: int = 0

    @property
    def checked(self) -> int:
        """All of them."""
        return self.passed + self.failed
