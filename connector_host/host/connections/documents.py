"""The document that connections are exported as: read strictly, and what binds the secrets in it to their place."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connector_host.host.connections.fields import FIELDS
from connector_host.model.connection import HealthCheck, VaultReference
from connector_host.model.errors import BadSetting
from connector_host.model.manifest import Manifest

FORMATS = (1, 2)
FORMAT = FORMATS[-1]
_PARTS = ("parameters", "vault", "sealed_secrets", "missing_secrets", "plugin", "plugin_version")


def context_of(document_format: int, manifest: Manifest | None, one: Mapping[str, Any]) -> bytes:
    """Bind secrets to their connection's name and every field of it: a file that says something else opens none.

    In format 1, of release 1.0, they are bound to the plugin and to the servers alone.
    """
    if document_format == 1 and manifest is not None:
        return json.dumps(["export", 1, manifest.id, _leading_of_1_0(manifest, one)], sort_keys=True).encode()
    said = {key: value for key, value in one.items() if key != "sealed_secrets"}
    return json.dumps(["export", document_format, said], sort_keys=True).encode()


def _leading_of_1_0(manifest: Manifest, one: Mapping[str, Any]) -> dict[str, Any]:
    parameters, vault = one.get("parameters", {}), one.get("vault", {})
    names = {server.url.removeprefix("$.connection.") for server in manifest.servers.values()} | {"ca_bundle"}
    return {name: parameters.get(name, vault.get(name)) for name in sorted(names)}


def format_of(document: Any) -> int:
    """Return an export's format; raises BadSetting for what is none."""
    found = document.get("connector_host_connections") if isinstance(document, Mapping) else None
    if type(found) is not int or found not in FORMATS:
        raise BadSetting(f"This is no export of connections (connector_host_connections: {FORMAT}).")
    return found


def connections_of(document: Any) -> Sequence[Mapping[str, Any]]:
    """Return the connections of an export, each with a name, a plugin and no key too many; raises BadSetting."""
    format_of(document)
    found = document.get("connections")
    if not isinstance(found, list):
        raise BadSetting("The export's 'connections' must be a list.")
    return [_checked(one) for one in found]


def _checked(one: Any) -> Mapping[str, Any]:
    if not isinstance(one, Mapping) or not all(isinstance(one.get(key), str) for key in ("name", "plugin")):
        raise BadSetting("Each connection of an export needs a name and a plugin.")
    unknown = sorted(set(one) - FIELDS - set(_PARTS))
    if not all(isinstance(name, str) for name in one.get("missing_secrets", ())):
        raise BadSetting(f"The missing_secrets of '{one['name']}' must be a list of names.")
    for part in ("parameters", "vault"):
        if not isinstance(one.get(part, {}), Mapping):
            raise BadSetting(f"The {part} of '{one['name']}' must be a mapping.")
    if unknown:
        raise BadSetting(f"The connection '{one['name']}' has a field '{unknown[0]}', which no connection has.")
    return one


def fields_of(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields beside parameters and vault; raises BadSetting."""
    fields = {key: value for key, value in one.items() if key in FIELDS and key != "name"}
    if fields.get("health_check"):
        check = fields["health_check"]
        try:
            fields["health_check"] = HealthCheck(**{**check, "recipients": tuple(check.get("recipients", ()))})
        except (TypeError, AttributeError) as error:
            raise BadSetting(f"The health check of '{one['name']}' is wrong: {error}.") from None
    return fields


def vault_of(one: Mapping[str, Any]) -> dict[str, VaultReference | None]:
    """Return the vault references, by the vaults' names; raises BadSetting."""
    try:
        return {
            name: VaultReference(reference["vault"], reference["path"], reference["field"])
            for name, reference in one.get("vault", {}).items()
        }
    except (TypeError, KeyError) as error:
        raise BadSetting(f"A vault reference of '{one['name']}' is wrong: {error}.") from None


def vaults_of(one: Mapping[str, Any]) -> set[str]:
    """Return the names of the vaults that it refers to."""
    return {
        str(reference.get("vault")) for reference in one.get("vault", {}).values() if isinstance(reference, Mapping)
    }
