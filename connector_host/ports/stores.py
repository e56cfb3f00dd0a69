"""The ports of the database; what belongs together is written in one transaction, its audit record with it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from connector_host.model.audit import AuditEntry, AuditHead, AuditRecord
from connector_host.model.caller import Principal, Site, SiteMap, Tenant
from connector_host.model.connection import ConnectionHealth, Selection, StoredConnection, WrappedKey
from connector_host.model.stored import Lease
from connector_host.ports.history import HistoryStore, IdempotencyStore, UsageStore
from connector_host.ports.intake import FeedStore, IntakeStore, MappingStore, ScheduleStore
from connector_host.ports.parts import Allowance
from connector_host.ports.tokens import PreferenceStore, SignInStore, TokenStore


class ConnectionStore(Protocol):
    """Stored connections and their sealed secrets."""

    async def get(self, name: str = "", *, connection_id: str = "", former: bool = False) -> StoredConnection | None:
        """One by its name or its id; without its health.

        With `former` that of an id as it was before its last change, its name and secrets left out; None where it was
        never changed.
        """

    async def list(self, selection: Selection, caller: Principal) -> Sequence[StoredConnection]:
        """Those selected, by name, with their health.

        For a caller who is not the operator those that no rule can give them may be left out; what is left is not
        yet what they may see.
        """

    async def add(self, stored: StoredConnection, entry: AuditEntry) -> None:
        """Keep a new one; raises ConnectionExists, and BadSetting for an unknown site, tenant or vault."""

    async def change(self, stored: StoredConnection, entry: AuditEntry) -> None:
        """Replace the version before this one; raises ConnectionChanged, and as add() does."""

    async def remove(self, connection_id: str, entry: AuditEntry, version: int | None = None) -> bool:
        """Forget one, of this version where one is given; whether it was there.

        Raises BadSetting while others look up their values through it.
        """

    async def rewrap(self, connection_id: str, old: WrappedKey, new: WrappedKey) -> bool:
        """Exchange the wrapped data key if it is still `old`; whether it was."""


Sign = Callable[[SiteMap], bytes]


class SiteStore(Protocol):
    """Tenants and sites; `sign` gives the MAC over all of them as they are after a change."""

    async def load(self) -> SiteMap:
        """All of them, as they are now."""

    async def put_tenant(self, tenant: Tenant, sign: Sign, entry: AuditEntry) -> None:
        """Add a tenant, or change it."""

    async def put_site(self, site: Site, sign: Sign, entry: AuditEntry) -> None:
        """Add a site, or change it; raises UnknownSite where its tenant is unknown."""

    async def remove_tenant(self, name: str, sign: Sign, entry: AuditEntry) -> bool:
        """Forget a tenant; whether it was there. Raises BadSetting while something belongs to it."""

    async def remove_site(self, name: str, sign: Sign, entry: AuditEntry) -> bool:
        """Forget a site; as remove_tenant()."""

    async def sign(self, sign: Sign, entry: AuditEntry) -> None:
        """Sign what stands there."""


class KeyStore(Protocol):
    """Which master keys rows were sealed under, and the folder's own key, which signs what is no connection's."""

    async def in_use(self) -> Collection[str]:
        """Return the names of the master keys that a row was sealed under."""

    async def retire(self, names: Collection[str]) -> Collection[str]:
        """Forbid for ever to seal under those of the keys that no row needs; return their names.

        From then on each change that would store a row under one of them raises KeyUnknown, whoever makes it.
        """

    async def folder_key(self) -> WrappedKey | None:
        """Return the folder's own key, wrapped; None where there is none yet."""

    async def put_folder_key(self, key: WrappedKey) -> None:
        """Keep the folder's own key, unless there is one."""

    async def rewrap_folder_key(self, old: WrappedKey, new: WrappedKey) -> None:
        """Exchange it if it is still `old`."""


class HealthStore(Protocol):
    """What became of connections' tests, and which are due."""

    async def state(self, connection_id: str) -> ConnectionHealth:
        """How a connection fares."""

    async def claim(
        self, claimant: str, now: datetime, until: datetime, limit: int
    ) -> Sequence[tuple[str, ConnectionHealth]]:
        """Take at most `limit` checks that are due, by connection id, so that nobody else does before `until`."""

    async def finish(self, connection_id: str, claimant: str, health: ConnectionHealth, jitter: float) -> bool:
        """Keep how the check went and give the claim up; false where the claim is no longer the claimant's.

        The next check is due when the interval times `jitter` has passed since `health.last_run`.
        """

    async def tested(self, connection_id: str, status: str, at: datetime, unchecked: Sequence[str] = ()) -> None:
        """Keep how a test went, and what it did not check; what is due, and what is mailed, stays."""

    async def attend(self, connection_id: str, reason: str) -> None:
        """Say why a connection needs attention, or with no reason that it needs none."""

    async def checks(self, connection_ids: Sequence[str], most: int) -> Mapping[str, Sequence[str]]:
        """Return the statuses of the newest checks of many connections, oldest first, read at once."""


class AuditStore(Protocol):
    """The audit: append-only, each record chained to the one before it."""

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """Record what is written nowhere else."""

    async def read(self, after: int, limit: int) -> Sequence[AuditRecord]:
        """Return at most `limit` records after number `after`, as they are stored."""

    async def head(self) -> AuditHead:
        """How far the audit reaches."""

    async def lost(self) -> AuditHead | None:
        """Return the end that was noted outside when the store was opened, and that it did not have; None for none."""


class LeaseStore(Protocol):
    """Rate limits that all programs of a data folder share."""

    async def take(self, allowance: Allowance, wanted: int, now: float) -> Lease:
        """Take at most so many requests of a limit, to be sent within the lease; `now` is in Unix seconds."""


class Store(Protocol):
    """The database; `name` tells it from others that the same data folder may have had."""

    name: str
    connections: ConnectionStore
    keys: KeyStore
    sites: SiteStore
    health: HealthStore
    audit: AuditStore
    history: HistoryStore
    usage: UsageStore
    intake: IntakeStore
    feed: FeedStore
    schedules: ScheduleStore
    mappings: MappingStore
    idempotency: IdempotencyStore
    leases: LeaseStore
    tokens: TokenStore
    sign_ins: SignInStore
    preferences: PreferenceStore

    async def check(self) -> Sequence[str]:
        """Return what is damaged in the database, as far as it can be seen by reading all of it."""

    async def back_up_folder(self, folder: Path, key: Path | None) -> None:
        """Write a back-up into a new folder and read it over, with a copy of the master key file where it is given."""

    async def back_up(self, target: Path) -> None:
        """Write all that is committed into a new file; raises StoreError where there is one."""

    async def close(self) -> None:
        """Close it."""
