"""The statements of queries.sql, run on one open connection to the file."""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@cache
def texts() -> Mapping[str, str]:
    """Return the statements by name, each below a line `-- name: …`."""
    _, *parts = re.split(r"(?m)^-- name: (\w+)\n", (HERE / "queries.sql").read_text("utf-8"))
    return {name: text.strip().rstrip(";") for name, text in zip(parts[::2], parts[1::2], strict=True)}


class Statements:
    """Statements by name, on one connection."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self._sql = texts()

    def rows(self, statement: str, /, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self.raw.execute(self._sql[statement], values).fetchall()

    def found(self, statement: str, conditions: Iterable[str], /, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query with `where true` that meet these conditions too, each SQL of ours."""
        sql = self._sql[statement].replace("where true", " and ".join(["where true", *conditions]))
        return self.raw.execute(sql, values).fetchall()

    def row(self, statement: str, /, **values: Any) -> Any:
        """Return the first row of a query, or None."""
        return self.raw.execute(self._sql[statement], values).fetchone()

    def change(self, statement: str, /, **values: Any) -> int:
        """Change something; how many rows."""
        return self.raw.execute(self._sql[statement], values).rowcount

    def change_many(self, statement: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Change something once for each of the rows; how many rows."""
        before = self.raw.total_changes
        self.raw.executemany(self._sql[statement], rows)
        return self.raw.total_changes - before
