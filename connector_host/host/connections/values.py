"""All values of a connection in use, in the form that today's manifest asks for; and what keeps it from being used."""

import json
import logging
from collections.abc import Container, Iterator, Mapping
from shlex import quote
from typing import Any, ClassVar, TypeVar

from connector_host.host.connections.entering import entered
from connector_host.host.connections.origins import origins_of
from connector_host.host.inputs import InputForm
from connector_host.host.secrets import Secrets
from connector_host.host.settings import Settings
from connector_host.host.vaults import Vaults
from connector_host.manifests.registry import PluginRegistry
from connector_host.manifests.versions import compared
from connector_host.model.caller import Caller
from connector_host.model.connection import Connection, StoredConnection, VaultReference
from connector_host.model.errors import BadSetting, SealError
from connector_host.model.failure import Kind
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import ConnectionUnavailable, InvalidInput, SecretUnavailable
from connector_host.model.manifest import Manifest, Migration
from connector_host.ports.stores import ConnectionStore

log = logging.getLogger("connector_host.connections")
T = TypeVar("T")


class Values(Guarded, frozen=True):
    """A connection's parameters, secrets and vault references, by name."""

    hidden: ClassVar[frozenset[str]] = frozenset({"secrets"})
    parameters: Mapping[str, Any]
    secrets: Mapping[str, Any]
    vault: Mapping[str, VaultReference]


def upgraded(manifest: Manifest, made_for: str, values: Values) -> Values:
    """Apply the manifest's migrations that are newer than the version a connection was made for."""
    for migration in _newer(manifest, made_for):
        values = _applied(migration, values)
    secret, plain = manifest.secret_names, dict(values.parameters)
    became_secret = {name: plain.pop(name) for name in list(plain) if name in secret}
    return Values(plain, {**became_secret, **values.secrets}, values.vault) if became_secret else values


def names_now(manifest: Manifest, made_for: str, named: Mapping[str, T]) -> dict[str, T]:
    """Return what is told of parameters under the names that they have by now."""
    found = dict(named)
    for migration in _newer(manifest, made_for):
        found = _moved(migration, found)
    return found


def _newer(manifest: Manifest, made_for: str) -> Iterator[Migration]:
    for migration in manifest.migrations:
        newer = compared(made_for, migration.version) < 0
        if newer and compared(migration.version, manifest.version) <= 0:
            yield migration


def _moved(migration: Migration, named: Mapping[str, T]) -> dict[str, T]:
    return {migration.rename.get(name, name): value for name, value in named.items() if name not in migration.remove}


def _applied(migration: Migration, values: Values) -> Values:
    parameters, secrets = _moved(migration, values.parameters), _moved(migration, values.secrets)
    vault = _moved(migration, values.vault)
    there = parameters.keys() | secrets.keys() | vault.keys()
    added = {name: value for name, value in migration.set.items() if name not in there}
    return Values({**parameters, **added}, secrets, vault)


def refuse_unusable(invocation: Invocation, agents: Container[str]) -> None:
    """Raise ConnectionUnavailable, with the reason, where nobody may use the connection now."""
    stored, connection = invocation.stored, invocation.stored.connection
    if stored.damage:
        advice = "Restore the database from a backup, or remove the connection and add it again."
        raise ConnectionUnavailable(stored.damage, assistance=advice)
    if not connection.active and invocation.draft is None:
        raise not_active(connection.name)
    if connection.agent is not None and connection.agent not in agents:
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' runs through the agent '{connection.agent}', and there is no "
            f"agent of that name.",
            assistance="Start the agent, or choose another: connector-host connections edit NAME --agent ''",
        )
    if invocation.ingest and connection.shared_to_internal_sites and connection.recipient_site is None:
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' is shared to internal sites and has no recipient site for its events.",
            assistance="Choose one: connector-host connections edit NAME --recipient-site SITE",
        )


def not_active(name: str) -> ConnectionUnavailable:
    """Return the refusal of a connection that was made inactive."""
    return ConnectionUnavailable(
        f"The connection '{name}' is not active.",
        assistance=f"Activate it: connector-host connections edit {quote(name)} --active",
    )


class OpenedValues(Guarded, frozen=True):
    """A connection's values in the clear, and until when they may be used without looking again (monotonic seconds).

    `vaults` are the vault connections that values came from: by id, with version, and who made the reference.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"values"})
    values: Mapping[str, Any]
    manifest: Manifest
    until: float = float("inf")
    vaults: tuple[tuple[str, int, Caller | None], ...] = ()

    @property
    def secret_names(self) -> frozenset[str]:
        """Names of the values that are secrets."""
        return self.manifest.secret_names


class ValueSource:
    """Opens connections, stored ones and drafts by the same way."""

    def __init__(
        self, registry: PluginRegistry, secrets: Secrets, vaults: Vaults, settings: Settings, store: ConnectionStore
    ) -> None:
        self._store = store
        self._registry = registry
        self._secrets = secrets
        self._vaults = vaults
        self._settings = settings

    async def open(self, stored: StoredConnection, secrets: Mapping[str, Any] | None = None) -> OpenedValues:
        """Return all values; a draft's `secrets` are in the clear already.

        Raises SecretUnavailable, and ConnectionUnavailable where the values do not suit the plugin.
        """
        connection = stored.connection
        manifest = self._registry.plugin(connection.plugin)
        try:
            opened = await self._secrets.open(stored) if secrets is None else secrets
        except SealError as error:
            raise SecretUnavailable(str(error)) from error
        own = upgraded(manifest, connection.plugin_version, Values(connection.parameters, opened, connection.vault))
        if secrets is None and connection.plugin_version != manifest.version:
            _refuse_new_origins(manifest, connection, own)
        fetched, until, vaults = await self._fetch(manifest, connection, own)
        given = {**own.parameters, **own.secrets, **fetched}
        if fetched or connection.plugin_version != manifest.version:
            await self._check(manifest, connection, given, own.vault if fetched else {})
        defaults = {
            name: schema["default"] for name, schema in manifest.connection["properties"].items() if "default" in schema
        }
        return OpenedValues({**defaults, **given}, manifest, until, vaults)

    async def _fetch(
        self, manifest: Manifest, connection: Connection, own: Values
    ) -> tuple[dict[str, Any], float, tuple[tuple[str, int, Caller | None], ...]]:
        fetched: dict[str, Any] = {}
        vaults: list[tuple[str, int, Caller | None]] = []
        until = float("inf")
        for name, reference in own.vault.items():
            schema = manifest.connection["properties"].get(name, {})
            kept = await self._vaults.look_up(reference, connection.name, schema.get("title", name))
            fetched[name] = _as_asked(await self._entered(kept.value, schema, name, reference), schema)
            until = min(until, kept.until)
            vaults.append((reference.vault, kept.vault_version, reference.by))
        return fetched, until, tuple(vaults)

    async def _entered(self, value: Any, schema: Mapping[str, Any], name: str, reference: VaultReference) -> Any:
        """Return a value as it is kept, wherever it comes from; raises ConnectionUnavailable naming where it stands."""
        try:
            return entered(value, schema, name, log.info)
        except BadSetting as error:
            raise await self._unfit(reference, str(error)) from None

    async def _unfit(self, reference: VaultReference, why: str) -> ConnectionUnavailable:
        """Return the refusal of a value from a vault: it names where the value stands, and quotes nothing of it."""
        vault = await self._store.get(connection_id=reference.vault)
        place = f"'{reference.path}', field '{reference.field}'"
        name = "" if vault is None else vault.connection.name
        return ConnectionUnavailable(
            f"{why} It was looked up through the vault connection '{name}', at {place}.",
            kind=Kind.INVALID_INPUT,
            assistance=f"Mend it in the vault; to see that it is there: connector-host vault test {name} --path "
            f"{reference.path} --field {reference.field}",
        )

    def forget(self, connection: Connection) -> None:
        """Have what a connection's vaults gave asked for anew."""
        for reference in connection.vault.values():
            self._vaults.forget(reference)

    async def still_allowed(self, opened: OpenedValues) -> bool:
        """Whether the vaults that values came from are as they were, and whoever named them still may use them."""
        for vault_id, version, by in opened.vaults:
            vault = await self._store.get(connection_id=vault_id)
            if vault is None or vault.connection.version != version or not await self._vaults.may_use(vault, by):
                return False
        return True

    async def _check(
        self,
        manifest: Manifest,
        connection: Connection,
        given: Mapping[str, Any],
        fetched: Mapping[str, VaultReference],
    ) -> None:
        """Refuse values that the manifest of today refuses; never quotes one that a vault gave."""
        form = InputForm(manifest.connection, self._settings.date_time, self._settings.limits)
        try:
            form.accept(given)
        except InvalidInput as error:
            for name, reference in fetched.items():
                if form.title(name) in str(error):
                    raise await self._unfit(
                        reference, f"{error} It does not suit {manifest.name} {manifest.version}."
                    ) from None
            raise ConnectionUnavailable(
                f"The connection '{connection.name}' (made for version {connection.plugin_version or 'unknown'}) does "
                f"not suit {manifest.name} {manifest.version}. {error}",
                detail=error.failure.detail,
                assistance=f"Mend it: connector-host connections edit {quote(connection.name)} --set NAME=VALUE",
            ) from None


def _refuse_new_origins(manifest: Manifest, connection: Connection, own: Values) -> None:
    """Raise ConnectionUnavailable where a new version of the plugin would send secrets where they did not go before."""
    new = sorted(set(origins_of(manifest, own.parameters, own.vault)) - set(connection.origins))
    if new and (own.secrets or own.vault):
        raise ConnectionUnavailable(
            f"{manifest.name} {manifest.version} would send the secrets of the connection '{connection.name}' to "
            f"{', '.join(new)}, where they did not go before.",
            assistance=f"If that is right: connector-host connections edit {quote(connection.name)} --active",
        )


def _as_asked(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value as the schema wants it: vaults hold texts."""
    kinds = schema.get("type", "string")
    if not isinstance(value, str) or "string" in ([kinds] if isinstance(kinds, str) else kinds):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
