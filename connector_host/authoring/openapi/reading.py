"""Reads an OpenAPI document, or a part of one in a file of its own: JSON or YAML."""

import json
from pathlib import Path
from typing import Any

from connector_host.model.errors import WrongUse


def read_document(file: Path, *, part: bool = False) -> dict[str, Any]:
    """Return the document; a `part` need not say that it is one. Raises WrongUse."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"The document {file} cannot be read ({getattr(error, 'strerror', error)}).") from error
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"The document {file} is neither JSON nor YAML: {error}.") from error
    if not isinstance(value, dict) or not (part or str(value.get("openapi", "")).startswith("3")):
        raise WrongUse(f"{file} is no OpenAPI 3 document.")
    return value


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - only a document in YAML pays

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
