"""All values of a connection in use: parameters, opened secrets, what vaults hold and defaults, in today's form."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_host.contract.connection import Connection, StoredConnection
from connector_host.contract.errors import ConnectionUnavailable, InvalidInput, SealError, SecretUnavailable
from connector_host.contract.manifest import Manifest
from connector_host.kernel.connections.upgrades import Values, upgraded
from connector_host.kernel.inputs import InputForm
from connector_host.kernel.plugins import Registry
from connector_host.kernel.secrets import SecretKeeper
from connector_host.kernel.settings import Settings
from connector_host.kernel.vault import VaultDesk


@dataclass(frozen=True, slots=True)
class OpenedValues:
    """A connection's values in the clear, and until when they may be used without looking again (monotonic seconds)."""

    values: Mapping[str, Any] = field(repr=False)
    secret_names: frozenset[str]
    until: float = float("inf")


class ValueSource:
    """Opens connections, stored ones and drafts by the same way."""

    def __init__(self, registry: Registry, keeper: SecretKeeper, vaults: VaultDesk, settings: Settings) -> None:
        self._registry = registry
        self._keeper = keeper
        self._vaults = vaults
        self._settings = settings

    async def open(self, stored: StoredConnection, secrets: Mapping[str, Any] | None = None) -> OpenedValues:
        """Return all values; a draft's `secrets` are in the clear already.

        Raises SecretUnavailable, and ConnectionUnavailable where the values do not suit the plugin.
        """
        connection = stored.connection
        manifest = self._registry.plugin(connection.plugin)
        try:
            opened = await self._keeper.open(stored) if secrets is None else secrets
        except SealError as error:
            raise SecretUnavailable(str(error)) from error
        own = upgraded(manifest, connection.plugin_version, Values(connection.parameters, opened, connection.vault))
        fetched, until = await self._fetch(manifest, connection, own)
        given = {**own.parameters, **own.secrets, **fetched}
        if fetched or connection.plugin_version != manifest.version:
            self._check(manifest, connection, given, fetched)
        defaults = {
            name: schema["default"] for name, schema in manifest.connection["properties"].items() if "default" in schema
        }
        return OpenedValues({**defaults, **given}, manifest.secret_names, until)

    async def _fetch(self, manifest: Manifest, connection: Connection, own: Values) -> tuple[dict[str, Any], float]:
        fetched: dict[str, Any] = {}
        until = float("inf")
        for name, reference in own.vault.items():
            schema = manifest.connection["properties"].get(name, {})
            kept = await self._vaults.look_up(reference, connection.name, schema.get("title", name))
            fetched[name] = _as_asked(kept.value, schema)
            until = min(until, kept.until)
        return fetched, until

    def _check(
        self, manifest: Manifest, connection: Connection, given: Mapping[str, Any], fetched: Mapping[str, Any]
    ) -> None:
        """Refuse values that the manifest of today refuses; never quotes one that a vault gave."""
        form = InputForm(manifest.connection, self._settings.date_time, self._settings.limits)
        try:
            form.accept(given)
        except InvalidInput as error:
            from_vault = any(form.title(name) in str(error) for name in fetched)
            detail = "" if from_vault else error.failure.detail
            whence = (
                "looked up in the vault" if from_vault else f"made for version {connection.plugin_version or 'unknown'}"
            )
            raise ConnectionUnavailable(
                f"The connection '{connection.name}' ({whence}) does not suit {manifest.name} {manifest.version}. "
                f"{error}",
                detail=detail,
                assistance=f"Mend it: connector-host connections edit {connection.name} --set NAME=VALUE",
            ) from None


def _as_asked(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value as the schema wants it: vaults hold texts."""
    kinds = schema.get("type", "string")
    if not isinstance(value, str) or "string" in ([kinds] if isinstance(kinds, str) else kinds):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
