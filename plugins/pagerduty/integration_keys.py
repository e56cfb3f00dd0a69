"""Which integration keys an event goes through: the one it names, else the one its dedup key falls to."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from connector_host import AsyncCall, InvalidInput

ONLY = "default"
PARAMETER = "integration_key"  # under which the single key stands in former sets
REMEMBERED = timedelta(days=30)


def integration_keys(call: AsyncCall) -> dict[str, str]:
    """Return the connection's integration keys by name; the single one is called `default`."""
    keys = dict(call.connection.get("integration_keys") or {})
    only = call.connection.get(PARAMETER)
    return {ONLY: only, **keys} if only else keys


def key_named(call: AsyncCall, name: str | None, dedup_key: str) -> tuple[str, str]:
    """Return name and value of the key for a dedup key: the one named, else its owner; raises InvalidInput.

    By rendezvous hashing: a key that is added or removed moves only the events that fall to it.
    """
    keys = integration_keys(call)
    if not keys:
        raise InvalidInput(
            "Integration Key",
            "The connection has none.",
            "Add one: connector-host connections edit NAME --secret integration_key=-",
        )
    if name is not None and name not in keys:
        raise InvalidInput("Integration Key Name", f"The connection has: {', '.join(sorted(keys))}.")
    chosen = name or owner(keys, dedup_key)
    return chosen, keys[chosen]


def names_for(call: AsyncCall, name: str | None, dedup_key: str) -> tuple[list[str], list[str]]:
    """Return the keys through which a change of an alert goes, and former owners that are there no more.

    Beside the owner of today these are its owners in the sets of keys that were in use in the last 30 days: through
    one of them the alert was triggered. Never all: another service may hold the same dedup key.
    """
    first, _ = key_named(call, name, dedup_key)
    if name is not None:
        return [first], []
    former = [owner(names, dedup_key) for names in _former_sets(call)]
    there = integration_keys(call)
    wanted = list(dict.fromkeys([first, *former]))
    return [one for one in wanted if one in there], [one for one in wanted if one not in there]


def owner(names: Collection[str], dedup_key: str) -> str:
    """Return whose a dedup key is among keys of these names."""
    return max(names, key=lambda name: hashlib.sha256(f"{name}\0{dedup_key}".encode("utf-8", "replace")).digest())


def _former_sets(call: AsyncCall) -> list[list[str]]:
    since = call.now() - REMEMBERED
    kept: list[Any] = call.connection.get("former_integration_keys") or []
    newest_first = sorted(kept, key=lambda one: str(one["until"]), reverse=True)
    sets = [one["names"] for one in newest_first if _is_after(one["until"], since)]
    return [[ONLY if name == PARAMETER else name for name in names] for names in sets if names]


def service_of(call: AsyncCall, name: str) -> str | None:
    """Return the service that an integration key belongs to, where the connection names it."""
    named = call.connection.get("service_ids") or {}
    return named.get(name) or (call.connection.get("service_id") if name == ONLY else None)


def _is_after(text: str, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) >= since
    except (ValueError, TypeError):  # not as the host writes it
        return False
