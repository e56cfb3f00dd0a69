"""`like:`: a command takes over another's parts; what stands in itself is laid over them, and null takes one away."""

from collections.abc import Mapping
from typing import Any

from connector_host.contract.problems import Problem
from connector_host.kernel.manifests.hints import hint
from connector_host.kernel.manifests.places import Document, Where

LIKE = "like"
_OWN = {LIKE, "samples", "deprecated"}  # what is said of one command alone


def resolve_likes(document: Document) -> list[Problem]:
    """Write each command out in full, in place; a part taken over is found where the other command has it."""
    commands = document.value.get("commands") if isinstance(document.value, dict) else None
    if not isinstance(commands, dict):
        return []
    return _Resolver(document, commands).all()


class _Resolver:
    """Resolves each command once, those it is like before it."""

    def __init__(self, document: Document, commands: dict[str, Any]) -> None:
        self._document = document
        self._commands = commands
        self._done: set[str] = set()
        self._problems: list[Problem] = []

    def all(self) -> list[Problem]:
        for name in list(self._commands):
            self._resolve(name, ())
        return self._problems

    def _resolve(self, name: str, way: tuple[str, ...]) -> None:
        command = self._commands.get(name)
        if name in self._done or not isinstance(command, dict) or LIKE not in command:
            self._done.add(name)
            return
        other = command[LIKE]
        where: Where = ("commands", name, LIKE)
        known = [one for one in self._commands if one != name]
        if not isinstance(other, str) or other not in known:
            assistance, near = hint(str(other), known)
            cause = f"There is no command '{other}' to be like."
            self._problems.append(
                self._document.problem(where, "unknown-like", cause, assistance, allowed=tuple(known), fix=near)
            )
            self._commands[name][LIKE] = near
            if near is None:
                del self._commands[name]
            else:
                self._resolve(name, way)
            return
        if other in way:
            cause = f"'{name}' is like '{other}', which is like '{name}'."
            self._problems.append(self._document.problem(where, "like-circle", cause, "Write one of them out."))
        else:
            self._resolve(other, (*way, name))
            if not isinstance(self._commands.get(other), dict):
                del self._commands[name]  # what it is like is wrong, and told
                return
            base = {key: value for key, value in self._commands[other].items() if key not in _OWN}
            self._commands[name] = self._laid(command, base, ("commands", name), ("commands", other))
        self._commands[name].pop(LIKE, None)
        self._done.add(name)

    def _laid(self, own: Mapping[str, Any], base: Mapping[str, Any], where: Where, there: Where) -> dict[str, Any]:
        """Return `own` laid over `base`, and note where the parts taken over stand."""
        merged: dict[str, Any] = {}
        for key, value in base.items():
            mine = own.get(key)
            if key not in own:
                merged[key] = value
                self._note((*where, key), (*there, key))
            elif isinstance(mine, Mapping) and isinstance(value, Mapping):
                merged[key] = self._laid(mine, value, (*where, key), (*there, key))
            elif mine is not None:
                merged[key] = mine
        return merged | {key: value for key, value in own.items() if key not in base and value is not None}

    def _note(self, where: Where, there: Where) -> None:
        for marks in (self._document.keys, self._document.values):
            found = {place: mark for place, mark in marks.items() if place[: len(there)] == there}
            marks.update({(*where, *place[len(there) :]): mark for place, mark in found.items()})
