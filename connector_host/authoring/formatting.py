"""`plugins format`: one form for every author's manifest: block style where a line would be too long, comments kept."""

import io
from pathlib import Path
from typing import Any

from connector_host.model.errors import BadSetting
from connector_host.model.extras import require
from connector_host.model.manifest import COMMANDS, MANIFEST, SAMPLES

LINE = 120  # no line is longer
WIDTH = LINE - 14  # where the writer breaks: behind the word that crosses it


def files_of(folder: Path) -> list[Path]:
    """Return a plugin's YAML files: its manifest, and what stands in files of its own."""
    return [
        folder / MANIFEST,
        *(file for room in (COMMANDS, SAMPLES) for file in sorted((folder / room).glob("*.yaml"))),
    ]


def formatted(text: str) -> str:
    """Return YAML in the one form; formatting it again changes nothing. Raises BadSetting, and ExtraMissing."""
    require("cli", "ruamel.yaml", "A writer of YAML")
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - nobody else needs a writer of YAML

    try:
        for _ in range(4):  # a part that is broken into lines may leave room for its neighbours' comments to move
            again = _once(text)
            if again == text:
                break
            text = again
    except YAMLError as error:
        raise BadSetting(f"This is not YAML: {' '.join(str(error).split())[:300]}") from error
    return text


def _once(text: str) -> str:
    writer = _writer()
    value = writer.load(text)
    _spread(value, 0, "")
    out = io.StringIO()
    writer.dump(value, out)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _writer() -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415 - see above

    writer = YAML()
    writer.preserve_quotes = True
    writer.width = WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    return writer


def _spread(value: Any, indent: int, before: str) -> None:
    """Write a collection in lines of its own where it does not fit one, `before` standing in front of it."""
    if not hasattr(value, "fa"):
        return
    if value.fa.flow_style():
        if indent + len(before) + len(_flow(value)) <= WIDTH and not _has_comments(value):
            return
        value.fa.set_block_style()
    if isinstance(value, dict):
        for key, child in value.items():
            _spread(child, indent + 2, f"{key}: ")
    else:
        for child in value:
            _spread(child, indent + 4, "- ")


def _flow(value: Any) -> str:
    """Return how a collection reads in one line."""
    writer = _writer()
    writer.width = 100_000
    out = io.StringIO()
    writer.dump(value, out)
    return out.getvalue().rstrip()


def _has_comments(value: Any) -> bool:
    return bool(getattr(value, "ca", None) and value.ca.items)
