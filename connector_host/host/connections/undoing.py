"""Undoing a connection's last edit: by itself only where it touched nothing that secrets or their way hang on."""

from connector_host.host.access import Right
from connector_host.host.connections.reading import granted_to
from connector_host.host.core import Core
from connector_host.model.caller import Principal
from connector_host.model.connection import Change, Connection, StoredConnection
from connector_host.model.errors import BadSetting, NotAllowed

_FIELDS = (
    "site", "shared_to_internal_sites", "recipient_site", "tenants", "agent", "description", "allowed_users",
    "allowed_groups", "admin_users", "admin_groups", "active", "health_check", "allowed_paths",
)  # fmt: skip


async def former(core: Core, stored: StoredConnection, caller: Principal) -> Change:
    """Return the change to what stood before the last edit, as far as parameters and the window's fields go.

    Raises BadSetting where there was none, or it changed nothing of that, and NotAllowed where it was somebody else's.
    """
    return _back(stored.connection, await _former(core, stored, caller))


async def undoing(core: Core, stored: StoredConnection, caller: Principal) -> Change:
    """Return the change that takes the last edit back; raises as former() does.

    And BadSetting where the edit touched the secrets or where they are sent: then the former values and the secret must
    be given.
    """
    now, before = stored.connection, await _former(core, stored, caller)
    _refuse_secrets(now, before)
    return _back(now, before)


async def restorable(core: Core, stored: StoredConnection, caller: Principal) -> tuple[str, bool]:
    """Return the names of what stood otherwise before the last edit, and whether undo() brings it back by itself."""
    now = stored.connection
    try:
        before = await _former(core, stored, caller)
        change = _back(now, before)
    except (BadSetting, NotAllowed):
        return "", False
    names = ", ".join([*change.parameters, *change.fields])
    try:
        _refuse_secrets(now, before)
    except BadSetting:
        return names, False
    return names, True


def _refuse_secrets(now: Connection, before: Connection) -> None:
    if before.generation != now.generation or before.vault != now.vault:
        raise BadSetting("The last edit changed a secret, which is kept nowhere: give the one of before.")
    if before.origins != now.origins:
        raise BadSetting("The last edit changed where the secrets are sent: give the former values, and the secret.")


async def _former(core: Core, stored: StoredConnection, caller: Principal) -> Connection:
    """Return what stood before; it may have been another site's, and is shown to nobody who did not administer it."""
    found = await core.store.connections.get(connection_id=stored.connection.id, former=True)
    if found is None or found.damage:
        raise BadSetting(f"There is no edit of '{stored.connection.name}' to undo.")
    if Right.ADMINISTER not in await granted_to(core, found, caller):
        raise NotAllowed("What stood before the last edit was not yours to administer.")
    return found.connection


def _back(now: Connection, before: Connection) -> Change:
    parameters = {
        name: before.parameters.get(name)
        for name in sorted({*now.parameters, *before.parameters})
        if now.parameters.get(name) != before.parameters.get(name)
    }
    fields = {name: getattr(before, name) for name in _FIELDS if getattr(before, name) != getattr(now, name)}
    if not fields and not parameters:
        raise BadSetting(f"The last edit of '{now.name}' changed nothing that can be undone.")
    return Change(fields, parameters)
