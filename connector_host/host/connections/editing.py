"""What a change would make of a connection, as far as a caller may change it; nothing is stored yet."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from connector_host.host.access import Right, check_may_add
from connector_host.host.connections.drafting import (
    Draft,
    References,
    check_testable,
    draft_edit,
    draft_new,
    is_of_the_window,
    of_the_window,
    touches_secrets,
)
from connector_host.host.connections.entering import Tell, contradicting_presets, entered_change
from connector_host.host.connections.fields import resolved
from connector_host.host.connections.name_history import with_former_names
from connector_host.host.connections.origins import hosts_of_others, leading
from connector_host.host.connections.reading import find
from connector_host.host.connections.values import Values, names_now, upgraded
from connector_host.host.core import Core
from connector_host.model.caller import Actor, Caller, Operator, Principal, actor_of
from connector_host.model.connection import Change, Connection, StoredConnection
from connector_host.model.errors import BadSetting, NotAllowed, SealError
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.manifest import Manifest

log = logging.getLogger("connector_host.connections")
BOUNDARY = frozenset({"name", "site", "shared_to_internal_sites", "recipient_site", "tenants", "agent"})


async def drafted(
    core: Core, caller: Principal, name: str, plugin: str, change: Change, lacking: frozenset[str] = frozenset()
) -> Draft:
    """Return a connection as Connections.add() would store it, without what is `lacking`; raises as it does."""
    change = replace(change, fields=check_may_add(caller, name, plugin, change.fields))
    manifest, sites = core.registry.plugin(plugin), await core.sites.load()
    change = entered_change(manifest, change, _told_of(name))
    references = await _references(core, caller, change, "")
    draft = draft_new(manifest, name, change, references, core.settings, sites, lacking)
    _tell_of_presets(manifest, name, draft, change)
    if not isinstance(caller, Operator):
        by = dict.fromkeys(sorted({*draft.connection.parameters, *draft.connection.vault}), actor_of(caller))
        refuse_file_to_trust(caller, change.parameters)
        draft = replace(draft, connection=replace(draft.connection, set_by=by))
    check_egress(core, manifest, draft.connection)
    return draft


async def drafted_edit(
    core: Core, caller: Principal, name: str, change: Change, *, opened: bool = False
) -> tuple[StoredConnection, Draft]:
    """Return a connection as it stands and as Connections.edit() would store it; with `opened` its secrets too."""
    stored = await find(core, name, caller, Right.ADMINISTER)
    if stored.damage:
        raise BadSetting(f"{stored.damage} Restore it from a backup, or remove the connection and add it again.")
    refused = BOUNDARY & set(change.fields)
    if refused and not isinstance(caller, Operator):
        raise NotAllowed(f"Only the operator of the host may change the connection's {', '.join(sorted(refused))}.")
    refuse_file_to_trust(caller, change.parameters)
    await core.secrets.check(stored)
    old = stored.connection
    if old.plugin not in core.registry.plugins and is_of_the_window(change) and not opened:
        return stored, Draft(of_the_window(old, change, await core.sites.load()), None)
    manifest = core.registry.plugin(old.plugin)
    change = entered_change(manifest, change, _told_of(name))
    return stored, await _edited(core, caller, manifest, stored, change, opened=opened)


async def _edited(
    core: Core, caller: Principal, manifest: Manifest, stored: StoredConnection, change: Change, *, opened: bool
) -> Draft:
    """Return a connection changed, as far as its plugin and the caller's rights allow."""
    old, sites = stored.connection, await core.sites.load()
    references = await _references(core, caller, change, old.id)
    open_them = opened or touches_secrets(manifest, old, change, references)
    before = Values(old.parameters, await _kept_secrets(core, stored, change, opened=open_them), old.vault)
    try:
        draft = draft_edit(manifest, before, old, change, references, core.settings, sites)
    except BadSetting:  # the plugin may be of another version than the values: what is not its own can be set
        if not is_of_the_window(change) or opened:
            raise
        draft = Draft(of_the_window(old, change, sites), None)
        check_testable(manifest, draft.connection)
        return draft
    _tell_of_presets(manifest, old.name, draft, change)
    if not isinstance(caller, Operator):
        refuse_leading_away(manifest, old, draft.connection, change)
    draft = await _with_history(core, manifest, stored, before, draft, change)
    named = replace(draft.connection, set_by=_set_by(manifest, before, old, draft.connection, caller, change))
    check_egress(core, manifest, named)
    return replace(draft, connection=named)


async def _kept_secrets(core: Core, stored: StoredConnection, change: Change, *, opened: bool) -> Mapping[str, Any]:
    """Return the secrets that a change leaves, in the clear where they must be `opened`, else their names alone."""
    names = stored.connection.secrets
    kept = set(names) - set(change.secrets) - set(change.remove_secrets)
    if not opened:
        return dict.fromkeys(names)
    return await core.secrets.open(stored, kept) if kept else {}


async def _with_history(
    core: Core, manifest: Manifest, stored: StoredConnection, before: Values, draft: Draft, change: Change
) -> Draft:
    """Return an edit's draft with the names that its keys had until now, where the manifest keeps them."""
    if draft.secrets is None:
        return draft
    now, secrets = draft.connection, {**before.secrets, **await _replaced(core, manifest, stored, change)}
    was = upgraded(manifest, stored.connection.plugin_version, replace(before, secrets=secrets))
    became = Values(now.parameters, draft.secrets, now.vault)
    parameters = with_former_names(manifest, was, became, now.parameters, core.clock.now())
    return replace(draft, connection=replace(now, parameters=parameters))


def _told_of(name: str) -> Tell:
    return lambda words: log.warning("Connection '%s': %s", name, words)


def _tell_of_presets(manifest: Manifest, name: str, draft: Draft, change: Change) -> None:
    """Say where what was typed is another option's than the one chosen."""
    for words in contradicting_presets(manifest, draft.connection.parameters) if change.parameters else ():
        log.warning("Connection '%s': %s", name, words)


async def _replaced(core: Core, manifest: Manifest, stored: StoredConnection, change: Change) -> Mapping[str, Any]:
    """Return the secrets that a change takes the place of and whose names are kept; none where they do not open."""
    watched = {name for one in manifest.connection["properties"].values() for name in one.get("history_of", ())}
    wanted = watched & set(stored.connection.secrets) & {*change.secrets, *change.remove_secrets}
    with suppress(SealError):
        return await core.secrets.open(stored, wanted) if wanted else {}
    return {}


def refuse_file_to_trust(caller: Principal, parameters: Mapping[str, Any]) -> None:
    """Raise NotAllowed where somebody else than the operator names a file of the host's machine."""
    bundle = parameters.get("ca_bundle")
    if isinstance(bundle, str) and not isinstance(caller, Operator) and not bundle.lstrip().startswith("-----BEGIN"):
        raise NotAllowed("Only the operator of the host may name a file to trust: give the certificates as PEM text.")


def _set_by(
    manifest: Manifest, before: Values, old: Connection, new: Connection, caller: Principal, change: Change
) -> Mapping[str, Actor]:
    """Return who set each parameter: whoever changed it last; the operator, who also confirms one, is not listed.

    Of all parameters: a later version of the plugin may make a server of any.
    """
    was = upgraded(manifest, old.plugin_version, before)
    there, now = {**was.parameters, **was.vault}, {**new.parameters, **new.vault}
    changed = {name for name in there.keys() | now.keys() if there.get(name) != now.get(name)}
    known = names_now(manifest, old.plugin_version, old.set_by)
    if isinstance(caller, Operator):
        return {name: by for name, by in known.items() if name not in changed | set(change.parameters)}
    kept = {name: by for name, by in known.items() if name not in changed}
    return {**kept, **dict.fromkeys(sorted(changed), actor_of(caller))}


def check_egress(core: Core, manifest: Manifest, connection: Connection) -> None:
    """Refuse servers that are known to be out of bounds before anything is sent there; names are looked up then."""
    values = leading(manifest, connection.parameters, {})
    others = hosts_of_others(manifest, values, connection.set_by)
    for origin in connection.origins:
        host = (urlsplit(origin).hostname if "://" in origin else None) or ""
        try:
            core.settings.egress.check_name(host, by_operator=host not in others)
        except RequestRefused as error:
            raise BadSetting(f"{error} {error.failure.assistance}".rstrip()) from None


async def _references(core: Core, caller: Principal, change: Change, connection_id: str) -> References:
    async def vault_of(name: str) -> StoredConnection:
        return await find(core, name, caller)

    by = caller if isinstance(caller, Caller) else None
    return await resolved(change.vault, core.registry, core.store, vault_of, connection_id, by)


def refuse_leading_away(manifest: Manifest, old: Connection, new: Connection, change: Change) -> None:
    """Raise NotAllowed where secrets would go along to another server without being given again."""
    before, after = (leading(manifest, one.parameters, one.vault) for one in (old, new))
    kept = (set(new.secrets) - set(change.secrets)) | (set(new.vault) - set(change.vault))
    if before != after and kept:
        raise NotAllowed(
            f"To lead the connection to another server, give its secrets again: {', '.join(sorted(kept))}."
        )
