"""Brings a database to this program's schema: numbered files, each applied once, under a write lock, after a backup."""

import sqlite3
from pathlib import Path

from connector_host.model.errors import StoreTooNew

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: sqlite3.Connection, path: Path) -> None:
    """Apply what is missing; nothing is half applied.

    What stood there before is kept beside it, as PATH.schema-N. Raises StoreTooNew where a newer program was here.
    """
    files = sorted(MIGRATIONS.glob("*.sql"))
    newest = int(files[-1].name[:4])
    if schema_of(database) == newest:
        return
    database.execute("begin immediate")
    try:
        reached = _known(schema_of(database), newest, path)
        if 0 < reached < newest:
            back_up(path, path.with_name(f"{path.name}.schema-{reached}"))
        for file in files:
            if int(file.name[:4]) > reached:
                for statement in _split(file.read_text("utf-8")):
                    database.execute(statement)
        database.execute(f"pragma user_version = {newest}")
        database.execute("commit")
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise


def back_up(path: Path, target: Path) -> None:
    """Write what is committed into a new file, readable by its owner only; raises sqlite3.Error, OSError."""
    fresh = target.with_name(f"{target.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)
    reader = sqlite3.connect(path)
    try:
        reader.execute("vacuum into ?", [str(fresh)])
    finally:
        reader.close()
    fresh.replace(target)


def schema_of(database: sqlite3.Connection) -> int:
    """Return the number of the schema that a database has; 0 where it is empty."""
    return int(database.execute("pragma user_version").fetchone()[0])


def _known(reached: int, newest: int, path: Path) -> int:
    if reached > newest:
        raise StoreTooNew(
            f"The store {path} has schema {reached}; this program knows {newest}. Update connector-host, or use "
            f"another data folder. Nothing was changed."
        )
    return reached


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
