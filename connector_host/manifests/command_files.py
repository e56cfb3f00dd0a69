"""Commands in files of their own, `commands/NAME.yaml`, and their samples, `samples/NAME.yaml`, beside the manifest."""

import re
from collections.abc import Iterator
from pathlib import Path

from connector_host.manifests.source_map import Document, Where
from connector_host.manifests.strict_yaml import read_document
from connector_host.model.manifest import COMMANDS, SAMPLES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def take_in_files(document: Document, folder: Path) -> None:
    """Take the commands and samples that stand in files of their own into the manifest's document.

    A name without a value below `commands` keeps the place of the file's command; those that are not named follow.
    Raises ManifestError where a file cannot be read at all.
    """
    if not isinstance(document.value, dict):
        return
    commands = document.value.setdefault(COMMANDS, {})
    if not isinstance(commands, dict):
        return
    for name, file in _files(document, folder / COMMANDS):
        where: Where = (COMMANDS, name)
        if commands.get(name) is not None:
            cause = f"The command '{name}' stands here and in {COMMANDS}/{file.name}."
            document.problems.append(document.problem(where, "command-twice", cause, "Keep one of them.", key=True))
            continue
        document.take_in(read_document(file), where)
    for name, file in _files(document, folder / SAMPLES):
        where = (COMMANDS, name, SAMPLES)
        command = commands.get(name)
        if not isinstance(command, dict) or SAMPLES in command:
            cause = f"{SAMPLES}/{file.name} belongs to no command that has no samples of its own."
            advice = "Name it as the command, and keep the samples in one place."
            document.problems.append(document.problem((COMMANDS, name), "command-twice", cause, advice, key=True))
            continue
        document.take_in(read_document(file), where)


def _files(document: Document, room: Path) -> Iterator[tuple[str, Path]]:
    """Give the files by the names of their commands; tell of those that are none, or that lead out of the plugin."""
    for file in sorted(room.glob("*.y*ml")):
        inside = file.resolve().is_relative_to(room.parent.resolve())
        if inside and file.suffix == ".yaml" and _NAME.fullmatch(file.stem):
            yield file.stem, file
            continue
        cause = f"{room.name}/{ascii(file.name)[1:-1]} is no file of a command."
        advice = "Name it as its command, in small letters, digits and underscores, ending in .yaml, and keep it here."
        document.problems.append(document.problem((COMMANDS,), "command-file", cause, advice, key=True))
