"""The open SQLite file: WAL, of this program's schema; the event loop never waits for its lock; a fault is told."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import anyio

from connector_host.model.errors import StoreError, WrongLoop, WrongProcess
from connector_host.stores.faults import told
from connector_host.stores.migrating import back_up, migrate, schema_of
from connector_host.stores.pending import PendingRuns, Taken
from connector_host.stores.statements import Statements
from connector_host.stores.writer import Writer, is_taken, transaction

T = TypeVar("T")
OPENING_SECONDS = 10.0  # for which an open waits for the lock of another program
READING_SECONDS = 0.1  # the same, before what is pending is left for later
FREED_PAGES = 2000  # at once
PAGE_BYTES = 1024  # of a new file: an invocation touches few bytes on several pages, and whole pages are written
WAL_BYTES = 12 * 1024 * 1024  # pages that are written again and again reach the main file once in so many bytes


def opened(path: Path, *, power: bool, seconds: float = OPENING_SECONDS) -> sqlite3.Connection:
    """Open a connection to the file that waits so many seconds for a lock."""
    raw = sqlite3.connect(path, timeout=seconds, isolation_level=None, check_same_thread=False, cached_statements=256)
    raw.execute(f"pragma synchronous = {'full' if power else 'normal'}")
    raw.execute("pragma foreign_keys = on")
    return raw


class Database:
    """The open file; `power` waits for the disk with each write, not only for the process.

    It belongs to the process and the thread that opened it. `committed` is called after each write; runs that are
    pending are written with the next.
    """

    def __init__(self, path: Path, pending: PendingRuns, *, power: bool = False) -> None:
        self.path = path
        self.committed: Callable[[], None] = lambda: None
        self.refusal = ""  # why nothing may be written
        self._pending = pending
        self._closed = False
        self._power = power
        self._process, self._thread, self.loop = os.getpid(), threading.get_ident(), _loop()
        with told(path, "cannot be opened"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            raw = opened(path, power=power)
            try:
                self._prepare(raw)
            except BaseException:
                raw.close()
                raise
            self._files = [(file, _identity(file)) for file in (path, path.with_name(f"{path.name}-wal"))]
        self._here = Statements(raw)
        self._writer = Writer(lambda: Statements(opened(path, power=power, seconds=0)))

    def _prepare(self, raw: sqlite3.Connection) -> None:
        self.path.chmod(0o600)
        if schema_of(raw) == 0:
            raw.execute(f"pragma page_size = {PAGE_BYTES}")
            raw.execute("pragma auto_vacuum = incremental")
        _patiently(lambda: raw.execute("pragma journal_mode = wal"))
        page = int(raw.execute("pragma page_size").fetchone()[0])
        raw.execute(f"pragma wal_autocheckpoint = {WAL_BYTES // page}")
        raw.execute(f"pragma journal_size_limit = {WAL_BYTES}")
        migrate(raw, self.path)
        raw.execute("select count(*) from sqlite_master").fetchone()  # which makes the -wal file
        raw.execute("pragma busy_timeout = 0")

    def close(self) -> None:
        """Close the file; another process than the one that opened it leaves it alone."""
        self._closed = True
        if self.is_ours:
            self._writer.close()
            self._here.raw.close()

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it."""
        return os.getpid() == self._process

    def give_back(self) -> None:
        """Give some of the file's free pages, and the log's, back to the system; where others are busy, later."""
        with suppress(sqlite3.Error):
            self._here.raw.execute(f"pragma incremental_vacuum({FREED_PAGES})").fetchall()
            self._here.raw.execute("pragma wal_checkpoint(truncate)").fetchall()

    def check(self) -> list[str]:
        """Read all of it, on a connection of its own; return what is damaged, or `ok` alone."""
        with told(self.path, "cannot be checked"), closing(opened(self.path, power=self._power)) as raw:
            return [str(row[0]) for row in raw.execute("pragma integrity_check(20)")]

    def refuse_damaged(self) -> None:
        """Look at it after a program died; raises StoreError where it is damaged."""
        with told(self.path, "cannot be checked"):
            found = self._here.raw.execute("pragma quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"The store {self.path} is damaged: {found}. Restore a backup.")

    def back_up(self, target: Path) -> None:
        """Write what is committed into a new file, readable by its owner only."""
        if target.exists():
            raise StoreError(f"There is a file {target} already.")
        with told(self.path, "cannot be backed up"):
            back_up(self.path, target)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Write something that belongs to it beside the file; raises StoreError where that fails."""
        self._check_place()
        if self.refusal:
            raise StoreError(self.refusal)
        with told(self.path, "failed"):
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write into the file; raises StoreError where it is gone, or that fails."""
        with self.beside():
            self._check_files()
            yield

    @contextmanager
    def reading(self) -> Iterator[Statements]:
        """Lend it for statements that only read."""
        self._check_place()
        with told(self.path, "failed"):
            yield self._here

    async def write(self, work: Callable[[Statements], T], seconds: float = OPENING_SECONDS) -> T:
        """Do work in one transaction: all of it, or none; return what it returns.

        It is done here and now, or, where another program writes or others wait, by a thread that waits at most so
        many seconds for its turn. Raises StoreError, and what the work raises.
        """
        taken = self._pending.take()

        def both(db: Statements) -> T:
            taken.put_beside(db)
            return work(db)

        with self._writing():
            done = await self._do(both if taken.runs else work, seconds)
        self._committed(taken)
        return done

    async def drain(self, seconds: float = OPENING_SECONDS) -> None:
        """Write the pending runs, if there are any; raises StoreError."""
        while self._pending.runs:
            taken = self._pending.take()
            with self._writing():
                await self._do(taken.put, seconds)
            self._committed(taken)

    async def drain_for_reading(self) -> None:
        """Write the pending runs, so that they are read too; what cannot be written yet is seen later."""
        with suppress(StoreError):
            await self.drain(READING_SECONDS)

    def drain_now(self) -> bool:
        """Write the oldest of the pending runs here and now; whether the lock was free. Raises StoreError."""
        if self._pending.runs:
            taken = self._pending.take()
            with self._writing():
                if not self._writer.idle:
                    return False
                try:
                    transaction(self._here, taken.put)
                except sqlite3.OperationalError as error:
                    if is_taken(error):
                        return False
                    raise
            self._committed(taken)
        return True

    async def aside(self, work: Callable[[Statements], T], seconds: float = OPENING_SECONDS) -> T:
        """Do work that takes long in a transaction of its own, in the writer's thread; raises StoreError."""
        with self._writing():
            done = await self._writer.do(work, anyio.current_time() + seconds)
        self.committed()
        return done

    async def _do(self, work: Callable[[Statements], T], seconds: float) -> T:
        """Do work here and now, or in the writer's thread where the lock is taken or others wait."""
        if self._writer.idle:
            try:
                return transaction(self._here, work)
            except sqlite3.OperationalError as error:
                if not is_taken(error):
                    raise
        return await self._writer.do(work, anyio.current_time() + seconds)

    def _committed(self, taken: Taken) -> None:
        self._pending.forget(taken)
        self.committed()

    def _check_place(self) -> None:
        if not self.is_ours:
            raise WrongProcess
        if self._closed:
            raise StoreError("The host is closed: open it again, with open_host().")
        if threading.get_ident() != self._thread or _loop() is not self.loop:
            raise WrongLoop

    def _check_files(self) -> None:
        """Raise StoreError where what is written would go into nothing."""
        for file, identity in self._files:
            if _identity(file) != identity:
                raise StoreError(
                    f"The store's file {file} was removed or replaced while it was in use: what is written now would "
                    f"be lost. Bring it back, and start the program again."
                )


def _loop() -> asyncio.AbstractEventLoop | None:
    """Return asyncio's running loop; None where another, or none, runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(file)  # noqa: PTH116 - a third of the time of Path.stat(), with each write
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _patiently(work: Callable[[], object]) -> None:
    """Do what SQLite refuses at once, whatever its time-out, while another program recovers the file."""
    until = time.monotonic() + OPENING_SECONDS
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            if not is_taken(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
