"""A plugin's documentation page, in Markdown, made of its manifest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector_host.authoring.page_commands import anchor, cell, command_section, parameter_table, table
from connector_host.model.manifest import Manifest

_MADE = "<!-- Made of manifest.yaml by `connector-host plugins docs --write`; change the manifest, not this page. -->"
_TEST = "Run any command by itself: `connector-host test-command {id} COMMAND --connection NAME`."
_TIMES = (
    "Times are given in the host's own date and time format (setting `date_time` of the host manifest) or in ISO 8601; "
    "the examples show one of them."
)


def page_of(manifest: Manifest) -> str:
    """Return the page, in Markdown."""
    parts = [
        f"# {manifest.name}\n\n{_MADE}\n\nVersion {manifest.version}",
        _section("Overview", [manifest.description]),
        _limitations(manifest.limitations),
        _connection(manifest),
        _section("Permission Requirement", [manifest.permissions]),
        *_setup(manifest),
        _commands(manifest),
        *(command_section(manifest, command) for command in manifest.commands.values()),
        _faq(manifest.faq),
    ]
    return "\n\n".join(part for part in parts if part).rstrip() + "\n"


def _section(title: str, paragraphs: Sequence[str]) -> str:
    told = [text.strip() for text in paragraphs if text.strip()]
    return "\n\n".join([f"## {title}", *told]) if told else ""


def _limitations(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return ""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[row.get(column, "-") for column in columns] for row in rows]
    return _section("Known Limitations", [table(columns, cells)])


def _connection(manifest: Manifest) -> str:
    text = parameter_table(manifest.connection, titles=_titles(manifest))
    presets = [
        f"Choosing {manifest.connection['properties'][name]['title']} {option} fills in "
        + ", ".join(f"{manifest.connection['properties'][key]['title']} {value}" for key, value in values.items())
        + "."
        for name, options in manifest.presets.items()
        for option, values in options.items()
    ]
    return _section("Connection", ["What a connection needs:", text, *presets])


def _titles(manifest: Manifest) -> dict[str, str]:
    return {name: command.title for name, command in manifest.commands.items()}


def _setup(manifest: Manifest) -> Iterator[str]:
    if not manifest.setup:
        return
    yield f"## Configuring {manifest.name}"
    for guide in manifest.setup:
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(guide["steps"], 1))
        note = f"\n\n> **Reader note:** {guide['note']}" if guide.get("note") else ""
        yield f"### {guide['title']}\n\n{steps}{note}"


def _commands(manifest: Manifest) -> str:
    rows = [
        [f"[{command.title}](#{anchor(command.title)})", _kind(command), cell(command.description)]
        for command in manifest.commands.values()
    ]
    intro = _TEST.format(id=manifest.id)
    return _section("Commands", [intro, _TIMES, table(["Command", "", "Description"], rows)])


def _kind(command: Any) -> str:
    words = [
        ("reads only", command.read_only),
        ("cannot be undone", command.destructive),
        ("deprecated", command.deprecated is not None),
    ]
    return ", ".join(word for word, holds in words if holds)


def _faq(entries: Sequence[Mapping[str, str]]) -> str:
    if not entries:
        return ""
    return "## FAQ\n\n" + "\n\n".join(f"### {one['question']}\n\n{one['answer'].strip()}" for one in entries)
