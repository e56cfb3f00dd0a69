"""Runs a piece of async work from the command line, with the host open around it and a progress bar beside it."""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import click

from connector_host.app import App
from connector_host.host.session import Session
from connector_host.model.caller import Caller
from connector_host.model.connection import BulkOutcome
from connector_host.model.errors import WrongUse
from connector_host.model.result import Result, Status
from connector_host.model.times import in_utc


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless `yes` was given; aborts for a no, and raises WrongUse where there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse(f"{question} There is no terminal to answer on: give --yes to go on. Nothing was changed.")
    click.confirm(question, abort=True)


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


T = TypeVar("T")
EXIT_CODES = {Status.PASSED: 0, Status.FAILED: 1, Status.PARTIAL: 3}
_WORDS = {"user": "user", "group": "groups", "site": "site", "tenant": "tenant"}
output_option = click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for machines.",
)


def with_session(app: App, work: Callable[[Session], Awaitable[T]]) -> T:
    """Open the host, do the work in the caller's session, close the host."""
    if not app.home.exists() and sys.stderr.isatty():
        click.echo(f"There is no data folder {app.home}: it is made now, with a master key of its own.", err=True)

    async def go() -> T:
        async with app.open() as host:
            caller = acting_caller()
            return await work(host.as_operator() if caller is None else host.acting_for(caller))

    return anyio.run(go)


def acting_caller() -> Caller | None:
    """Return on whose behalf this command line acts (`--as`); None is the operator."""
    text = click.get_current_context().find_root().params.get("acting")
    if not text:
        return None
    found: dict[str, Any] = {"groups": ()}
    for part in text.split(","):
        word, _, value = part.partition("=")
        name = _WORDS.get(word.strip())
        if name is None or not value:
            raise WrongUse("--as takes user=NAME,group=NAME,site=NAME,tenant=NAME; group may be repeated.")
        found[name] = (*found["groups"], value) if name == "groups" else value
    return Caller(**found)


def moment(text: str | None) -> datetime | None:
    """Return a time that was written as ISO 8601, in UTC where it has no offset; raises WrongUse."""
    try:
        return in_utc(datetime.fromisoformat(text)).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        raise WrongUse(f"'{text}' is no time: write it as 2026-01-31T08:00:00Z.") from None


def exit_code(result: Result) -> int:
    """Return the exit code of a result."""
    return EXIT_CODES[result.status]


def seconds(moment: str | None) -> str:
    """Return an ISO 8601 time without its fraction, as a table has room for."""
    return "" if not moment else f"{moment.partition('.')[0].removesuffix('Z')}Z"


def say(output: str, document: Any, words: str) -> None:
    """Print a document for machines, or a sentence for people."""
    if output == "json":
        click.echo(json.dumps(document, default=str))
    else:
        click.echo(words, err=True)


def print_rows(output: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], document: Any) -> None:
    """Print rows as a table, or their document."""
    if output == "json":
        click.echo(json.dumps(document, default=str))
        return
    from connector_host.cli.tables import console, list_table  # noqa: PLC0415 - rich is for people only

    console().print(list_table(columns, rows))


def tell(outcomes: Sequence[BulkOutcome], verb: str, output: str) -> int:
    """Tell what became of each of many connections; the exit code: 0 all, 3 some, 1 none of them."""
    failed = [one for one in outcomes if one.error]
    document = [
        {"name": one.name, "ok": not one.error, "error": one.error or None} | ({"note": one.note} if one.note else {})
        for one in outcomes
    ]
    count = len(outcomes) - len(failed)
    told = [f"{one.name}: {one.error or one.note}" for one in outcomes if one.error or one.note]
    words = "\n".join([*told, f"{count} of {len(outcomes)} {verb}."])
    say(output, document, words)
    return 0 if not failed else 3 if count else 1


def counted(number: int, noun: str) -> str:
    """Return a number of things, as `1 problem` or `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
