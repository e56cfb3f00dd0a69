"""The commands of HashiCorp Vault and OpenBao: fetching a credential, and testing the connection.

The API: https://developer.hashicorp.com/vault/api-docs/secret/kv and https://openbao.org/api-docs/secret/kv/
"""

from typing import Any

from connector_host import AsyncCall, Failed, command

from .login import asked, looked_up
from .mounts import Place, moved, place_of


@command
async def fetch_credential(call: AsyncCall, path: str, field: str) -> dict[str, Any]:
    """Read one field of one secret."""
    place = await place_of(call, path)
    try:
        answer = await asked(call, "GET", place.read)
    except Failed as error:
        now = await moved(call, path, place) if error.failure.http_status == 404 else None  # noqa: PLR2004 - see below
        if now is None:
            raise _named(error, path, place) from error
        place = now
        try:
            answer = await asked(call, "GET", place.read)
        except Failed as again:
            raise _named(again, path, place) from again
    secret = answer.get("data") or {}
    fields, facts = (secret.get("data") or {}, secret.get("metadata") or {}) if place.version == "2" else (secret, {})
    if fields.get(field) is None:
        known = ", ".join(sorted(fields)) or "none"
        raise Failed(
            f"The secret at '{path}' has no field '{field}'.",
            kind="not_found",
            detail=f"Its fields: {known}.",
            assistance="Check the field; it is case-sensitive.",
        )
    lease = answer.get("lease_duration") or 0
    return {
        "value": fields[field],
        **({"version": facts["version"]} if "version" in facts else {}),
        **({"lease_seconds": lease} if lease else {}),
    }


def _named(error: Failed, path: str, place: Place) -> Failed:
    """Say which path it is about, and what is mostly wrong with it."""
    if place.doubled and error.failure.http_status in {403, 404}:
        return Failed(
            f"There is no secret at '{path}' that the token may read.",
            kind=error.failure.kind,
            http_status=error.failure.http_status,
            assistance=f"Leave 'data/' out of the path: an engine of version 2 adds it ({place.read} was asked for).",
        )
    if error.failure.http_status == 404:  # noqa: PLR2004 - HTTP statuses are their own names
        return Failed(
            f"There is no secret at '{path}', or its newest version was deleted.",
            kind="not_found",
            http_status=404,
            assistance="Check the path; its first part is the engine's mount.",
        )
    return error


@command
async def test_connection(call: AsyncCall) -> dict[str, Any]:
    """Log in and look the token up."""
    facts = await looked_up(call)
    return {
        "login": call.connection["auth_method"],
        "policies": facts.get("policies") or [],
        "ttl_seconds": facts.get("ttl") or 0,
    }
