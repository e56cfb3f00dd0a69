"""Connections as bodies say them, and as lists show them."""

from typing import Any

from connector_host.model.connection import Change, HealthCheck, StoredConnection, VaultReference
from connector_host.model.result import iso
from connector_host.web.asking import Shape, known_keys, required, texts_in, wrong

_FIELDS: Shape = {
    "site": str,
    "shared_to_internal_sites": bool,
    "recipient_site": str,
    "tenants": list,
    "agent": str,
    "description": str,
    "allowed_users": list,
    "allowed_groups": list,
    "admin_users": list,
    "admin_groups": list,
    "allowed_paths": list,
    "active": bool,
    "health_check": dict,
}
_VALUES: Shape = {"parameters": dict, "secrets": dict, "vault": dict}
CHANGE = {**_FIELDS, **_VALUES, "name": str, "remove_secrets": list}
NEW = {**_FIELDS, **_VALUES, "name": str, "plugin": str}
_HEALTH: Shape = {"interval_minutes": int, "failures_before_mail": int, "recipients": list}
_REFERENCE: Shape = {"vault": str, "path": str, "field": str}


def summary_of(stored: StoredConnection) -> dict[str, Any]:
    """Return what a list shows of a connection."""
    connection, health = stored.connection, stored.health
    return {
        "name": connection.name,
        "plugin": connection.plugin,
        "id": connection.id,
        "version": connection.version,
        "site": connection.site,
        "active": connection.active,
        "state": stored.state.value,
        "description": connection.description,
        "attention": health.attention,
        "last_success": iso(health.last_success) if health.last_success else None,
        "last_failure": iso(health.last_failure) if health.last_failure else None,
    }


def change_of(body: dict[str, Any], version: int | None = None) -> Change:
    """Return the change that a body asks for; raises Problem where a part of it has another form."""
    fields = {name: body[name] for name in (*_FIELDS, "name") if name in body}
    for name in ("tenants", "allowed_users", "allowed_groups", "admin_users", "admin_groups", "allowed_paths"):
        texts_in(body, name)
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    check = fields.get("health_check")
    if check is not None:
        known_keys(check, _HEALTH, "/health_check")
        if check.get("interval_minutes") is None:
            raise wrong("/health_check/interval_minutes", "It is required.")
        given = {name: value for name, value in check.items() if value is not None}
        given["recipients"] = tuple(texts_in(given, "recipients", "/health_check"))
        fields["health_check"] = HealthCheck(**given)
    vault: dict[str, VaultReference | None] = {}
    for name, reference in (body.get("vault") or {}).items():
        vault[name] = None if reference is None else _reference(name, reference)
    return Change(
        fields,
        body.get("parameters") or {},
        body.get("secrets") or {},
        tuple(texts_in(body, "remove_secrets")),
        vault,
        version,
    )


def _reference(name: str, value: Any) -> VaultReference:
    if not isinstance(value, dict):
        raise wrong(f"/vault/{name}", "It is an object with vault, path and field.")
    known_keys(value, _REFERENCE, f"/vault/{name}")
    vault, path, field = (required(value, part, f"/vault/{name}") for part in ("vault", "path", "field"))
    return VaultReference(vault, path, field)
