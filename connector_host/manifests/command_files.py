"""Commands in files of their own, `commands/NAME.yaml`, and their samples, `samples/NAME.yaml`, beside the manifest."""

from collections.abc import Iterator
from pathlib import Path

from connector_host.manifests.source_map import Document, Where
from connector_host.manifests.strict_yaml import read_document
from connector_host.model.manifest import COMMANDS, SAMPLES


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
    for name, file in _files(folder / COMMANDS):
        where: Where = (COMMANDS, name)
        if commands.get(name) is not None:
            cause = f"The command '{name}' stands here and in {COMMANDS}/{file.name}."
            document.problems.append(document.problem(where, "command-twice", cause, "Keep one of them.", key=True))
            continue
        document.take_in(read_document(file), where)
    for name, file in _files(folder / SAMPLES):
        where = (COMMANDS, name, SAMPLES)
        command = commands.get(name)
        if not isinstance(command, dict) or SAMPLES in command:
            cause = f"{SAMPLES}/{file.name} belongs to no command that has no samples of its own."
            advice = "Name it as the command, and keep the samples in one place."
            document.problems.append(document.problem((COMMANDS, name), "command-twice", cause, advice, key=True))
            continue
        document.take_in(read_document(file), where)


def _files(room: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(room.glob("*.yaml")):
        yield file.stem, file
