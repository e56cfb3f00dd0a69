"""The open SQLite file: WAL, of this program's schema, its queries from the .sql file; a fault is a StoreError."""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from connector_host.model.errors import StoreError, StoreTooNew

BUSY_MILLISECONDS = 10_000
PAGE_BYTES = 1024  # of a new file: an invocation touches few bytes on several pages, and whole pages are written
WAL_BYTES = 12 * 1024 * 1024  # pages that are written again and again reach the main file once in so many bytes
HERE = Path(__file__).parent
MIGRATIONS = HERE / "migrations"


@cache
def statements() -> Mapping[str, str]:
    """Return the statements of queries.sql by name, each below a line `-- name: …`."""
    _, *parts = re.split(r"(?m)^-- name: (\w+)\n", (HERE / "queries.sql").read_text("utf-8"))
    return {name: text.strip().rstrip(";") for name, text in zip(parts[::2], parts[1::2], strict=True)}


class Database:
    """The open file. Statements are named; `power` waits for the disk with each write, not only for the process."""

    def __init__(self, path: Path, *, power: bool = False) -> None:
        self.path = path
        self._power = power
        self._sql = statements()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The store {path} cannot be opened: {error}.") from error
        try:
            self._prepare()
        except BaseException:
            self.raw.close()
            raise

    def _prepare(self) -> None:
        try:
            self.path.chmod(0o600)
            self.raw.execute(f"pragma busy_timeout = {BUSY_MILLISECONDS}")
            self.raw.execute(f"pragma page_size = {PAGE_BYTES}")  # counts for a new file only
            self.raw.execute("pragma journal_mode = wal")
            self.raw.execute(f"pragma synchronous = {'full' if self._power else 'normal'}")
            page = int(self.raw.execute("pragma page_size").fetchone()[0])
            self.raw.execute(f"pragma wal_autocheckpoint = {WAL_BYTES // page}")
            self.raw.execute(f"pragma journal_size_limit = {WAL_BYTES}")
            self.raw.execute("pragma foreign_keys = on")
            migrate(self.raw, str(self.path))
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The store {self.path} cannot be opened: {error}.") from error

    def close(self) -> None:
        """Close the file."""
        self.raw.close()

    def rows(self, statement: str, /, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self.raw.execute(self._sql[statement], values).fetchall()

    def row(self, statement: str, /, **values: Any) -> Any:
        """Return the first row of a query, or None."""
        return self.raw.execute(self._sql[statement], values).fetchone()

    def change(self, statement: str, /, **values: Any) -> int:
        """Change something; how many rows."""
        return self.raw.execute(self._sql[statement], values).rowcount

    def change_many(self, statement: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Change something once for each of the rows."""
        self.raw.executemany(self._sql[statement], rows)

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """Lend it for statements that only read, or write in one."""
        try:
            yield self
        except (sqlite3.Error, UnicodeError) as error:
            raise StoreError(f"The store {self.path} failed: {error}.") from error

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """Lend it for statements that belong together: all, or none."""
        try:
            self.raw.execute("begin immediate")
            try:
                yield self
                self.raw.execute("commit")
            except BaseException:
                if self.raw.in_transaction:  # a full disk has rolled back already
                    self.raw.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise StoreError(f"The store {self.path} failed: {error}.") from error


def migrate(database: sqlite3.Connection, name: str) -> None:
    """Bring a database to this program's schema: numbered files, each applied once, under a write lock.

    Raises StoreTooNew where a newer program was here. Nothing is half applied.
    """
    files = sorted(MIGRATIONS.glob("*.sql"))
    newest = int(files[-1].name[:4])
    if _at(database) == newest:
        return
    database.execute("begin immediate")
    try:
        reached = _known(_at(database), newest, name)
        for file in files:
            if int(file.name[:4]) > reached:
                for statement in _split(file.read_text("utf-8")):
                    database.execute(statement)
        database.execute(f"pragma user_version = {newest}")
        database.execute("commit")
    except BaseException:
        database.execute("rollback")
        raise


def _known(reached: int, newest: int, name: str) -> int:
    if reached > newest:
        raise StoreTooNew(
            f"The store {name} has schema {reached}; this program knows {newest}. Update connector-host, or use "
            f"another data folder. Nothing was changed."
        )
    return reached


def _at(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma user_version").fetchone()[0])


def _split(script: str) -> list[str]:
    """Return the script's statements; sqlite3.executescript would commit behind our back."""
    found: list[str] = []
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found
