"""What is laid over a manifest: another command's parts (`like:`), and another language's words (`locales/xx.yaml`)."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from connector_host.manifests.source_map import Document, Where
from connector_host.manifests.strict_yaml import read_document
from connector_host.manifests.wording import hint
from connector_host.model.errors import ManifestError
from connector_host.model.failure import Problem
from connector_host.model.manifest import Command, Manifest

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
        if not isinstance(other, str) or other == name or other not in self._commands:
            self._unknown(name, other, way)
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

    def _unknown(self, name: str, other: Any, way: tuple[str, ...]) -> None:
        """Tell that a command is like nothing there is; the nearest name stands in, so that more can be told."""
        known = [one for one in self._commands if one != name]
        assistance, near = hint(str(other), known)
        cause, where = f"There is no command '{other}' to be like.", ("commands", name, LIKE)
        self._problems.append(
            self._document.problem(where, "unknown-like", cause, assistance, allowed=tuple(known), fix=near)
        )
        self._commands[name][LIKE] = near
        if near is None:
            del self._commands[name]
        else:
            self._resolve(name, way)

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


FOLDER = "locales"
_PLUGIN = ("name", "description", "permissions")
_COMMAND = ("title", "description", "failure_indicator", "notes")
_PARAMETER = ("title", "description", "error_title", "placeholder", "group", "pattern_message")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def languages(folder: Path) -> list[str]:
    """Return the languages that a plugin's folder has words in."""
    return sorted(file.stem for file in (folder / FOLDER).glob("*.yaml"))


def localised(manifest: Manifest, language: str) -> Manifest:
    """Return the manifest in a language, as far as its words are given; `de-AT` falls back to `de`."""
    names = [name for name in (language, language.partition("-")[0]) if name in languages(manifest.root)]
    if not names:
        return manifest
    words = read_document(manifest.root / FOLDER / f"{names[0]}.yaml").value
    commands = words.get("commands", {})
    return replace(
        manifest,
        **_chosen(words, _PLUGIN),
        connection=_form(manifest.connection, words.get("connection", {})),
        commands={name: _command(one, commands.get(name, {})) for name, one in manifest.commands.items()},
    )


def _command(command: Command, words: Mapping[str, Any]) -> Command:
    chosen = _chosen(words, _COMMAND)
    if "notes" in chosen:
        chosen["notes"] = tuple(chosen["notes"])
    return replace(command, **chosen, input=_form(command.input, words.get("input", {})))


def _form(schema: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    told = words.get("properties", {})
    properties = {
        name: {**one, **_chosen(told[name], _PARAMETER)} if name in told else one
        for name, one in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _chosen(words: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: words[key] for key in keys if key in words}


def check_locales(document: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    """Hold each language's file against the manifest: it may give words only for what is there."""
    folder = Path(document.file).parent / FOLDER
    for file in sorted(folder.glob("*.yaml")):
        try:
            words = read_document(file)
        except ManifestError as error:
            yield from error.problems
            continue
        yield from words.problems
        if not _LANGUAGE.fullmatch(file.stem):
            yield Problem(str(file), 1, f"'{file.stem}' is no language.", "Name it as de.yaml or pt-BR.yaml.", "locale")
        yield from _check_words(words, value)


def _check_words(words: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    top = words.value if isinstance(words.value, dict) else {}
    yield from _known(words, (), top, (*_PLUGIN, "connection", "commands"))
    yield from _check_form(words, ("connection",), top.get("connection"), value["connection"])
    commands = top.get("commands") or {}
    yield from _known(words, ("commands",), commands, tuple(value["commands"]))
    for name, one in commands.items():
        if name in value["commands"] and isinstance(one, dict):
            where: Where = ("commands", name)
            yield from _known(words, where, one, (*_COMMAND, "input"))
            yield from _check_form(words, (*where, "input"), one.get("input"), value["commands"][name].get("input", {}))


def _check_form(words: Document, where: Where, told: Any, form: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(told, dict):
        return
    yield from _known(words, where, told, ("properties",))
    properties = told.get("properties") or {}
    place: Where = (*where, "properties")
    yield from _known(words, place, properties, tuple(form.get("properties", {})))
    for name, one in properties.items():
        if isinstance(one, dict):
            yield from _known(words, (*place, name), one, _PARAMETER)


def _known(words: Document, where: Where, told: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Problem]:
    for key in told:
        if key not in known:
            advice, near = hint(key, known)
            cause = f"There is nothing called '{key}' to give words for here."
            yield words.problem((*where, key), "locale", cause, advice, key=True, fix=near)
