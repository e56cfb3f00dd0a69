"""Tables of a documentation page: parameters with what is said of each, and plain ones."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from connector_host.contract.conditions import condition_in_words, labelled_options, several


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(one) for one in line)} |" for line in lines)


def cell(text: Any) -> str:
    """Return a text as a table's cell has room for it."""
    return " ".join(str(text).split()).replace("|", "\\|")


def anchor(title: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def parameter_table(schema: Mapping[str, Any], *, titles: Mapping[str, str]) -> str:
    """Return the parameters' table, by groups where there are any; `titles` are the commands' own."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not properties:
        return "N/A"
    names = {name: str(one["title"]) for name, one in properties.items()}
    required = schema.get("required", [])
    rows: list[list[str]] = []
    group = ""
    for name, one in properties.items():
        if one.get("group", "") != group:
            group = one.get("group", "")
            rows.append([f"**{cell(group)}**" if group else "", "", "", ""])
        told = " ".join([cell(one.get("description", "")), *_traits(one, names, titles)]).strip()
        rows.append([cell(one["title"]), _need(one, names, required=name in required), told, _example(one)])
    return table(["Input Parameter", "Required/Optional", "Description", "Example"], rows)


def _need(one: Mapping[str, Any], names: Mapping[str, str], *, required: bool) -> str:
    if "required_if" in one:
        return cell(f"Required {condition_in_words(one['required_if'], lambda name: names[name])}")
    return "Required" if required else "Optional"


def _traits(one: Mapping[str, Any], names: Mapping[str, str], titles: Mapping[str, str]) -> list[str]:
    told = []
    options = labelled_options(one) or labelled_options(one.get("items"))
    if options:
        shown = [str(value) if label == str(value) else f"{value} ({label})" for value, label in options]
        told.append(f"Options: {', '.join(shown)}.")
    if "options_from" in one:
        told.append(f"Options come from {titles.get(one['options_from']['command'], '')}.")
    if "default" in one:
        told.append(f"Default: {_code(one['default'])}.")
    if one.get("writeOnly"):
        told.append("Secret.")
    if one.get("format") == "file":
        told.append(f"A file, at most {one['max_size']}." if "max_size" in one else "A file.")
    if "visible_if" in one:
        told.append(f"Only {condition_in_words(one['visible_if'], lambda name: names[name])}.")
    if "needed_by" in one:
        told.append(f"Needed by {', '.join(titles.get(name, name) for name in one['needed_by'])} only.")
    told += [_source(source, titles) for source in several(one.get("obtained_from", []))]
    if "deprecation" in one:
        told.append(f"Deprecated since {one['deprecation']['since']}.")
    return [cell(text) for text in told]


def _source(reference: str, titles: Mapping[str, str]) -> str:
    command, _, path = reference.partition("#")
    title = titles.get(command, command)
    return f"Obtained from [{title}](#{anchor(title)}) at `{path}`."


def _example(one: Mapping[str, Any]) -> str:
    examples = one.get("examples") or ([one["placeholder"]] if "placeholder" in one else [])
    return _code(examples[0]) if examples else ""


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{cell(text)}`" if text else ""
