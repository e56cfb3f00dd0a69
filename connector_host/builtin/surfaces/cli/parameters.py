"""Makes command-line options of a JSON Schema, and values of their text."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from connector_host.contract.errors import WrongUse

RESERVED = frozenset({"connection", "input", "output", "timeout", "help"})


def options_of(properties: Mapping[str, Any], required: list[str]) -> list[click.Option]:
    """One option per parameter; the host, not the command line, decides whether a value is right."""
    return [_option(name, schema, name in required) for name, schema in properties.items() if name not in RESERVED]


def _option(name: str, schema: Mapping[str, Any], required: bool) -> click.Option:  # noqa: FBT001 - one caller
    flag = f"--{name.replace('_', '-')}"
    if schema.get("type") == "boolean":
        return click.Option([f"{flag}/--no-{name.replace('_', '-')}", name], default=None, help=_help(schema, required))
    shape = _shape(schema)
    options = [str(option) for option in schema.get("enum", [])]
    return click.Option([flag, name], metavar=shape, help=_help(schema, required), shell_complete=lambda *_: options)


def _shape(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "string")
    if schema.get("enum"):
        return "|".join(map(str, schema["enum"]))
    if schema.get("format") == "date-time":
        return "TIME"
    words = {"array": "LIST", "object": "JSON", "integer": "NUMBER", "number": "NUMBER", "string": "TEXT"}
    return words.get(kinds if isinstance(kinds, str) else kinds[0], "TEXT")


def _help(schema: Mapping[str, Any], required: bool) -> str:  # noqa: FBT001 - one caller
    parts = [f"{schema.get('title', '')}: {schema.get('description', '')}".strip(" :")]
    if schema.get("examples"):
        example = schema["examples"][0]
        parts.append(f"Example: {example if isinstance(example, str) else json.dumps(example)}")
    if "default" in schema:
        parts.append(f"[default: {json.dumps(schema['default'])}]")
    if required:
        parts.append("[required]")
    return " ".join(parts)


def value_of(text: Any, schema: Mapping[str, Any]) -> Any:
    """Return the value that text means to a schema; what does not fit is left as text for the host to refuse."""
    if not isinstance(text, str):
        return text
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "string" in kinds:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [text] if kinds == ["array"] and not text.lstrip().startswith("[") else text
    return [value] if kinds == ["array"] and isinstance(value, str | int) else value


def read_inputs(source: str | None) -> dict[str, Any]:
    """Return the inputs in a JSON file, or on standard input for `-`; raises WrongUse."""
    if source is None:
        return {}
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
        value = json.loads(text)
    except OSError as error:
        raise WrongUse(f"The inputs can not be read from {source} ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"The inputs in {source} are not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise WrongUse(f'The inputs in {source} must be a JSON object: {{"parameter": value}}.')
    return value
