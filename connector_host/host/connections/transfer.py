"""Export and import of connections as YAML; secrets travel as vault references, or sealed to a public key."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector_host.host.access import operator_only
from connector_host.host.connections.differences import differences
from connector_host.host.connections.documents import (
    FORMAT,
    connections_of,
    context_of,
    fields_of,
    format_of,
    vault_of,
    vaults_of,
)
from connector_host.host.connections.editing import drafted_edit, refuse_leading_away
from connector_host.host.connections.fields import FIELDS, named, with_fields
from connector_host.host.connections.reading import every
from connector_host.host.connections.service import Connections
from connector_host.host.connections.values import Values, upgraded
from connector_host.host.core import Core
from connector_host.host.sites import plain_name
from connector_host.model.caller import Principal
from connector_host.model.connection import (
    EVERYTHING,
    BulkOutcome,
    Change,
    Connection,
    ImportPreview,
    Selection,
    StoredConnection,
)
from connector_host.model.errors import BadSetting, ConnectorHostError, SealBroken
from connector_host.model.result import plain

SecretsByName = Mapping[str, Mapping[str, Any]]  # by connection and parameter


class Transfers:
    """Carries connections from one host to another; only the operator may."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def export(self, selection: Selection = EVERYTHING, *, public_key: bytes | None = None) -> dict[str, Any]:
        """Return the connections selected as a document for YAML.

        `public_key` is an X25519 key as PEM: secrets are sealed to it. Without one they are left out, and named as
        missing. What cannot be exported is named under `left_out`, with the reason, and keeps no other. Raises
        NotAllowed, and BadSetting for a key that is none.
        """
        operator_only(self._caller, "export connections")
        if public_key is not None:
            self._core.envelope().seal(public_key, b"", b"")
        found: list[dict[str, Any]] = []
        left_out: list[dict[str, str]] = []
        async for stored in every(self._core, selection, self._caller):
            try:
                found.append(await self._document(stored, public_key))
            except ConnectorHostError as error:
                left_out.append({"name": stored.connection.name, "reason": str(error)})
        names = [one["name"] for one in found]
        sealed = public_key is not None
        await self._core.audit.record("connections.exported", self._caller, connections=names, sealed=sealed)
        return {
            "connector_host_connections": FORMAT,
            "connections": found,
            **({"left_out": left_out} if left_out else {}),
        }

    async def _document(self, stored: StoredConnection, public_key: bytes | None) -> dict[str, Any]:
        if stored.damage:
            raise BadSetting(stored.damage)
        connection = stored.connection
        document = {
            key: value for key, value in plain(connection).items() if key in FIELDS and value not in (None, [], "")
        }
        secrets = dict.fromkeys(connection.secrets) if public_key is None else await self._core.secrets.open(stored)
        own = Values(connection.parameters, secrets, connection.vault)
        manifest = self._core.registry.plugins.get(connection.plugin)
        if manifest is None:  # the plugin is gone, or broken: as it is stored
            document["plugin_version"] = connection.plugin_version
        else:
            own = upgraded(manifest, connection.plugin_version, own)
        document |= {"plugin": connection.plugin, "parameters": dict(own.parameters)}
        if own.vault:
            document["vault"] = {name: await named(self._core.store, one) for name, one in own.vault.items()}
        if own.secrets and public_key is None:
            document["missing_secrets"] = sorted(own.secrets)
        elif own.secrets and public_key is not None:
            sealed = self._core.envelope().seal(
                public_key, json.dumps(dict(own.secrets)).encode(), context_of(FORMAT, None, document)
            )
            document["sealed_secrets"] = base64.b64encode(sealed).decode()
        return document

    async def take(
        self,
        document: Any,
        *,
        private_key: bytes | None = None,
        replace_existing: bool = False,
        secrets: SecretsByName | None = None,
    ) -> list[BulkOutcome]:
        """Add the connections of an exported document; vaults before those that use them.

        `secrets` are those that did not come along, by connection and parameter. One that still lacks some comes in not
        active, with a note that says what it needs.

        One of a name that exists is refused, or with `replace_existing` becomes what the document says: what it does
        not have is taken away, and where it leads to another server it must bring the secrets. What cannot be added
        says why and harms no other. Raises BadSetting for a document that is none, and for a key that does not fit.
        """
        operator_only(self._caller, "import connections")
        waiting, outcomes = connections_of(document), list[BulkOutcome]()
        given = _given_for(waiting, secrets)
        for one in _in_order(waiting):
            name, own = one["name"], given.get(one["name"], {})
            try:
                note = await self._take_one(
                    format_of(document), one, private_key, own, replace_existing=replace_existing
                )
            except ConnectorHostError as error:
                outcomes.append(BulkOutcome(name, str(error)))
            else:
                outcomes.append(BulkOutcome(name, note=note))
        return outcomes

    async def preview(
        self, document: Any, *, private_key: bytes | None = None, secrets: SecretsByName | None = None
    ) -> list[ImportPreview]:
        """Return what take() with `replace_existing` would change, connection by connection; changes nothing."""
        operator_only(self._caller, "import connections")
        waiting, wanted = connections_of(document), format_of(document)
        given = _given_for(waiting, secrets)
        return [
            await self._previewed(wanted, one, private_key, given.get(one["name"], {})) for one in _in_order(waiting)
        ]

    async def _previewed(
        self, document_format: int, one: Mapping[str, Any], private_key: bytes | None, own: Mapping[str, Any]
    ) -> ImportPreview:
        stored = await self._core.store.connections.get(plain_name(one["name"]))
        if stored is None:
            return ImportPreview(one["name"], exists=False)
        try:
            secrets = self._opened(document_format, one, private_key) if "sealed_secrets" in one else {}
            change = _replacing(stored.connection, one, {**secrets, **own})
            _, draft = await drafted_edit(self._core, self._caller, one["name"], change)
        except ConnectorHostError as error:
            return ImportPreview(one["name"], exists=True, changes=(f"refused: {error}",))
        return ImportPreview(one["name"], exists=True, changes=differences(stored.connection, draft.connection))

    async def _take_one(
        self,
        document_format: int,
        one: Mapping[str, Any],
        private_key: bytes | None,
        own: Mapping[str, Any],
        *,
        replace_existing: bool,
    ) -> str:
        with_fields(Connection(one["name"], one["plugin"]), fields_of(one), await self._core.sites.load())
        vault_of(one)  # what is wrong in words is told before what does not open
        secrets = self._opened(document_format, one, private_key) if "sealed_secrets" in one else {}
        secrets = {**secrets, **own}
        connections = Connections(self._core, self._caller)
        stored = await self._core.store.connections.get(plain_name(one["name"]))
        if stored is None:
            return await self._add(connections, one, self._migrated(one, secrets))
        if not replace_existing:
            raise BadSetting(
                f"A connection '{one['name']}' exists already; it is made what the file says with --replace."
            )
        if stored.connection.plugin != one["plugin"]:
            raise BadSetting(f"The connection '{one['name']}' that exists is one of {stored.connection.plugin}.")
        change = _replacing(stored.connection, one, secrets)
        _, draft = await drafted_edit(self._core, self._caller, one["name"], change)
        refuse_leading_away(self._core.registry.plugin(one["plugin"]), stored.connection, draft.connection, change)
        await connections.edit(one["name"], change)
        return ""

    def _migrated(self, one: Mapping[str, Any], secrets: Mapping[str, Any]) -> Change:
        """Return the change that adds a connection; what was exported without its plugin is upgraded."""
        values = Values(one.get("parameters", {}), secrets, {})
        if "plugin_version" in one:
            values = upgraded(self._core.registry.plugin(one["plugin"]), str(one["plugin_version"]), values)
        return Change(fields_of(one), values.parameters, values.secrets, (), vault_of(one))

    async def _add(self, connections: Connections, one: Mapping[str, Any], change: Change) -> str:
        required = self._core.registry.plugin(one["plugin"]).connection.get("required", [])
        there = {*change.secrets, *change.vault}
        lacking = frozenset(one.get("missing_secrets", ())) & set(required) - there
        if lacking:
            return await connections.add_incomplete(one["name"], one["plugin"], change, lacking)
        await connections.add(one["name"], one["plugin"], change)
        return ""

    def _opened(self, document_format: int, one: Mapping[str, Any], private_key: bytes | None) -> dict[str, Any]:
        if private_key is None:
            raise BadSetting("Its secrets are sealed: give the private key.")
        context = context_of(document_format, self._core.registry.plugin(one["plugin"]), one)
        try:
            sealed = base64.b64decode(one["sealed_secrets"], validate=True)
            opened = json.loads(self._core.envelope().open(private_key, sealed, context))
        except (SealBroken, ValueError, TypeError) as error:
            raise SealBroken(
                "Its secrets do not open: they were sealed to another key, or the file is damaged, or was changed: it "
                "leads them to another server, say."
            ) from error
        return dict(opened)


def _given_for(waiting: Sequence[Mapping[str, Any]], secrets: SecretsByName | None) -> SecretsByName:
    """Return the secrets that are given beside a document; raises BadSetting for a connection that it does not have."""
    unknown = sorted(set(secrets or {}) - {one["name"] for one in waiting})
    if unknown:
        raise BadSetting(f"The file has no connection '{unknown[0]}', for which a secret is given.")
    return secrets or {}


def _in_order(waiting: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Return vaults before those that use them; what is left in a circle comes as it stands."""
    left = list(waiting)
    while left:
        names = {one["name"] for one in left}
        ready = [one for one in left if not names & vaults_of(one) - {one["name"]}] or left
        yield from ready
        left = [one for one in left if one not in ready]


def _replacing(old: Connection, one: Mapping[str, Any], secrets: Mapping[str, Any]) -> Change:
    """Return the change that makes a connection what the document says: what it does not have is as by default."""
    plain_ones = {name: getattr(_NEW, name) for name in FIELDS - {"name"}}
    kept = {*secrets, *one.get("missing_secrets", ())}
    return Change(
        {**plain_ones, **fields_of(one)},
        {**dict.fromkeys(old.parameters), **one.get("parameters", {})},
        secrets,
        tuple(name for name in old.secrets if name not in kept),
        {**dict.fromkeys(old.vault), **vault_of(one)},
    )


_NEW = Connection("", "")
