"""What Test Connection proved: each capability, and of each command whether the credentials are good for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from connector_host.model.manifest import Manifest

NOT_CHECKED = "not checked"
EVERY = "*"  # stands for all rights, in what a capability grants
_NAMED = 5  # commands in a note


class Permitted(Struct, frozen=True):
    """A plugin's commands by their titles, each with the rights that it needs, by what is known of these.

    Allowed and denied are those of which a test proved it; all the others are known at first use.
    """

    allowed: Mapping[str, Sequence[str]]
    denied: Mapping[str, Sequence[str]]
    at_first_use: Mapping[str, Sequence[str]]

    def in_words(self) -> str:
        """Return it as a sentence."""
        total = len(self.allowed) + len(self.denied) + len(self.at_first_use)
        named = [f"{title} ({', '.join(rights)})" for title, rights in list(self.denied.items())[:_NAMED]]
        more = [f"{len(self.denied) - _NAMED} more"] if len(self.denied) > _NAMED else []
        refused = f"{len(self.denied)} may not: {', '.join([*named, *more])}" if self.denied else "none is refused"
        known = f"{len(self.allowed)} of {total} commands may be run"
        return f"Commands: {known}, {refused}; {len(self.at_first_use)} are known at first use."


def capabilities_in(raw: Any) -> list[Mapping[str, Any]]:
    """Return what a test's raw data report: items with `capability`, and with `state` where the plugin says one."""
    records = next(iter(raw.values()), None) if isinstance(raw, Mapping) and len(raw) == 1 else raw
    items = records if isinstance(records, list) else []
    return [one for one in items if isinstance(one, Mapping) and "capability" in one]


def probes_of(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return the inputs of Test Connection that have it check more than it does by itself: its yes-or-no inputs."""
    found = next((one for one in manifest.commands.values() if one.kind == "test_connection"), None)
    properties = found.input.get("properties", {}) if found is not None else {}
    return {name: schema for name, schema in properties.items() if schema.get("type") == "boolean"}


def permitted(manifest: Manifest, raw: Any) -> Permitted | None:
    """Return which commands a test proved to be possible or not; None where it proved nothing of rights.

    A capability says so by `grants` and `denies`, lists of rights as the commands' `permissions` name them.
    """
    granted, denied = (_named(raw, key) for key in ("grants", "denies"))
    if not granted and not denied:
        return None
    found: dict[str, dict[str, Sequence[str]]] = {"allowed": {}, "denied": {}, "at_first_use": {}}
    for command in manifest.commands.values():
        if command.kind != "test_connection":
            needed = set(command.permissions)
            good = needed and (EVERY in granted or needed <= granted)
            kind = "denied" if needed & denied else "allowed" if good else "at_first_use"
            found[kind][command.title] = command.permissions
    return Permitted(**found)


def _named(raw: Any, key: str) -> set[str]:
    lists = [one.get(key) for one in capabilities_in(raw)]
    return {str(right) for rights in lists if isinstance(rights, list) for right in rights}
