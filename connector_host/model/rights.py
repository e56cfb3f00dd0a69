"""What Test Connection proved: each capability, and of each command whether the credentials are good for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from connector_host.model.manifest import Command, Manifest

NOT_CHECKED, REFUSED = "not checked", "refused"
PROVED = frozenset({"", "accepted", REFUSED})  # the states of what a test tried
EVERY = "*"  # stands for all rights, in what a capability grants or denies
_NAMED = 20  # commands in a note


class Capability(Struct, frozen=True):
    """One line of a test's report. What a plugin gives as something else than text, or a list of texts, is left out.

    `probe` is the input of Test Connection that would check it; `grants` and `denies` are rights that it proves, and
    proves to be lacking, as the commands' `permissions` name them.
    """

    name: str
    state: str = ""
    detail: str = ""
    probe: str = ""
    grants: tuple[str, ...] = ()
    denies: tuple[str, ...] = ()


class CommandRights(Struct, frozen=True):
    """A plugin's commands by what a test proved of the rights that they need: all others are known at first use."""

    allowed: Sequence[Command]
    denied: Sequence[Command]
    at_first_use: Sequence[Command]

    def in_words(self) -> str:
        """Return it as a sentence."""
        total = len(self.allowed) + len(self.denied) + len(self.at_first_use)
        named = [f"{one.title} ({', '.join(one.permissions)})" for one in self.denied[:_NAMED]]
        more = [f"{len(self.denied) - _NAMED} more"] if len(self.denied) > _NAMED else []
        refused = f"{len(self.denied)} may not: {', '.join([*named, *more])}; " if self.denied else ""
        return (
            f"Commands: {len(self.allowed)} of {total} may be run; {refused}"
            f"{len(self.at_first_use)} are known at first use."
        )


def capabilities_in(raw: Any) -> list[Capability]:
    """Return what a test reports: the records with `capability` of a list, or of the first list in an object."""
    lists = raw.values() if isinstance(raw, Mapping) else [raw]
    items = next((one for one in lists if isinstance(one, list)), [])
    return [_capability(one) for one in items if isinstance(one, Mapping) and "capability" in one]


def _capability(record: Mapping[str, Any]) -> Capability:
    texts = {key: value for key, value in record.items() if isinstance(value, str)}
    lists = {key: value for key, value in record.items() if isinstance(value, list)}
    grants, denies = (tuple(one for one in lists.get(key, ()) if isinstance(one, str)) for key in ("grants", "denies"))
    state, detail, probe = (texts.get(key, "") for key in ("state", "detail", "probe"))
    return Capability(str(record["capability"]), state, detail, probe, grants, denies)


def probes_of(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return the inputs of Test Connection that have it check more than it does by itself: its yes-or-no inputs."""
    found = next((one for one in manifest.commands.values() if one.kind == "test_connection"), None)
    properties = found.input.get("properties", {}) if found is not None else {}
    return {name: schema for name, schema in properties.items() if schema.get("type") == "boolean"}


def command_rights(manifest: Manifest, raw: Any) -> CommandRights | None:
    """Return which commands a test proved to be possible, and which not; None where it proved nothing of rights.

    A right that is lacking anywhere is lacking. A command that names no rights is known at first use.
    """
    report = capabilities_in(raw)
    proved = [one for one in report if one.state in PROVED]
    granted = {right for one in proved if one.state != REFUSED for right in one.grants}
    denied = {right for one in proved for right in one.denies}
    if not granted and not denied:
        return None
    found: dict[str, list[Command]] = {"allowed": [], "denied": [], "at_first_use": []}
    for command in manifest.commands.values():
        if command.kind != "test_connection":
            needed = set(command.permissions)
            good = needed and (EVERY in granted or needed <= granted)
            bad = needed and (EVERY in denied or needed & denied)
            found["denied" if bad else "allowed" if good else "at_first_use"].append(command)
    return CommandRights(**found)
