"""The connection manager: adds, edits, shows and opens connections; secrets go in and never come out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from connector_host.contract.errors import (
    BadSetting,
    InvalidInput,
    RequestRefused,
    SealError,
    UnknownConnection,
    WrongUse,
)
from connector_host.contract.ids import new_id
from connector_host.contract.manifest import Manifest
from connector_host.contract.model import Change, Connection, StoredConnection
from connector_host.contract.origin import check_origin
from connector_host.contract.ports import Connections
from connector_host.kernel.inputs import InputForm
from connector_host.kernel.plugins import Registry
from connector_host.kernel.schema import did_you_mean
from connector_host.kernel.secrets import SecretKeeper, mask
from connector_host.kernel.settings import Settings

MAX_NAME = 100
FIELDS = {field.name for field in dataclass_fields(Connection)} - {"id", "version", "plugin", "parameters", "secrets"}
Gone = Callable[[str], Awaitable[None]]


class ConnectionManager:
    """Every change of a connection goes through here."""

    def __init__(
        self, registry: Registry, store: Connections, keeper: SecretKeeper, settings: Settings, gone: Gone
    ) -> None:
        self._registry = registry
        self._store = store
        self._keeper = keeper
        self._settings = settings
        self._gone = gone

    async def add(self, name: str, plugin: str, change: Change) -> Connection:
        """Keep a new connection.

        Raises UnknownPlugin, ConnectionExists, and BadSetting for a wrong parameter.
        """
        stored = await self.draft(name, plugin, change)
        await self._store.add(stored)
        return stored.connection

    async def draft(self, name: str, plugin: str, change: Change) -> StoredConnection:
        """Return the connection as it would be stored, sealed, without storing it."""
        manifest = self._registry.plugin(plugin)
        values = with_presets(manifest, {}, change.parameters)
        parameters = self._check(manifest, values, change.secrets)
        base = Connection(name=name, plugin=plugin, id=new_id(), version=1)
        connection = _with_fields(base, change.fields)
        connection = replace(connection, parameters=parameters, secrets=tuple(sorted(change.secrets)))
        sealed = await self._keeper.seal(connection.id, 1, change.secrets) if change.secrets else None
        return StoredConnection(connection, sealed)

    async def edit(self, name: str, change: Change) -> Connection:
        """Change a connection; raises ConnectionChanged where somebody else did so in the meantime."""
        stored = await self.get(name)
        if stored.damage:
            raise BadSetting(f"{stored.damage} Restore it from a backup, or remove the connection and add it again.")
        old = stored.connection
        manifest = self._registry.plugin(old.plugin)
        values = {
            key: value
            for key, value in with_presets(manifest, old.parameters, change.parameters).items()
            if value is not None
        }
        touched = bool(change.secrets or change.remove_secrets)
        secrets: dict[str, Any] = dict.fromkeys(old.secrets)
        if touched:
            kept = set(old.secrets) - set(change.secrets) - set(change.remove_secrets)
            opened = self._keeper.open(stored, kept) if kept else {}
            secrets = {**{key: opened[key] for key in kept}, **change.secrets}
        parameters = self._check(manifest, values, secrets, opened=touched)
        version = old.version + 1
        connection = _with_fields(old, change.fields)
        connection = replace(connection, parameters=parameters, version=version, secrets=tuple(sorted(secrets)))
        sealed = stored.sealed
        if touched:
            sealed = await self._keeper.seal(old.id, version, secrets) if secrets else None
        await self._store.change(StoredConnection(connection, sealed))
        return connection

    async def remove(self, name: str) -> None:
        """Forget a connection and its secrets; its history stays. Raises UnknownConnection."""
        stored = await self.get(name)
        await self._store.remove(stored.connection.id)
        await self._gone(stored.connection.id)

    async def get(self, name: str) -> StoredConnection:
        """One by its name; raises UnknownConnection."""
        stored = await self._store.get(name)
        if stored is None:
            names = [one.connection.name for one in await self._store.list()]
            raise UnknownConnection(f"There is no connection '{name}'.{did_you_mean(name, names[:50])}")
        return stored

    async def list(self, plugin: str | None = None) -> list[Connection]:
        """All connections, or those of one plugin, by name."""
        return [stored.connection for stored in await self._store.list(plugin)]

    async def show(self, name: str) -> dict[str, Any]:
        """Return a connection as `schemas/connection.schema.json` describes it, each secret masked."""
        stored = await self.get(name)
        document = asdict(stored.connection)
        try:
            opened = self._keeper.open(stored)
            document["secrets"] = {key: mask(value) for key, value in opened.items()}
        except SealError as error:
            document["secrets"] = {
                key: f"(can not be opened: {type(error).__name__})" for key in stored.connection.secrets
            }
        return document

    def open(self, stored: StoredConnection) -> dict[str, Any]:
        """All parameters and secrets in the clear, defaults filled in; raises SealError."""
        properties = self._registry.plugin(stored.connection.plugin).connection["properties"]
        defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
        return {**defaults, **stored.connection.parameters, **self._keeper.open(stored)}

    def _check(
        self,
        manifest: Manifest,
        values: Mapping[str, Any],
        secrets: Mapping[str, Any],
        *,
        opened: bool = True,
    ) -> dict[str, Any]:
        """Return the parameters, checked; raises BadSetting naming the parameter."""
        names = manifest.secret_names
        for name in values:
            if name in names:
                raise BadSetting(f"'{name}' is a secret: give it with --secret {name}=env:VAR, file:PATH or -.")
        for name in secrets:
            if name not in names:
                raise BadSetting(f"'{name}' is no secret of {manifest.name}.{did_you_mean(name, sorted(names))}")
        schema = manifest.connection if opened else _without(manifest.connection, names)
        form = InputForm(schema, self._settings.date_time, self._settings.limits)
        try:
            accepted, _ = form.accept({**values, **(secrets if opened else {})})
        except InvalidInput as error:
            raise BadSetting(f"{error} {error.failure.detail} {error.failure.assistance}".rstrip()) from None
        parameters = {name: value for name, value in accepted.items() if name not in names}
        _check_origins(manifest, parameters)
        return parameters


def with_presets(manifest: Manifest, old: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters after a change: a chosen option's preset fills what was not given and not set by hand."""
    values = {**old, **given}
    for chooser, options in manifest.presets.items():
        default = manifest.connection["properties"][chooser].get("default")
        before = _chosen(options, old.get(chooser, default))
        for name, value in _chosen(options, values.get(chooser, default)).items():
            by_hand = name in old and old[name] != before.get(name)
            if name not in given and not by_hand:
                values[name] = value
    return values


def _chosen(options: Mapping[str, Mapping[str, Any]], choice: Any) -> Mapping[str, Any]:
    """Return the preset of an option, in any case."""
    return next((preset for option, preset in options.items() if option.casefold() == str(choice).casefold()), {})


def _check_origins(manifest: Manifest, parameters: Mapping[str, Any]) -> None:
    for server in manifest.servers.values():
        name = server.url.removeprefix("$.connection.")
        if name in parameters:
            title = manifest.connection["properties"][name].get("title", name)
            try:
                check_origin(str(parameters[name]))
            except RequestRefused as error:
                raise BadSetting(f"The value for parameter ({title}) is invalid. {error}") from None


def _without(schema: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    required = [name for name in schema.get("required", []) if name not in names]
    return {**schema, "required": required}


def _with_fields(connection: Connection, fields: Mapping[str, Any]) -> Connection:
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise BadSetting(f"A connection has no field '{unknown[0]}'.{did_you_mean(unknown[0], sorted(FIELDS))}")
    connection = replace(connection, **fields)
    _checked_name(connection.name)
    if connection.recipient_site and not connection.shared_to_internal_sites:
        raise BadSetting("A recipient site belongs to a connection that is shared to internal sites.")
    if connection.site and connection.shared_to_internal_sites:
        raise BadSetting("A connection has one site, or is shared to internal sites; not both.")
    if connection.health_check and connection.health_check.interval_minutes < 1:
        raise BadSetting("The health check's interval must be at least one minute.")
    return connection


def _checked_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise WrongUse(f"A connection's name has 1 to {MAX_NAME} printable characters.")
