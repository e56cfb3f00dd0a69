"""Brings a SQLite database to this program's schema: numbered files, each applied once, under a write lock."""

import sqlite3
from pathlib import Path

from connector_host.contract.errors import StoreTooNew

FOLDER = Path(__file__).parent / "migrations"


def migrate(database: sqlite3.Connection, name: str) -> None:
    """Apply what is missing; raises StoreTooNew where a newer program was here. Nothing is half applied."""
    files = sorted(FOLDER.glob("*.sql"))
    newest = int(files[-1].name[:4])
    if _at(database) == newest:
        return
    database.execute("begin immediate")
    try:
        reached = _at(database)
        _refuse_newer(name, reached, newest)
        for file in files:
            if int(file.name[:4]) > reached:
                for statement in _statements(file.read_text("utf-8")):
                    database.execute(statement)
        database.execute(f"pragma user_version = {newest}")
        database.execute("commit")
    except BaseException:
        database.execute("rollback")
        raise


def _refuse_newer(name: str, reached: int, newest: int) -> None:
    if reached > newest:
        raise StoreTooNew(
            f"The store {name} has schema {reached}; this program knows {newest}. Update connector-host, or use "
            f"another data folder. Nothing was changed."
        )


def _at(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    """Return the script's statements; sqlite3.executescript would commit behind our back."""
    statements: list[str] = []
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            statements.append(text)
            text = ""
    return statements
