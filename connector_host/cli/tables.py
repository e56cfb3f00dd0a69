"""Results and lists as people read them: the tabs Result, Raw Data, Key Fields and Error."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from connector_host.model.paths import compile_path
from connector_host.model.result import Result, Status

COLOURS = {Status.PASSED: "green", Status.PARTIAL: "yellow", Status.FAILED: "red"}
ROWS, COLUMNS, LINES, WIDTH, WIDE = 10, 6, 24, 60, 160
FAVOURITES = (
    "item",
    "id",
    "name",
    "title",
    "summary",
    "status",
    "urgency",
    "email",
    "type",
    "created_at",
    "address",
)


class _Out(Console):
    """Standard output; whoever reads it may stop before the end."""

    def on_broken_pipe(self) -> None:
        """Say no more: how the run ended is told by the exit code all the same."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Return standard output; wide where nobody's window bounds it."""
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return _Out(highlight=False, soft_wrap=False, width=None if bounded else WIDE)


def print_result(result: Result, title: str, columns: Mapping[str, str] | None = None, *, raw: bool = True) -> None:
    """All tabs of a result; `columns` are the command's own, titles and paths within a record."""
    out = console()
    out.print(
        Rule(
            Text(f"{title}: {result.status.value}", style=f"bold {COLOURS[result.status]}"),
            align="left",
            style="dim",
        )
    )
    out.print(
        Text(
            f"connection {result.connection} · {result.duration_ms} ms · invocation {result.invocation_id}",
            style="dim",
        )
    )
    if result.completeness is not None and result.completeness.limited:
        out.print(Text(f"the newest {result.completeness.returned} of more", style="dim"))
    for note in result.notes:
        out.print(_cell(f"Note: {note}"))
    _print_context(out, result, columns or {})
    _print_key_fields(out, result)
    if raw and result.raw_data is not None:
        _print_raw(out, result.raw_data)
    _print_error(out, result)
    out.print()


def _print_context(out: Console, result: Result, columns: Mapping[str, str]) -> None:
    records = result.context_data
    if records == [] and result.status is not Status.FAILED:
        _tab(out, "Result", "no records")
    if not isinstance(records, list) or not records:
        return
    rows = [row for record in records for row in (_chosen(record, columns) if columns else _rows(record))]
    whole = result.completeness
    count = f"{len(rows)} shown of {whole.returned}" if whole and len(rows) > ROWS else ""
    _tab(out, "Result", f"{count and f'first {ROWS} of {whole.returned if whole else len(rows)}'}")
    out.print(_own_table(rows[:ROWS]) if columns else record_table(rows[:ROWS]))


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


def _own_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return list_table(list(dict.fromkeys(title for row in rows for title in row)), [list(row.values()) for row in rows])


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


def record_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return records as a table of their most telling columns."""
    present = list(
        dict.fromkeys(key for row in rows for key, value in row.items() if not isinstance(value, dict | list))
    )
    present = present or list(dict.fromkeys(key for row in rows for key in row))
    if all(row.get("summary") in (row.get("title"), row.get("name")) for row in rows):
        present = [key for key in present if key != "summary"]
    chosen = [key for key in FAVOURITES if key in present]
    chosen += [key for key in present if key not in chosen and not key.endswith(("url", "self"))]
    table = _plain_table(*chosen[:COLUMNS])
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in chosen[:COLUMNS]))
    return table


def list_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Rows under given columns."""
    table = _plain_table(*columns)
    for row in rows:
        table.add_row(*map(_cell, row))
    if not table.row_count:
        table.add_row(Text("(none)", style="dim"))
    return table


def _plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(_cell(column), overflow="fold", max_width=WIDTH)
    return table


def _cell(value: Any) -> Text:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Text(shown_text(" ".join(text.splitlines()) if "\n" in text or "\r" in text else text))


def shown_text(text: str) -> str:
    """Return a text as a terminal may show it: what would steer it, or turn the reading direction, as a symbol."""
    return "".join(one if one.isprintable() or one == "\n" else _symbol(one) for one in text)


def _symbol(character: str) -> str:
    """Return the symbol of a control character (Unicode's Control Pictures), or a mark for any other."""
    code = ord(character)
    if code < _SPACE:
        return chr(_PICTURES + code)
    return "\u2421" if code == _DELETE else "\ufffd"


_SPACE, _DELETE, _PICTURES = 0x20, 0x7F, 0x2400


def _print_key_fields(out: Console, result: Result) -> None:
    if not any(result.key_fields.values()):
        return
    _tab(out, "Key Fields")
    for name, values in result.key_fields.items():
        if not values:
            continue
        shown = ", ".join(_cell(value).plain for value in values[:ROWS])
        out.print(Text(f"{name}: {shown}{f' … ({len(values)})' if len(values) > ROWS else ''}"))


def _print_raw(out: Console, raw: Any) -> None:
    _tab(out, "Raw Data")
    lines = shown_text(json.dumps(raw, indent=2, ensure_ascii=False)).split("\n")
    out.print(Text("\n".join(lines[:LINES])), overflow="ellipsis", no_wrap=True)
    if len(lines) > LINES:
        out.print(Text(f"… {len(lines) - LINES} more lines; --output json shows all", style="dim"))


def _print_error(out: Console, result: Result) -> None:
    if not result.errors:
        return
    _tab(out, "Error")
    for entry in result.errors[:ROWS]:
        item = f"{entry.item}: " if entry.item is not None else ""
        said = f"{item}{entry.failure_indicator} Status Code: {entry.status_code}. Message: {entry.message}"
        out.print(_cell(said), style="red", soft_wrap=True)  # one line, so that it can be searched for
        for more in (entry.detail, entry.assistance):
            if more:
                out.print(_cell(f"  {more}"))
    if len(result.errors) > ROWS:
        out.print(Text(f"… and {len(result.errors) - ROWS} more", style="dim"))


def _tab(out: Console, name: str, remark: str = "") -> None:
    out.print(Text(f"\n{name}{f' ({remark})' if remark else ''}", style="bold underline"))
