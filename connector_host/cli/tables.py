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

from connector_host.model.result import Result, Status
from connector_host.model.tables import table_of

COLOURS = {Status.PASSED: "green", Status.PARTIAL: "yellow", Status.FAILED: "red"}
ROWS, LINES, WIDTH, WIDE = 10, 24, 60, 160


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
    table = table_of(result, columns)
    whole = result.completeness
    cut = len(table.rows) > ROWS
    _tab(out, "Result", f"first {ROWS} of {whole.returned if whole else len(table.rows)}" if cut else "")
    out.print(list_table(table.titles, table.rows[:ROWS]))


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
