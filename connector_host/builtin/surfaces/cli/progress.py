"""A progress bar on standard error, for commands that take longer than a moment."""

import sys
import time
from types import TracebackType
from typing import Any, Self

PATIENCE = 0.7  # seconds before a bar appears


class Bar:
    """Shows itself only on a terminal, and only when there is something to wait for."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._begun = time.monotonic()
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, done: int, total: int | None) -> None:
        """Take how far the command has come."""
        if self._progress is None and sys.stderr.isatty() and time.monotonic() - self._begun > PATIENCE:
            self._start()
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)

    def _start(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - most commands end before a bar is due
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - the same

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(self._title, total=None)
        self._progress.start()
