"""Makes connections of changes: parameters checked, fields in their place, nothing stored yet."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace

from connector_host.host.connections.fields import with_fields
from connector_host.host.connections.origins import leading, normal_origins, origins_of
from connector_host.host.connections.values import Values, upgraded
from connector_host.host.inputs import InputForm
from connector_host.host.settings import Settings
from connector_host.manifests.wording import did_you_mean
from connector_host.model.caller import SiteMap
from connector_host.model.connection import Change, Connection, VaultReference
from connector_host.model.errors import BadSetting, ConnectionChanged
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import new_id
from connector_host.model.invocation_errors import InvalidInput
from connector_host.model.manifest import Manifest

References = Mapping[str, VaultReference | None]


class Draft(Guarded, frozen=True):
    """A connection as it would be stored; `secrets` is None where the sealed ones stay as they are."""

    hidden: ClassVar[frozenset[str]] = frozenset({"secrets"})
    connection: Connection
    secrets: Mapping[str, Any] | None


def draft_new(
    manifest: Manifest,
    name: str,
    change: Change,
    references: References,
    settings: Settings,
    sites: SiteMap,
    lacking: frozenset[str] = frozenset(),
) -> Draft:
    """Return a new connection; `references` are the change's with the vaults' ids. Raises BadSetting.

    Parameters that are `lacking` are not asked for.
    """
    _refuse_twice(change)
    vault = {key: one for key, one in references.items() if one is not None}
    given = {key: value for key, value in change.parameters.items() if value is not None}
    values = Values(with_presets(manifest, {}, given), dict(change.secrets), vault)
    base = Connection(name=name, plugin=manifest.id, id=new_id(), version=1, plugin_version=manifest.version)
    connection = with_fields(base, change.fields, sites)
    parameters = checked(manifest, values, settings, lacking=lacking)
    check_testable(manifest, connection)
    connection = replace(
        connection,
        parameters=parameters,
        secrets=tuple(sorted(change.secrets)),
        vault=vault,
        origins=origins_of(manifest, parameters, vault),
    )
    return Draft(connection, dict(change.secrets))


def draft_edit(
    manifest: Manifest,
    before: Values,
    old: Connection,
    change: Change,
    references: References,
    settings: Settings,
    sites: SiteMap,
) -> Draft:
    """Return `old`, whose values are `before`, changed; secrets that are None in `before` were not opened.

    Raises BadSetting, and ConnectionChanged where the change was made for another version.
    """
    if change.version is not None and change.version != old.version:
        raise ConnectionChanged
    _refuse_twice(change)
    now = upgraded(manifest, old.plugin_version, before)
    values = merged(manifest, now, change, references)
    opened = all(value is not None for value in values.secrets.values())
    parameters = checked(manifest, values, settings, opened=opened)
    connection = replace(
        with_fields(old, change.fields, sites),
        version=old.version + 1,
        plugin_version=manifest.version,
        parameters=parameters,
        secrets=tuple(sorted(values.secrets)),
        vault=values.vault,
        origins=origins_of(manifest, parameters, values.vault),
    )
    check_testable(manifest, connection)
    if _led_by_plugin(manifest, old, connection, change):
        connection = replace(connection, active=False)
    return Draft(connection, values.secrets if opened else None)


def is_of_the_window(change: Change) -> bool:
    """Whether a change is about fields alone, which are the same whatever the plugin."""
    return bool(change.fields) and not (change.parameters or change.secrets or change.remove_secrets or change.vault)


def of_the_window(old: Connection, change: Change, sites: SiteMap) -> Connection:
    """Return a connection with its fields changed, and nothing looked at that is the plugin's.

    Raises BadSetting, and ConnectionChanged where the change was made for another version.
    """
    if change.version is not None and change.version != old.version:
        raise ConnectionChanged
    return replace(with_fields(old, change.fields, sites), version=old.version + 1)


def _led_by_plugin(manifest: Manifest, old: Connection, new: Connection, change: Change) -> bool:
    """Whether a new version of the plugin, not the change, leads secrets to a server that they did not go to.

    An administrator confirms it by activating the connection.
    """
    kept = (set(new.secrets) - set(change.secrets)) | (set(new.vault) - set(change.vault))
    if not kept or old.plugin_version == manifest.version or change.fields.get("active") is True:
        return False
    same_lead = leading(manifest, old.parameters, old.vault) == leading(manifest, new.parameters, new.vault)
    return same_lead and bool(set(new.origins) - set(old.origins))


def merged(manifest: Manifest, now: Values, change: Change, references: References) -> Values:
    """Put a change over values; whatever comes to a name takes the place of what stood there."""
    plain = {key: value for key, value in change.parameters.items() if value is not None}
    come = {**plain, **change.secrets, **{key: one for key, one in references.items() if one is not None}}
    parameters = with_presets(manifest, now.parameters, change.parameters)
    gone_secrets = {*change.remove_secrets, *(key for key in come if key not in change.secrets)}
    return Values(
        {key: value for key, value in parameters.items() if value is not None and (key in plain or key not in come)},
        {**{key: value for key, value in now.secrets.items() if key not in gone_secrets}, **change.secrets},
        {
            **{key: one for key, one in now.vault.items() if key not in come and key not in references},
            **{key: one for key, one in references.items() if one is not None},
        },
    )


def _refuse_twice(change: Change) -> None:
    """Raise BadSetting where a name would have two values: one given, and one looked up."""
    looked_up = {name for name, reference in change.vault.items() if reference is not None}
    given = {name for name, value in change.parameters.items() if value is not None} | set(change.secrets)
    for name in sorted(looked_up & given):
        raise BadSetting(f"'{name}' is given, and to be looked up in a vault: choose one.")


def touches_secrets(manifest: Manifest, connection: Connection, change: Change, references: References) -> bool:
    """Whether the secrets must be sealed anew."""
    given = {*change.secrets, *change.remove_secrets, *references}
    now = Values(connection.parameters, dict.fromkeys(connection.secrets), {})
    moved = upgraded(manifest, connection.plugin_version, now).secrets
    return bool(given & (manifest.secret_names | set(connection.secrets))) or set(moved) != set(connection.secrets)


def checked(
    manifest: Manifest,
    values: Values,
    settings: Settings,
    *,
    opened: bool = True,
    lacking: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the parameters in their one form; raises BadSetting naming the parameter.

    What a vault holds, and secrets that are not `opened`, cannot be checked here: the first is, at each use.
    """
    names = manifest.secret_names
    _refuse_misplaced(manifest, values)
    unseen = frozenset(values.vault) | lacking | (frozenset() if opened else names)
    form = InputForm(without_required(manifest.connection, unseen), settings.date_time, settings.limits)
    try:
        accepted, _ = form.accept({**values.parameters, **(values.secrets if opened else {})})
    except InvalidInput as error:
        found = (error, *error.others)
        words = [f"{one} {one.failure.detail} {one.failure.assistance}".rstrip() for one in found]
        raise BadSetting("\n".join(words)) from None
    parameters = {name: value for name, value in accepted.items() if name not in names and name not in values.vault}
    bundle = parameters.get("ca_bundle")
    if isinstance(bundle, str) and bundle and not bundle.lstrip().startswith("-----BEGIN"):
        parameters["ca_bundle"] = str(Path(bundle).expanduser().absolute())  # wherever the next program is started
    return normal_origins(manifest, parameters)


def refuse_misplaced(manifest: Manifest, parameters: Iterable[str], secrets: Iterable[str]) -> None:
    """Raise BadSetting for a secret among parameters, and for a name among secrets that is none."""
    names = manifest.secret_names
    for name in parameters:
        if name in names:
            raise BadSetting(
                f"'{name}' is a secret: give it as one (on the command line: --secret {name}=env:VAR, file:PATH or -)."
            )
    for name in secrets:
        if name not in names:
            raise BadSetting(f"'{name}' is no secret of {manifest.name}.{did_you_mean(name, sorted(names))}")


def _refuse_misplaced(manifest: Manifest, values: Values) -> None:
    """Raise BadSetting for values that are not where they belong, and for a name that nothing has."""
    refuse_misplaced(manifest, values.parameters, values.secrets)
    known = manifest.connection["properties"]
    for name in values.vault:
        if name not in known:
            raise BadSetting(f"{manifest.name} has no parameter '{name}'.{did_you_mean(name, list(known))}")


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


def without_required(schema: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return the schema, asking for none of the names."""
    return {**schema, "required": [name for name in schema.get("required", []) if name not in names]}


def check_testable(manifest: Manifest, connection: Connection) -> None:
    """Raise BadSetting for a health check of a connection that cannot be tested."""
    if connection.health_check and not any(one.kind == "test_connection" for one in manifest.commands.values()):
        raise BadSetting(f"{manifest.name} has no Test Connection, so its connections can have no health check.")
