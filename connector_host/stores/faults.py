"""What goes wrong with the file, in words."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector_host.model.errors import StoreError
from connector_host.stores.writer import is_taken

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full. Make room; nothing that was acknowledged is lost",
    sqlite3.SQLITE_READONLY: "it cannot be written to. Give its owner the right to, or move the data folder",
    sqlite3.SQLITE_CORRUPT: "the file is damaged. Run connector-host store check, and restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is damaged, or no database. Restore a backup",
}


@contextmanager
def told(path: Path, what: str) -> Iterator[None]:
    """Raise a fault of the file as a StoreError in words."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC
        words = _WORDS.get(sqlite3.SQLITE_FULL if full else getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if isinstance(error, sqlite3.Error) and is_taken(error):
            words = "another program has kept it locked all the time. Try again, or see what holds it"
        raise StoreError(f"The store {path} {what}: {words or error}.") from error
