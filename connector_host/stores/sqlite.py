"""The store on SQLite: safe with several processes; a call takes microseconds, and a thread where the lock is taken."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.to_thread

from connector_host.model.audit import AuditHead
from connector_host.model.errors import StoreError
from connector_host.model.result import iso
from connector_host.ports.parts import Surroundings
from connector_host.stores import back_ups
from connector_host.stores.audit_end import AuditEnd
from connector_host.stores.database import Database
from connector_host.stores.journal import Journal
from connector_host.stores.pending import PendingRuns
from connector_host.stores.presence import Presence
from connector_host.stores.sqlite_audit import SqliteAudit
from connector_host.stores.sqlite_connections import SqliteConnections
from connector_host.stores.sqlite_health import SqliteHealth
from connector_host.stores.sqlite_history import SqliteHistory
from connector_host.stores.sqlite_idempotency import SqliteIdempotency
from connector_host.stores.sqlite_intake import SqliteFeed, SqliteIntake, SqliteMappings, SqliteSchedules
from connector_host.stores.sqlite_keys import SqliteKeys
from connector_host.stores.sqlite_leases import SqliteLeases
from connector_host.stores.sqlite_sites import SqliteSites
from connector_host.stores.sqlite_tokens import SqlitePreferences, SqliteSignIns, SqliteTokens
from connector_host.stores.sqlite_usage import SqliteUsage

FILE = "connector-host.db"
CLOSING_SECONDS = 2.0  # for what is pending, while another program holds the lock; then the journal keeps it
_PREFIX = "sqlite:///"


class SqliteStore:
    """`sqlite:///PATH`, or a file in the data folder."""

    def __init__(self, surroundings: Surroundings) -> None:
        url = surroundings.database
        path = path_of(url, surroundings.home)
        own = path == surroundings.home / FILE
        self.name = FILE if own else f"database-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
        power = surroundings.options("store").get("durability") == "power"
        self._presence = Presence(path.with_name(f"{path.name}.processes"))
        self._journal = Journal(self._presence, power=power)
        pending = PendingRuns(self._journal)
        self._database = Database(path, pending, power=power)
        self.connections = SqliteConnections(self._database)
        self.keys = SqliteKeys(self._database)
        self.sites = SqliteSites(self._database)
        self.health = SqliteHealth(self._database)
        end = AuditEnd(path.with_name(f"{path.name}.audit-end"), _teller(surroundings))
        self.audit = SqliteAudit(self._database, end)
        dead = [] if self._database.refusal else self._presence.dead()
        if dead:  # their files stay until the database is seen to be sound
            self._database.refuse_damaged()
            self._presence.bury(dead)
        self.history = SqliteHistory(self._database, self._journal, pending)
        self.usage = SqliteUsage(self._database, self.history)
        self.leases = SqliteLeases(self._database)
        self.idempotency = SqliteIdempotency(self._database, self._presence, self._journal)
        self.intake = SqliteIntake(self._database)
        self.feed, self.schedules = SqliteFeed(self._database), SqliteSchedules(self._database)
        self.mappings = SqliteMappings(self._database)
        self.tokens = SqliteTokens(self._database)
        self.sign_ins = SqliteSignIns(self._database)
        self.preferences = SqlitePreferences(self._database)

    async def close(self) -> None:
        """Close the file."""
        with anyio.move_on_after(CLOSING_SECONDS, shield=True), ExitStack() as whatever_fails:
            whatever_fails.callback(self._database.close)
            if self._database.is_ours:
                whatever_fails.callback(self._presence.leave)
                whatever_fails.callback(self._journal.leave)
                whatever_fails.callback(self.audit.note_end)
                await self.history.close()

    async def check(self) -> Sequence[str]:
        """Return what is damaged."""
        found = await anyio.to_thread.run_sync(self._database.check)
        return [] if found == ["ok"] else found

    async def back_up_folder(self, folder: Path, key: Path | None) -> None:
        """Write a back-up into a new folder, and read it over."""
        back_ups.new_folder(folder)
        await self.back_up(folder / back_ups.DATABASE)
        if key is not None:
            back_ups.copy_key(key, folder)
        await anyio.to_thread.run_sync(back_ups.look_over, folder)
        head = await self.audit.head()
        facts = {"made_at": iso(datetime.now(UTC)), "audit": str(head), "master_keys": sorted(await self.keys.in_use())}
        back_ups.note_facts(folder, {**facts, "with_key": key is not None})

    async def back_up(self, target: Path) -> None:
        """Write all into a new file."""
        await self.history.gather()
        await anyio.to_thread.run_sync(self._database.back_up, target)


def path_of(url: str, home: Path) -> Path:
    """Return where the database of a URL stands, by default in the data folder; raises StoreError for other kinds."""
    if url and not url.startswith(_PREFIX):
        kind = url.partition(":")[0]
        raise StoreError(f"A database URL of kind '{kind}' is not supported by this store. Use {_PREFIX}PATH.")
    return Path(url.removeprefix(_PREFIX)) if url else home / FILE


def _teller(surroundings: Surroundings) -> Callable[[AuditHead], None]:
    def tell(head: AuditHead) -> None:
        surroundings.observe("audit.noted", {"number": head.number, "digest": head.digest})

    return tell
