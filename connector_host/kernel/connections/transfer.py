"""Export and import of connections as YAML; secrets travel as vault references, or sealed to a public key."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from connector_host.contract.connection import (
    EVERYTHING,
    OPERATOR,
    Caller,
    Change,
    HealthCheck,
    Outcome,
    Selection,
    StoredConnection,
    VaultReference,
)
from connector_host.contract.documents import plain
from connector_host.contract.errors import BadSetting, ConnectorHostError, SealBroken, UnknownConnection
from connector_host.contract.manifest import Manifest
from connector_host.contract.ports import Envelope
from connector_host.contract.stores import Store
from connector_host.kernel.access import operator_only
from connector_host.kernel.audit import Auditor
from connector_host.kernel.connections.drafting import leading
from connector_host.kernel.connections.fields import FIELDS
from connector_host.kernel.connections.manager import ConnectionManager
from connector_host.kernel.connections.references import named
from connector_host.kernel.connections.upgrades import Values, upgraded
from connector_host.kernel.plugins import Registry
from connector_host.kernel.secrets import SecretKeeper

FORMAT = 1
_PARTS = ("parameters", "vault", "sealed_secrets", "missing_secrets", "plugin")


class Transfer:
    """Carries connections from one host to another; only the operator may."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        keeper: SecretKeeper,
        manager: ConnectionManager,
        auditor: Auditor,
        envelope: Callable[[], Envelope],
    ) -> None:
        self._registry = registry
        self._store = store
        self._keeper = keeper
        self._manager = manager
        self._auditor = auditor
        self._envelope = envelope

    async def export(
        self, selection: Selection = EVERYTHING, *, public_key: bytes | None = None, caller: Caller = OPERATOR
    ) -> dict[str, Any]:
        """Return the connections selected as a document for YAML.

        `public_key` is an X25519 key as PEM: secrets are sealed to it. Without one they are left out, and named as
        missing. Raises BadSetting for a key that is none, SealError where a secret does not open.
        """
        operator_only(caller, "export connections")
        if public_key is not None:
            self._envelope().seal(public_key, b"", b"")
        found = [await self._document(stored, public_key) async for stored in self._manager.every(selection, caller)]
        names = [one["name"] for one in found]
        await self._auditor.record("connections.exported", caller, connections=names, sealed=public_key is not None)
        return {"connector_host_connections": FORMAT, "connections": found}

    async def _document(self, stored: StoredConnection, public_key: bytes | None) -> dict[str, Any]:
        if stored.damage:
            raise BadSetting(f"{stored.damage} It can not be exported; select the others by a filter.")
        connection = stored.connection
        document = {
            key: value
            for key, value in plain(asdict(connection)).items()
            if key in FIELDS and value not in (None, [], "")
        }
        manifest = self._registry.plugin(connection.plugin)
        secrets = dict.fromkeys(connection.secrets) if public_key is None else await self._keeper.open(stored)
        own = Values(connection.parameters, secrets, connection.vault)
        own = upgraded(manifest, connection.plugin_version, own)
        document |= {"plugin": connection.plugin, "parameters": dict(own.parameters)}
        if own.vault:
            document["vault"] = {name: await named(self._store, one) for name, one in own.vault.items()}
        if own.secrets and public_key is None:
            document["missing_secrets"] = sorted(own.secrets)
        elif own.secrets and public_key is not None:
            sealed = self._envelope().seal(
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
        caller: Caller = OPERATOR,
    ) -> list[Outcome]:
        """Add the connections of an exported document; vaults before those that use them.

        One of a name that exists is refused, or with `replace_existing` changed. What can not be added says why and
        harms no other. Raises BadSetting for a document that is none, and for a key that does not fit.
        """
        operator_only(caller, "import connections")
        waiting = [_checked(one) for one in _connections_of(document)]
        outcomes: list[Outcome] = []
        async for name, error in self._in_order(waiting, private_key, caller, replace_existing=replace_existing):
            outcomes.append(Outcome(name, error))
        return outcomes

    async def _in_order(
        self, waiting: list[Mapping[str, Any]], private_key: bytes | None, caller: Caller, *, replace_existing: bool
    ) -> AsyncIterator[tuple[str, str]]:
        while waiting:
            names = {one["name"] for one in waiting}
            ready = [one for one in waiting if not names & _vaults_of(one) - {one["name"]}] or waiting
            for one in ready:
                waiting.remove(one)
                try:
                    await self._take_one(one, private_key, caller, replace_existing=replace_existing)
                except ConnectorHostError as error:
                    yield one["name"], str(error)
                else:
                    yield one["name"], ""

    async def _take_one(
        self, one: Mapping[str, Any], private_key: bytes | None, caller: Caller, *, replace_existing: bool
    ) -> None:
        secrets = self._opened(one, private_key) if "sealed_secrets" in one else {}
        change = Change(_fields_of(one), one.get("parameters", {}), secrets, (), _vault_of(one))
        try:
            await self._manager.get(one["name"], caller)
        except UnknownConnection:
            await self._manager.add(one["name"], one["plugin"], change, caller)
            return
        if not replace_existing:
            raise BadSetting(f"A connection '{one['name']}' exists already.")
        await self._manager.edit(one["name"], change, caller)

    def _opened(self, one: Mapping[str, Any], private_key: bytes | None) -> dict[str, Any]:
        if private_key is None:
            raise BadSetting("Its secrets are sealed: give the private key.")
        context = _context(self._registry.plugin(one["plugin"]), one)
        try:
            sealed = base64.b64decode(one["sealed_secrets"], validate=True)
            opened = json.loads(self._envelope().open(private_key, sealed, context))
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
