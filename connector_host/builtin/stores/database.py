"""The open SQLite file: WAL, migrated, its queries from the .sql file; every fault becomes a StoreError."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiosql

from connector_host.builtin.stores.migrate import migrate
from connector_host.contract.errors import StoreError

BUSY_MILLISECONDS = 10_000
CHECKPOINT_PAGES = 32_000  # 128 MB: pages that are written again and again reach the main file once


class Database:
    """The open file and its queries."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "sqlite3")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The store {path} can not be opened: {error}.") from error
        try:
            self._prepare()
        except BaseException:
            self.raw.close()
            raise

    def _prepare(self) -> None:
        try:
            self.path.chmod(0o600)
            self.raw.execute(f"pragma busy_timeout = {BUSY_MILLISECONDS}")
            self.raw.execute("pragma journal_mode = wal")
            self.raw.execute("pragma synchronous = normal")
            self.raw.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self.raw.execute("pragma foreign_keys = on")
            migrate(self.raw, str(self.path))
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The store {self.path} can not be opened: {error}.") from error

    def close(self) -> None:
        """Close the file."""
        self.raw.close()

    @contextmanager
    def reading(self) -> Iterator[tuple[Any, sqlite3.Connection]]:
        """Lend queries that only read, or write in one statement."""
        try:
            yield self.queries, self.raw
        except sqlite3.Error as error:
            raise StoreError(f"The store {self.path} failed: {error}.") from error

    @contextmanager
    def writing(self) -> Iterator[tuple[Any, sqlite3.Connection]]:
        """Lend queries that belong together: all, or none."""
        with self.reading() as (queries, raw):
            raw.execute("begin immediate")
            try:
                yield queries, raw
                raw.execute("commit")
            except BaseException:
                raw.execute("rollback")
                raise
