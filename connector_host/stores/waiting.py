"""Runs that have ended, and stand in the journal, until they are written into the database with what comes next."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import asdict

from connector_host.model.result import HistoryRecord
from connector_host.model.stored import Written
from connector_host.stores.audit_rows import append_all
from connector_host.stores.journal import Journal
from connector_host.stores.statements import Statements


class Waiting:
    """The runs that wait, by id, oldest first."""

    def __init__(self, journal: Journal) -> None:
        self.runs: dict[str, Written] = {}
        self._journal = journal

    def with_work(self, work: Callable[[Statements], Any]) -> tuple[Callable[[Statements], Any], Sequence[Written]]:
        """Return work that writes those that wait now first, and which they are."""
        runs = list(self.runs.values())
        if not runs:
            return work, runs

        def both(db: Statements) -> Any:
            put(db, runs)
            return work(db)

        return both, runs

    def written(self, runs: Sequence[Written]) -> None:
        """Forget those that are in the database."""
        names = [run.record.invocation_id for run in runs]
        for name in names:
            self.runs.pop(name, None)
        self._journal.done(names)


def put(db: Statements, runs: Sequence[Written]) -> None:
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
