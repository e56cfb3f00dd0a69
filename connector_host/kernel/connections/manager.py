"""The connection manager: adds, edits, copies, shows and removes connections; secrets go in and never come out."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from connector_host.contract.audit import AuditEntry
from connector_host.contract.connection import (
    EVERYTHING,
    OPERATOR,
    Caller,
    Change,
    Connection,
    Outcome,
    Sealed,
    Selection,
    StoredConnection,
)
from connector_host.contract.errors import (
    BadSetting,
    ConnectorHostError,
    NotAllowed,
)
from connector_host.contract.ids import new_id
from connector_host.contract.manifest import Manifest
from connector_host.contract.ports import Clock
from connector_host.contract.stores import Store
from connector_host.kernel.access import Right, operator_only
from connector_host.kernel.audit import Auditor
from connector_host.kernel.connections.drafting import (
    Draft,
    References,
    draft_edit,
    draft_new,
    leading,
    touches_secrets,
)
from connector_host.kernel.connections.reading import ConnectionReader
from connector_host.kernel.connections.references import resolved
from connector_host.kernel.connections.upgrades import Values
from connector_host.kernel.plugins import Registry
from connector_host.kernel.secrets import SecretKeeper
from connector_host.kernel.settings import Settings

BOUNDARY = frozenset({"name", "site", "shared_to_internal_sites", "recipient_site", "tenants", "agent"})
Gone = Callable[[str], Awaitable[None]]


class ConnectionManager(ConnectionReader):
    """Every change of a connection goes through here."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        keeper: SecretKeeper,
        settings: Settings,
        auditor: Auditor,
        clock: Clock,
        gone: Gone,
    ) -> None:
        super().__init__(registry, store, keeper, clock)
        self._settings = settings
        self._auditor = auditor
        self._gone = gone

    async def add(self, name: str, plugin: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Keep a new connection; only the operator may.

        Raises UnknownPlugin, ConnectionExists, NotAllowed, UnknownPlace, and BadSetting for a wrong parameter.
        """
        return await self.keep(await self.draft(name, plugin, change, caller), "connection.added", caller, change)

    async def draft(self, name: str, plugin: str, change: Change, caller: Caller = OPERATOR) -> Draft:
        """Return the connection as add() would store it; raises as add() does."""
        operator_only(caller, "add a connection")
        manifest, places = self._registry.plugin(plugin), await self._store.places.load()
        references = await self._references(change, caller, "")
        return draft_new(manifest, name, change, references, self._settings, places)

    async def keep(self, draft: Draft, action: str, caller: Caller, change: Change) -> Connection:
        """Store a new connection."""
        entry = self._entry(action, caller, draft.connection, change)
        await self._store.connections.add(await self._sealed(draft), entry)
        return draft.connection

    async def edit(self, name: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Change a connection; raises ConnectionChanged where somebody else did so in the meantime."""
        stored, draft = await self.draft_edit(name, change, caller)
        entry = self._entry("connection.changed", caller, draft.connection, change)
        await self._store.connections.change(await self._sealed(draft, stored.sealed), entry)
        return draft.connection

    async def _sealed(self, draft: Draft, before: Sealed | None = None) -> StoredConnection:
        """Return a draft as it is stored; secrets that it does not touch stay sealed as they were `before`."""
        connection, sealed = draft.connection, before
        if draft.secrets is not None:
            version = connection.version
            sealed = await self._keeper.seal(connection.id, version, draft.secrets) if draft.secrets else None
        return StoredConnection(connection, sealed)

    async def draft_edit(
        self, name: str, change: Change, caller: Caller = OPERATOR, *, opened: bool = False
    ) -> tuple[StoredConnection, Draft]:
        """Return a connection as it stands and as edit() would store it; with `opened` its secrets too."""
        stored = await self.get(name, caller, Right.ADMINISTER)
        if stored.damage:
            raise BadSetting(f"{stored.damage} Restore it from a backup, or remove the connection and add it again.")
        if caller != OPERATOR and BOUNDARY & set(change.fields):
            refused = ", ".join(sorted(BOUNDARY & set(change.fields)))
            raise NotAllowed(f"Only the operator of the host may change the connection's {refused}.")
        old = stored.connection
        manifest, places = self._registry.plugin(old.plugin), await self._store.places.load()
        references = await self._references(change, caller, old.id)
        secrets: dict[str, Any] = dict.fromkeys(old.secrets)
        if opened or touches_secrets(manifest, old, change, references):
            kept = set(old.secrets) - set(change.secrets) - set(change.remove_secrets)
            secrets = await self._keeper.open(stored, kept) if kept else {}
        before = Values(old.parameters, secrets, old.vault)
        draft = draft_edit(manifest, before, old, change, references, self._settings, places)
        if caller != OPERATOR:
            _refuse_leading_away(manifest, old, draft.connection, change)
        return stored, draft

    async def edit_many(self, selection: Selection, change: Change, caller: Caller = OPERATOR) -> list[Outcome]:
        """Change every connection selected, each by itself; what can not be changed says why and harms no other."""
        return [
            Outcome(stored.connection.name, await self._why_not(stored.connection.name, change, caller))
            async for stored in self.every(selection, caller, Right.ADMINISTER)
        ]

    async def _why_not(self, name: str, change: Change, caller: Caller) -> str:
        try:
            await self.edit(name, change, caller)
        except ConnectorHostError as error:
            return str(error)
        return ""

    async def copy(self, name: str, new_name: str, change: Change = Change(), caller: Caller = OPERATOR) -> Connection:  # noqa: B008 - frozen
        """Keep a connection like another one, changed; its secrets are sealed anew. Only the operator may."""
        operator_only(caller, "add a connection")
        renamed = replace(change, fields={**change.fields, "name": new_name})
        _, draft = await self.draft_edit(name, renamed, caller, opened=True)
        copied = replace(draft, connection=replace(draft.connection, id=new_id(), version=1))
        return await self.keep(copied, "connection.copied", caller, renamed)

    async def remove(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a connection and its secrets; its history stays. Raises UnknownConnection, NotAllowed, BadSetting."""
        connection = (await self.get(name, caller, Right.ADMINISTER)).connection
        entry = self._auditor.entry("connection.removed", caller, connection, plugin=connection.plugin)
        await self._store.connections.remove(connection.id, entry)
        await self._gone(connection.id)

    async def upgrade(self, caller: Caller = OPERATOR) -> list[Outcome]:
        """Save anew what was saved for another version of its plugin; what does not suit it is flagged, and kept."""
        operator_only(caller, "upgrade connections")
        outcomes = []
        async for stored in self.every(EVERYTHING, caller, Right.ADMINISTER):
            connection = stored.connection
            manifest = self._registry.plugins.get(connection.plugin)
            if manifest is not None and manifest.version != connection.plugin_version and not stored.damage:
                reason = await self._why_not(connection.name, Change(), caller)
                if reason:
                    words = f"It does not suit {manifest.name} {manifest.version}: {reason}"
                    await self._store.health.attend(connection.id, words)
                outcomes.append(Outcome(connection.name, reason))
        return outcomes

    async def _references(self, change: Change, caller: Caller, connection_id: str) -> References:
        async def find(name: str) -> StoredConnection:
            return await self.get(name, caller)

        return await resolved(change.vault, self._registry, self._store, find, connection_id)

    def _entry(self, action: str, caller: Caller, connection: Connection, change: Change) -> AuditEntry:
        """Return what the audit keeps of a change: of parameters and secrets the names only."""
        return self._auditor.entry(
            action,
            caller,
            connection,
            plugin=connection.plugin,
            version=connection.version,
            fields={
                key: asdict(one) if hasattr(one, "__dataclass_fields__") else one for key, one in change.fields.items()
            },
            parameters=sorted(change.parameters),
            secrets=sorted(change.secrets),
            removed_secrets=sorted(change.remove_secrets),
            vault={key: asdict(one) if one else None for key, one in change.vault.items()},
        )


def _refuse_leading_away(manifest: Manifest, old: Connection, new: Connection, change: Change) -> None:
    """Secrets do not go along where somebody else than the operator leads a connection to another server."""
    before, after = (leading(manifest, one.parameters, one.vault) for one in (old, new))
    kept = (set(new.secrets) - set(change.secrets)) | (set(new.vault) - set(change.vault))
    if before != after and kept:
        raise NotAllowed(
            f"To lead the connection to another server, give its secrets again: {', '.join(sorted(kept))}."
        )
