"""Documents: a result as JSON, the one form that every surface shows and the history keeps."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from connector_host.contract.model import Result


def as_document(result: Result) -> dict[str, Any]:
    """Return the result as `schemas/result.schema.json` describes it."""
    first = result.errors[0] if result.errors else None
    return {
        "status": result.status.value,
        "plugin": result.plugin,
        "command": result.command,
        "connection": result.connection,
        "invocation_id": result.invocation_id,
        "started_at": iso(result.started_at),
        "duration_ms": result.duration_ms,
        "raw_data": result.raw_data,
        "context_data": result.context_data,
        "key_fields": dict(result.key_fields),
        "completeness": asdict(result.completeness) if result.completeness else None,
        "intake": result.intake,
        "notes": list(result.notes),
        "error": first
        and {
            "failure_indicator": first.failure_indicator,
            "status_code": first.status_code,
            "message": first.message,
            "entries": [asdict(entry) for entry in result.errors],
        },
    }


def as_json(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON text of a document; characters beyond ASCII are kept unless they are no valid Unicode.

    What is not JSON (a plugin may have put it into a page that came from the server) shows as its type's name.
    """
    text = json.dumps(document, ensure_ascii=False, indent=indent, default=_no_json)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent, default=_no_json)
    return text


def _no_json(value: Any) -> str:
    return f"<{type(value).__name__}>"


def iso(moment: datetime) -> str:
    """Return a time in UTC as ISO 8601 with `Z`, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Return the value in JSON's types: a tuple is a list there."""
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    return [plain(child) for child in value] if isinstance(value, list | tuple) else value
