"""The former names under which a connection held its keys: what was shared out among them may still be under way."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connector_host.host.connections.values import Values
from connector_host.model.manifest import Manifest
from connector_host.model.result import iso

KEPT = timedelta(days=90)


def with_former_names(
    manifest: Manifest, before: Values, after: Values, parameters: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Return parameters with the names that parameters held until now, where a manifest keeps them (`history_of`).

    A text stands under its parameter's name, an object's values under their own. What a vault holds is not known.
    """
    kept = dict(parameters)
    for name, schema in manifest.connection["properties"].items():
        watched = schema.get("history_of", ())
        if not watched or kept.get(name) != before.parameters.get(name) or {*watched} & {*before.vault, *after.vault}:
            continue
        was, is_now = (_names(values, watched) for values in (before, after))
        if was and was != is_now:
            recent = [one for one in kept.get(name) or [] if datetime.fromisoformat(one["until"]) > now - KEPT]
            kept[name] = [*recent, {"names": was, "until": iso(now)}]
    return kept


def _names(values: Values, watched: list[str]) -> list[str]:
    found: set[str] = set()
    for name in watched:
        value = {**values.parameters, **values.secrets}.get(name)
        found |= set(value) if isinstance(value, Mapping) else {name} if value else set()
    return sorted(found)
