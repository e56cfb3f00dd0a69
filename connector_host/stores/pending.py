"""Runs that have ended, and stand in the journal, until they are written into the database with what comes next."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from connector_host.model.errors import StoreError
from connector_host.model.history import HistoryRecord
from connector_host.model.stored import EndedRun
from connector_host.stores.audit_rows import append_all
from connector_host.stores.journal import Journal
from connector_host.stores.statements import Statements

MANY = 64  # runs written at once, at most
BATCH_BYTES = 256 * 1024  # the same, in about so many bytes: a few milliseconds


class Taken(Struct, eq=False):
    """Runs that a transaction takes along, and whether it wrote them."""

    runs: Sequence[EndedRun]
    written: bool = False

    def put(self, db: Statements) -> None:
        """Write all, or fail as the database does."""
        put(db, self.runs)
        self.written = True

    def put_beside(self, db: Statements) -> None:
        """Write all, or nothing: another's work in the same transaction does not fail for them."""
        db.raw.execute("savepoint pending")
        try:
            self.put(db)
        except (sqlite3.Error, StoreError):
            if not db.raw.in_transaction:  # a full disk has rolled back everything
                raise
            db.raw.execute("rollback to pending")
        db.raw.execute("release pending")


class PendingRuns:
    """The runs that wait, by id, oldest first; they are the event loop's, so that no other thread looks at them."""

    def __init__(self, journal: Journal) -> None:
        self.runs: dict[str, EndedRun] = {}
        self._journal = journal

    def take(self) -> Taken:
        """Return the oldest, no more than the event loop has time for."""
        found, size = [], 0
        for run in self.runs.values():
            found.append(run)
            size += weight(run)
            if len(found) >= MANY or size >= BATCH_BYTES:
                break
        return Taken(found)

    def forget(self, taken: Taken) -> None:
        """Forget those that are in the database now."""
        names = [run.record.invocation_id for run in taken.runs] if taken.written else []
        for name in names:
            self.runs.pop(name, None)
        self._journal.done(names)


def weight(run: EndedRun) -> int:
    """Return about how many bytes it takes."""
    record = run.record
    return 500 + len(record.inputs) + len(record.result or "") + len(record.error or "")


def put(db: Statements, runs: Sequence[EndedRun]) -> None:
    """Write runs, each once, with their audit records, within the open transaction."""
    new = [run for run in runs if db.change("add_invocation", **columns_of(run.record))]
    if new:
        append_all(db, [run.entry for run in new])


def columns_of(record: HistoryRecord) -> dict[str, Any]:
    """Return a record as the table has it."""
    columns = asdict(record)
    actor = columns.pop("actor")
    columns["id"] = columns.pop("invocation_id")
    return {**columns, **{f"actor_{name}": value for name, value in asdict(actor).items()}}
