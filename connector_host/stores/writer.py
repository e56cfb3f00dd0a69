"""One thread that writes what the event loop must not wait for: in batches, each piece of work all or nothing."""

import math
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from msgspec import Struct

from connector_host.model.boundary import outcome
from connector_host.stores.statements import Statements

T = TypeVar("T")
Work = Callable[[Statements], Any]
NAP_SECONDS = 0.005  # between two looks at a lock that another program holds


def transaction(db: Statements, work: Callable[[Statements], T]) -> T:
    """Do work in a transaction of its own."""
    db.raw.execute("begin immediate")
    try:
        done = work(db)
        db.raw.execute("commit")
    except BaseException:
        if db.raw.in_transaction:  # a full disk has rolled back already
            db.raw.execute("rollback")
        raise
    return done


class _Queued(Struct, eq=False):
    """A piece of work, until when it may wait, and what came of it."""

    work: Work
    until: float
    over: bool = False
    done: Any = None
    failed: Exception | None = None


class Writer:
    """Writes on a connection of its own; whoever's turn it is takes all who came meanwhile along."""

    def __init__(self, connect: Callable[[], Statements]) -> None:
        self._connect = connect
        self._db: Statements | None = None
        self._queue: list[_Queued] = []
        self._turn = anyio.Lock()

    @property
    def idle(self) -> bool:
        """Whether nobody waits, so that nobody is overtaken."""
        return not self._queue and not self._turn.locked()

    async def do(self, work: Callable[[Statements], T], until: float) -> T:
        """Do work in its turn; raises what it raises, and SQLite's own error where the lock stays taken."""
        mine = _Queued(work, until)
        self._queue.append(mine)
        try:
            async with self._turn:
                while not mine.over:
                    with anyio.CancelScope(shield=True):
                        await self._write()
                    if not mine.over:
                        await anyio.sleep(NAP_SECONDS)
        finally:
            mine.until = -math.inf  # nobody waits for it any more, also where another's turn has it in hand
            if mine in self._queue:
                self._queue.remove(mine)
        if mine.failed is not None:
            raise mine.failed
        done: T = mine.done
        return done

    async def _write(self) -> None:
        """Write all who wait; who finds the lock taken waits on, while there is time."""
        batch, self._queue = self._queue, []
        _, failed = await anyio.to_thread.run_sync(outcome, partial(self._try, batch))
        now = anyio.current_time()
        for waiting in batch:
            if failed is not None and is_taken(failed) and waiting.until > now:
                self._queue.append(waiting)
            else:
                waiting.failed, waiting.over = waiting.failed or failed, True

    def _try(self, batch: list[_Queued]) -> None:
        if self._db is None:
            self._db = self._connect()

        def work(db: Statements) -> None:
            for waiting in batch:
                _one(db, waiting)

        transaction(self._db, work)

    def close(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.raw.close()


def _one(db: Statements, waiting: _Queued) -> None:
    """Do one piece of a batch: what fails takes nothing else along."""
    db.raw.execute("savepoint one")
    waiting.done, waiting.failed = outcome(lambda: waiting.work(db))
    if waiting.failed is not None:
        if not db.raw.in_transaction:  # a full disk has rolled back everything
            raise waiting.failed
        db.raw.execute("rollback to one")
    db.raw.execute("release one")


def is_taken(error: Exception) -> bool:
    """Whether another program holds the lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
