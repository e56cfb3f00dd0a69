"""Makes command-line options of a JSON Schema, and values of their text."""

import json
import mimetypes
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from connector_host.host.text_values import read_text
from connector_host.host.uploads import Uploads
from connector_host.manifests.parameters import condition_in_words, labelled_options
from connector_host.model.errors import WrongUse
from connector_host.model.json_text import parse_json

# What the command line has an option of its own for; a parameter of such a name is `--input-NAME`.
RESERVED = frozenset(
    {"connection", "sandbox", "set", "secret", "input", "options_of", "output", "timeout", "partial_ok", "help"}
)
RESERVED_BY_CLICK = frozenset({"parameters", "secrets"})
_PREFIX = "given_input_"


def options_of(properties: Mapping[str, Any], required: list[str]) -> list[click.Option]:
    """One option per parameter; the host, not the command line, decides whether a value is right."""
    titles = {name: str(schema.get("title", name)) for name, schema in properties.items()}
    options = [
        _option(name, schema, _traits(schema, titles, required=name in required)) for name, schema in properties.items()
    ]
    old = [_option(schema["was"], schema, []) for schema in properties.values() if "was" in schema]
    for option in old:
        option.hidden = True
    return options + old


def _traits(schema: Mapping[str, Any], titles: Mapping[str, str], *, required: bool) -> list[str]:
    """Return what is said of a parameter in brackets."""
    told = ["required"] if required else []
    if "required_if" in schema:
        told.append(f"required {condition_in_words(schema['required_if'], titles.__getitem__)}")
    if "visible_if" in schema:
        told.append(f"only {condition_in_words(schema['visible_if'], titles.__getitem__)}")
    if "deprecation" in schema:
        told.append("deprecated")
    return told


def _option(name: str, schema: Mapping[str, Any], traits: list[str]) -> click.Option:
    word = name.replace("_", "-")
    if name in RESERVED:
        word = f"input-{word}"
    flag, taken = f"--{word}", name in RESERVED | RESERVED_BY_CLICK
    name = f"{_PREFIX}{name}" if taken else name
    if schema.get("type") == "boolean":
        return click.Option([f"{flag}/--no-{word}", name], default=None, help=_help(schema, traits))
    shape = _shape(schema)
    options = [str(value) for value, _ in labelled_options(schema)]
    return click.Option(
        [flag, name],
        metavar=shape,
        help=_help(schema, traits),
        multiple=schema.get("type") == "array",
        shell_complete=lambda *_: options,
    )


def given_inputs(given: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options say, by parameter; a list may be given in parts, each by an option of its own."""
    found = {}
    for option, value in given.items():
        name, parts = _input_name(option), value if isinstance(value, tuple) else (value,)
        read = [read_text(part, properties.get(name, {}), name) for part in parts if part is not None]
        if len(read) > 1:
            lists = [part if isinstance(part, list) else [part] for part in read if part is not None]
            found[name] = [one for part in lists for one in part]
        elif read:
            found[name] = read[0]
    return found


def _input_name(option: str) -> str:
    """Return the parameter that an option of the command line is for."""
    return option.removeprefix(_PREFIX)


def _shape(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "string")
    options = labelled_options(schema)
    if options:
        return "|".join(str(value) for value, _ in options)
    if schema.get("format") == "file":
        return "FILE"
    if schema.get("format") == "date-time":
        return "TIME"
    words = {"array": "LIST", "object": "JSON", "integer": "NUMBER", "number": "NUMBER", "string": "TEXT"}
    return words.get(kinds if isinstance(kinds, str) else kinds[0], "TEXT")


def _help(schema: Mapping[str, Any], traits: list[str]) -> str:
    parts = [f"{schema.get('title', '')}: {schema.get('description', '')}".strip(" :")]
    if schema.get("examples"):
        example = schema["examples"][0]
        parts.append(f"Example: {example if isinstance(example, str) else json.dumps(example)}")
    if "default" in schema:
        parts.append(f"[default: {json.dumps(schema['default'])}]")
    labels = [f"{value}: {label}" for value, label in labelled_options(schema) if label != str(value)]
    parts += [f"({'; '.join(labels)})"] if labels else []
    parts += ["[may be repeated]"] if schema.get("type") == "array" else []
    parts += [f"[{trait}]" for trait in traits]
    return " ".join(parts)


def uploaded(uploads: Uploads, source: Any) -> Any:
    """Put a file among the uploads, and return its reference; raises WrongUse. What is a reference already stays."""
    if not isinstance(source, str) or source.startswith("upload:"):
        return source
    file = Path(source)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WrongUse(f"The file {source} cannot be read ({error.strerror}).") from error
    return uploads.put(file.name, content, mimetypes.guess_type(file.name)[0] or "")


def read_inputs(source: str | None) -> dict[str, Any]:
    """Return the inputs in a JSON file, or on standard input for `-`; raises WrongUse."""
    if source is None:
        return {}
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
        value = parse_json(text)
    except OSError as error:
        raise WrongUse(f"The inputs cannot be read from {source} ({error.strerror}).") from error
    except ValueError as error:
        raise WrongUse(f"The inputs in {source} are not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise WrongUse(f'The inputs in {source} must be a JSON object: {{"parameter": value}}.')
    return value
