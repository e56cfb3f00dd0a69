"""`locales/xx.yaml`: a plugin's words in another language, laid over the manifest's own where they are given."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector_host.contract.errors import ManifestError
from connector_host.contract.manifest import Command, Manifest
from connector_host.contract.problems import Problem
from connector_host.kernel.manifests.hints import hint
from connector_host.kernel.manifests.places import Document, Where
from connector_host.kernel.manifests.strict_yaml import read_document

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
