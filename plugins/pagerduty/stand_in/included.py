"""What `include[]` asks for: objects whole, where an answer else holds references to them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Find = Callable[[str], Mapping[str, Any] | None]

# Where the references stand that a name stands for; a dot leads into each object of a list.
PLACES: Mapping[str, tuple[str, ...]] = {
    "acknowledgers": ("acknowledgements.acknowledger",),
    "agents": ("agent", "last_status_change_by"),
    "assignees": ("assignments.assignee",),
    "contact_methods": ("contact_methods",),
    "escalation_policies": ("escalation_policy", "escalation_policies"),
    "first_trigger_log_entries": ("first_trigger_log_entry",),
    "incidents": ("incident",),
    "notification_rules": ("notification_rules",),
    "priorities": ("priority",),
    "schedules": ("schedule", "schedules"),
    "services": ("service", "services"),
    "targets": ("escalation_rules.targets",),
    "teams": ("teams",),
    "users": ("user", "users", "assignments.assignee", "acknowledgements.acknowledger"),
}


def included(find: Find, data: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return an object with all that the names stand for put in whole; names that it has no place for do nothing."""
    shown = dict(data)
    for name in names:
        for place in PLACES.get(name, ()):
            field, _, inner = place.partition(".")
            if field in shown:
                shown[field] = _whole(find, shown[field], inner)
    if "conference_bridge" in names:
        shown.setdefault("conference_bridge", None)
    return shown


def _whole(find: Find, value: Any, inner: str) -> Any:
    if isinstance(value, list):
        return [_whole(find, one, inner) for one in value]
    if not isinstance(value, Mapping):
        return value
    if inner:
        return {**value, inner: _whole(find, value.get(inner), "")}
    return find(str(value.get("id"))) or value
