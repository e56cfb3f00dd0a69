"""A result as a table: the command's own columns, or the most telling ones of its records."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from connector_host.model.paths import compile_path
from connector_host.model.result import Result

COLUMNS = 6  # where a command names none
FAVOURITES = (
    "item", "id", "name", "title", "summary", "status", "urgency", "email", "type", "created_at", "address",
)  # fmt: skip


class ResultTable(Struct, frozen=True):
    """The titles of the columns, and a row of values for each record."""

    titles: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def table_of(result: Result, columns: Mapping[str, str]) -> ResultTable:
    """Return a result's context data as a table; `columns` are a command's own, titles and paths within a record."""
    records = result.context_data if isinstance(result.context_data, list) else []
    rows = [row for record in records for row in (_chosen(record, columns) if columns else _rows(record))]
    keys = list(dict.fromkeys(title for row in rows for title in row)) if columns else _telling(rows)
    return ResultTable(tuple(keys), tuple(tuple(row.get(key) for key in keys) for row in rows))


def _chosen(record: Any, columns: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return a record as rows of the command's own columns; those of a fan-out begin with the item."""
    item: dict[str, Any] = {}
    values = [record]
    if isinstance(record, dict) and set(record) == {"item", "value"}:
        item = {"Item": record["item"]}
        values = record["value"] if isinstance(record["value"], list) else [record["value"]]
    paths = {title: compile_path(path) for title, path in columns.items()}
    return [{**item, **{title: _joined(path.find(one)) for title, path in paths.items()}} for one in values]


def _joined(found: list[Any]) -> Any:
    shown = [_summary(value) for value in found if value is not None]
    return shown[0] if len(shown) == 1 else ", ".join(map(str, shown))


def _rows(record: Any) -> list[Mapping[str, Any]]:
    """Return a record as rows; an entry of a fan-out gives one per record, each with its item."""
    if isinstance(record, dict) and set(record) == {"item", "value"}:
        values = record["value"] if isinstance(record["value"], list) else [record["value"]]
        return [
            {"item": record["item"], **(_unwrapped(value) if isinstance(value, dict) else {"value": value})}
            for value in values
        ]
    return [_unwrapped(record) if isinstance(record, dict) else {"value": record}]


def _unwrapped(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the one object that a record holds, and references by their summary: {incident: {…}} is an incident."""
    inner = [value for value in record.values() if isinstance(value, dict)]
    if len(inner) == 1 and not any(isinstance(value, str | int | float) for value in record.values()):
        record = inner[0]
    return {key: _summary(value) for key, value in record.items()}


def _summary(value: Any) -> Any:
    """Return a reference as a person reads it: by its summary, name or id."""
    if not isinstance(value, dict):
        return value
    return next((value[key] for key in ("summary", "name", "title", "id") if isinstance(value.get(key), str)), value)


def _telling(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the most telling keys of records."""
    present = list(
        dict.fromkeys(key for row in rows for key, value in row.items() if not isinstance(value, dict | list))
    )
    present = present or list(dict.fromkeys(key for row in rows for key in row))
    if all(row.get("summary") in (row.get("title"), row.get("name")) for row in rows):
        present = [key for key in present if key != "summary"]
    chosen = [key for key in FAVOURITES if key in present]
    chosen += [key for key in present if key not in chosen and not key.endswith(("url", "self"))]
    return chosen[:COLUMNS]
