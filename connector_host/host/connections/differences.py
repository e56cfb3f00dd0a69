"""What differs between a connection as it stands and as it would be: for people, and for the audit."""

import json
from typing import Any

from msgspec import to_builtins

from connector_host.host.connections.fields import FIELDS
from connector_host.model.connection import Change, Connection
from connector_host.model.result import plain


def differences(old: Connection, new: Connection) -> tuple[str, ...]:
    """Return what differs, for people: one sentence each; of secrets the names alone."""
    found = [
        f"{name}: {plain_text(getattr(old, name))} becomes {plain_text(getattr(new, name))}"
        for name in sorted(FIELDS)
        if getattr(old, name) != getattr(new, name)
    ]
    for name in sorted({*old.parameters, *new.parameters}):
        before, after = old.parameters.get(name), new.parameters.get(name)
        if before != after:
            found.append(f"{name}: {plain_text(before)} becomes {plain_text(after)}")
    looked_up = sorted(name for name in {*old.vault, *new.vault} if old.vault.get(name) != new.vault.get(name))
    gone = sorted(set(old.secrets) - set(new.secrets))
    found += [f"{name}: its vault reference changes" for name in looked_up]
    found += [f"{name}: the stored secret is removed" for name in gone]
    return tuple(found)


def plain_text(value: Any) -> str:
    """Return a value as a sentence holds it."""
    return "nothing" if value in (None, "", (), []) else json.dumps(to_builtins(value), ensure_ascii=False)


def change_facts(change: Change, now: Connection, before: Connection | None = None) -> dict[str, Any]:
    """Return what the audit keeps of a change: of parameters and secrets the names only.

    What is given and was so `before` is no change: a form gives all of its fields.
    """
    names = {one for one in FIELDS if before is None or getattr(before, one) != getattr(now, one)}
    parameters = {} if before is None else before.parameters
    vault = {} if before is None else before.vault
    return {
        "plugin": now.plugin,
        "version": now.version,
        "fields": {name: plain(value) for name, value in change.fields.items() if name in names},
        "parameters": [
            name
            for name in sorted(change.parameters)
            if before is None or parameters.get(name) != now.parameters.get(name)
        ],
        "secrets": sorted(change.secrets),
        "removed_secrets": sorted(change.remove_secrets),
        "vault": {
            name: plain(reference)
            for name, reference in change.vault.items()
            if before is None or vault.get(name) != now.vault.get(name)
        },
    }
