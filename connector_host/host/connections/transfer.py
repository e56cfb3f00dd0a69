"""Export and import of connections as YAML; secrets travel as vault references, or sealed to a public key."""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from connector_host.host.access import operator_only
from connector_host.host.connections.fields import FIELDS, named
from connector_host.host.connections.origins import leading
from connector_host.host.connections.reading import every, find
from connector_host.host.connections.service import Connections
from connector_host.host.connections.values import Values, upgraded
from connector_host.host.core import Core
from connector_host.model.caller import Principal
from connector_host.model.connection import (
    EVERYTHING,
    BulkOutcome,
    Change,
    HealthCheck,
    Selection,
    StoredConnection,
    VaultReference,
)
from connector_host.model.errors import BadSetting, ConnectorHostError, SealBroken, UnknownConnection
from connector_host.model.manifest import Manifest
from connector_host.model.result import plain

FORMAT = 1
_PARTS = ("parameters", "vault", "sealed_secrets", "missing_secrets", "plugin")


class Transfers:
    """Carries connections from one host to another; only the operator may."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def export(self, selection: Selection = EVERYTHING, *, public_key: bytes | None = None) -> dict[str, Any]:
        """Return the connections selected as a document for YAML.

        `public_key` is an X25519 key as PEM: secrets are sealed to it. Without one they are left out, and named as
        missing. Raises NotAllowed, BadSetting for a key that is none, SealError where a secret does not open.
        """
        operator_only(self._caller, "export connections")
        if public_key is not None:
            self._core.envelope().seal(public_key, b"", b"")
        found = [
            await self._document(stored, public_key) async for stored in every(self._core, selection, self._caller)
        ]
        names = [one["name"] for one in found]
        sealed = public_key is not None
        await self._core.audit.record("connections.exported", self._caller, connections=names, sealed=sealed)
        return {"connector_host_connections": FORMAT, "connections": found}

    async def _document(self, stored: StoredConnection, public_key: bytes | None) -> dict[str, Any]:
        if stored.damage:
            raise BadSetting(f"{stored.damage} It cannot be exported; select the others by a filter.")
        connection = stored.connection
        document = {
            key: value for key, value in plain(connection).items() if key in FIELDS and value not in (None, [], "")
        }
        manifest = self._core.registry.plugin(connection.plugin)
        secrets = dict.fromkeys(connection.secrets) if public_key is None else await self._core.secrets.open(stored)
        own = Values(connection.parameters, secrets, connection.vault)
        own = upgraded(manifest, connection.plugin_version, own)
        document |= {"plugin": connection.plugin, "parameters": dict(own.parameters)}
        if own.vault:
            document["vault"] = {name: await named(self._core.store, one) for name, one in own.vault.items()}
        if own.secrets and public_key is None:
            document["missing_secrets"] = sorted(own.secrets)
        elif own.secrets and public_key is not None:
            sealed = self._core.envelope().seal(
                public_key, json.dumps(dict(own.secrets)).encode(), _context(manifest, document)
            )
            document["sealed_secrets"] = base64.b64encode(sealed).decode()
        return document

    async def take(
        self,
        document: Any,
        *,
        private_key: bytes | None = None,
        replace_existing: bool = False,
    ) -> list[BulkOutcome]:
        """Add the connections of an exported document; vaults before those that use them.

        One of a name that exists is refused, or with `replace_existing` changed. What cannot be added says why and
        harms no other. Raises BadSetting for a document that is none, and for a key that does not fit.
        """
        operator_only(self._caller, "import connections")
        waiting = [_checked(one) for one in _connections_of(document)]
        outcomes: list[BulkOutcome] = []
        async for name, error in self._in_order(waiting, private_key, replace_existing=replace_existing):
            outcomes.append(BulkOutcome(name, error))
        return outcomes

    async def _in_order(
        self, waiting: list[Mapping[str, Any]], private_key: bytes | None, *, replace_existing: bool
    ) -> AsyncIterator[tuple[str, str]]:
        while waiting:
            names = {one["name"] for one in waiting}
            ready = [one for one in waiting if not names & _vaults_of(one) - {one["name"]}] or waiting
            for one in ready:
                waiting.remove(one)
                try:
                    await self._take_one(one, private_key, replace_existing=replace_existing)
                except ConnectorHostError as error:
                    yield one["name"], str(error)
                else:
                    yield one["name"], ""

    async def _take_one(self, one: Mapping[str, Any], private_key: bytes | None, *, replace_existing: bool) -> None:
        secrets = self._opened(one, private_key) if "sealed_secrets" in one else {}
        connections = Connections(self._core, self._caller)
        change = Change(_fields_of(one), one.get("parameters", {}), secrets, (), _vault_of(one))
        try:
            await find(self._core, one["name"], self._caller)
        except UnknownConnection:
            await connections.add(one["name"], one["plugin"], change)
            return
        if not replace_existing:
            raise BadSetting(f"A connection '{one['name']}' exists already.")
        await connections.edit(one["name"], change)

    def _opened(self, one: Mapping[str, Any], private_key: bytes | None) -> dict[str, Any]:
        if private_key is None:
            raise BadSetting("Its secrets are sealed: give the private key.")
        context = _context(self._core.registry.plugin(one["plugin"]), one)
        try:
            sealed = base64.b64decode(one["sealed_secrets"], validate=True)
            opened = json.loads(self._core.envelope().open(private_key, sealed, context))
        except (SealBroken, ValueError, TypeError) as error:
            raise SealBroken(
                "Its secrets do not open: they were sealed to another key, the file leads them to another server than "
                "before, or it is damaged."
            ) from error
        return dict(opened)


def _context(manifest: Manifest, one: Mapping[str, Any]) -> bytes:
    """Bind secrets to their plugin and to where they go: a file that leads them elsewhere opens none."""
    leads = leading(manifest, one.get("parameters", {}), one.get("vault", {}))
    return json.dumps(["export", FORMAT, manifest.id, leads], sort_keys=True).encode()


def _connections_of(document: Any) -> Iterable[Any]:
    if not isinstance(document, Mapping) or document.get("connector_host_connections") != FORMAT:
        raise BadSetting(f"This is no export of connections (connector_host_connections: {FORMAT}).")
    found = document.get("connections")
    if not isinstance(found, list):
        raise BadSetting("The export's 'connections' must be a list.")
    return found


def _checked(one: Any) -> Mapping[str, Any]:
    if not isinstance(one, Mapping) or not all(isinstance(one.get(key), str) for key in ("name", "plugin")):
        raise BadSetting("Each connection of an export needs a name and a plugin.")
    unknown = sorted(set(one) - FIELDS - set(_PARTS))
    for part in ("parameters", "vault"):
        if not isinstance(one.get(part, {}), Mapping):
            raise BadSetting(f"The {part} of '{one['name']}' must be a mapping.")
    if unknown:
        raise BadSetting(f"The connection '{one['name']}' has a field '{unknown[0]}', which no connection has.")
    return one


def _fields_of(one: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in one.items() if key in FIELDS and key != "name"}
    if fields.get("health_check"):
        check = fields["health_check"]
        try:
            fields["health_check"] = HealthCheck(**{**check, "recipients": tuple(check.get("recipients", ()))})
        except (TypeError, AttributeError) as error:
            raise BadSetting(f"The health check of '{one['name']}' is wrong: {error}.") from None
    return fields


def _vault_of(one: Mapping[str, Any]) -> dict[str, VaultReference | None]:
    try:
        return {name: VaultReference(**reference) for name, reference in one.get("vault", {}).items()}
    except TypeError as error:
        raise BadSetting(f"A vault reference of '{one['name']}' is wrong: {error}.") from None


def _vaults_of(one: Mapping[str, Any]) -> set[str]:
    return {
        str(reference.get("vault")) for reference in one.get("vault", {}).values() if isinstance(reference, Mapping)
    }
