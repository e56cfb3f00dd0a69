"""Connections as a caller handles them: added, edited, copied, listed, shown, removed; secrets go in and never out."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from msgspec.structs import replace

from connector_host.host.access import Right, operator_only
from connector_host.host.connections.differences import change_facts
from connector_host.host.connections.drafting import Draft
from connector_host.host.connections.editing import drafted, drafted_edit
from connector_host.host.connections.reading import every, find, shown, with_plugin
from connector_host.host.connections.troubles import troubles_of
from connector_host.host.connections.undoing import former, undoing
from connector_host.host.core import Core
from connector_host.model.audit import AuditEntry
from connector_host.model.caller import Principal, actor_of
from connector_host.model.connection import (
    EVERYTHING,
    BulkOutcome,
    Change,
    Connection,
    Selection,
    StoredConnection,
)
from connector_host.model.errors import ConnectionChanged, ConnectorHostError, KeyUnknown
from connector_host.model.fuzzy import beginning, best, exactly, in_order
from connector_host.model.invocation import new_id
from connector_host.model.manifest import Manifest
from connector_host.model.trouble import Trouble

_NO_CHANGE = Change()


class Connections:
    """Every change of a connection goes through here."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def list(self, selection: Selection = EVERYTHING) -> list[StoredConnection]:
        """Return those selected that the caller may use, by name, with their health and without sealed secrets."""
        found: list[StoredConnection] = []
        async for stored in every(self._core, selection, self._caller):
            found.append(with_plugin(self._core, replace(stored, sealed=None)))
            if len(found) == selection.limit:
                break
        return found

    async def like(self, letters: str, most: int = 50) -> Sequence[StoredConnection]:
        """Return those whose names have the letters in their order, in any case, the best match first.

        A name in full is found among any number, as are those that begin so; of others the first by name are ranked.
        """
        found: dict[str, StoredConnection] = {}
        for pattern in (exactly(letters), beginning(letters), in_order(letters)):
            chosen = await self.list(Selection(name=pattern, limit=10 * most))
            found |= {one.connection.name: one for one in chosen}
        return best(found.values(), letters, lambda one: one.connection.name)[:most]

    async def checks_of(self, names: Sequence[str], most: int = 40) -> Mapping[str, Sequence[str]]:
        """Return the statuses of the newest health checks of many connections, oldest first, by their names.

        Raises UnknownConnection.
        """
        found = {one: (await find(self._core, one, self._caller)).connection.id for one in names}
        checks = await self._core.store.health.checks(list(found.values()), most)
        return {name: checks.get(connection_id, ()) for name, connection_id in found.items()}

    async def show(self, name: str) -> dict[str, Any]:
        """Return one as `schemas/connection.schema.json` describes it; raises UnknownConnection."""
        return await shown(self._core, await find(self._core, name, self._caller), self._caller)

    async def add(self, name: str, plugin: str, change: Change) -> Connection:
        """Keep a new connection; only the operator may.

        Raises UnknownPlugin, ConnectionExists, NotAllowed, UnknownSite, and BadSetting for a wrong parameter.
        """
        draft = await drafted(self._core, self._caller, name, plugin, change)
        return await self._keep(draft, "connection.added", change)

    async def add_incomplete(self, name: str, plugin: str, change: Change, lacking: frozenset[str]) -> str:
        """Keep a new connection that lacks some secrets: not active, with words on what it still needs."""
        change = replace(change, fields={**change.fields, "active": False})
        draft = await drafted(self._core, self._caller, name, plugin, change, lacking)
        kept = await self._keep(draft, "connection.added", change)
        properties = self._core.registry.plugin(plugin).connection["properties"]
        titles = ", ".join(properties[one].get("title", one) for one in sorted(lacking))
        options = " ".join(f"--secret {one}=-" for one in sorted(lacking))
        words = f"It still needs {titles}. Give it: connector-host connections edit {quote(name)} {options} --active"
        await self._core.store.health.attend(kept.id, words)
        return words

    async def edit(self, name: str, change: Change) -> Connection:
        """Change a connection; raises ConnectionChanged where somebody else did so in the meantime.

        Raises UnknownConnection, NotAllowed, UnknownSite and BadSetting too.
        """
        stored, draft = await drafted_edit(self._core, self._caller, name, change)
        renewed = await self._stored(draft, stored)
        entry = self._entry("connection.changed", renewed.connection, change, stored.connection)
        await self._core.store.connections.change(renewed, entry)
        self._tell("connection.changed", renewed.connection)
        return renewed.connection

    async def undo(self, name: str, *, version: int | None = None) -> Connection:
        """Take the last edit back, where it touched neither a secret nor where secrets are sent, nor the name.

        Raises BadSetting where it did, or there is none, and as edit() does.
        """
        stored = await find(self._core, name, self._caller, Right.ADMINISTER)
        change = await undoing(self._core, stored, self._caller)
        return await self.edit(name, replace(change, version=stored.connection.version if version is None else version))

    async def former(self, name: str) -> Change:
        """Return the change to what stood before the last edit, without secrets, which are kept nowhere.

        Raises UnknownConnection, NotAllowed for who does not administer it now and did then, BadSetting where there is
        none.
        """
        return await former(self._core, await find(self._core, name, self._caller, Right.ADMINISTER), self._caller)

    async def troubles(self, names: Sequence[str], most: int = 3) -> Sequence[Trouble]:
        """Return what is wrong with connections that fail or need attention, at most so many causes, each told once.

        Raises UnknownConnection.
        """
        found = [await find(self._core, one, self._caller) for one in names]
        health = [replace(one, health=await self._core.store.health.state(one.connection.id)) for one in found]
        troubled = [with_plugin(self._core, one) for one in health]
        return await troubles_of(self._core, self._caller, troubled, most)

    async def edit_many(self, selection: Selection, change: Change) -> Sequence[BulkOutcome]:
        """Change every connection selected, each by itself; what cannot be changed says why and harms no other."""
        return [
            BulkOutcome(stored.connection.name, await self._why_not(stored.connection.name, change))
            async for stored in every(self._core, selection, self._caller, Right.ADMINISTER)
        ]

    async def copy(self, name: str, new_name: str, change: Change = _NO_CHANGE) -> Connection:
        """Keep a connection like another one, changed; its secrets are sealed anew. Only the operator may."""
        operator_only(self._caller, "copy a connection")
        renamed = replace(change, fields={**change.fields, "name": new_name})
        _, draft = await drafted_edit(self._core, self._caller, name, renamed, opened=True)
        copied = replace(draft, connection=replace(draft.connection, id=new_id(), version=1))
        return await self._keep(copied, "connection.copied", renamed)

    async def remove(self, name: str, *, version: int | None = None) -> None:
        """Forget a connection and its secrets, of this version where one is given; its history stays.

        Raises UnknownConnection, NotAllowed, BadSetting, and ConnectionChanged where it is of another version.
        """
        connection = (await find(self._core, name, self._caller, Right.ADMINISTER)).connection
        if version is not None and version != connection.version:
            raise ConnectionChanged
        entry = self._core.audit.entry("connection.removed", self._caller, connection, plugin=connection.plugin)
        await self._core.store.connections.remove(connection.id, entry, version)
        await self._core.pool.forget(connection.id)
        self._tell("connection.removed", connection)

    async def upgrade(self) -> Sequence[BulkOutcome]:
        """Save anew what was saved for another version of its plugin; what does not suit it is flagged, and kept."""
        operator_only(self._caller, "upgrade connections")
        outcomes = []
        async for stored in every(self._core, EVERYTHING, self._caller, Right.ADMINISTER):
            connection = stored.connection
            manifest = self._core.registry.plugins.get(connection.plugin)
            if manifest is not None and manifest.version != connection.plugin_version and not stored.damage:
                outcomes.append(BulkOutcome(connection.name, await self._upgrade(connection, manifest)))
        return outcomes

    async def _upgrade(self, connection: Connection, manifest: Manifest) -> str:
        """Save one anew; return why it needs attention, empty where it does not."""
        try:
            renewed = await self.edit(connection.name, _NO_CHANGE)
        except ConnectorHostError as error:
            reason = str(error)
            words = f"It does not suit {manifest.name} {manifest.version}: {reason}"
        else:
            if renewed.active == connection.active:
                return ""
            new = ", ".join(sorted(set(renewed.origins) - set(connection.origins)))
            reason = words = f"{manifest.name} {manifest.version} would send its secrets to {new}: activate it if so."
        await self._core.store.health.attend(connection.id, words)
        return reason

    async def _keep(self, draft: Draft, action: str, change: Change) -> Connection:
        for last in (False, True):
            stored = await self._core.secrets.sealed(draft.connection, draft.secrets or {})
            try:
                await self._core.store.connections.add(stored, self._entry(action, stored.connection, change))
            except KeyUnknown:  # the key was retired between sealing and storing
                if last:
                    raise
            else:
                break
        self._tell("connection.added", stored.connection)
        return stored.connection

    async def _stored(self, draft: Draft, before: StoredConnection) -> StoredConnection:
        """Return a draft as it is stored; secrets that it does not touch stay sealed as they were `before`."""
        if draft.secrets is None:
            return await self._core.secrets.signed(draft.connection, before)
        return await self._core.secrets.sealed(draft.connection, draft.secrets)

    async def _why_not(self, name: str, change: Change) -> str:
        try:
            await self.edit(name, change)
        except ConnectorHostError as error:
            return str(error)
        return ""

    def _tell(self, event: str, connection: Connection) -> None:
        who = actor_of(self._caller)
        names = {"connection": connection.name, "connection_id": connection.id, "plugin": connection.plugin}
        self._core.observe(event, {**names, "caller": str(who), "actor": who})

    def _entry(
        self, action: str, connection: Connection, change: Change, before: Connection | None = None
    ) -> AuditEntry:
        facts = change_facts(change, connection, before)
        return self._core.audit.entry(action, self._caller, connection, **facts)
