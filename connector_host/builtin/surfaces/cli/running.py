"""Runs a piece of async work from the command line, with the host open around it."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import anyio
import click

from connector_host.contract.connection import OPERATOR, Caller, Outcome
from connector_host.contract.errors import WrongUse
from connector_host.contract.face import Entrance, HostFace
from connector_host.contract.model import Result, Status

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


def with_host(entrance: Entrance, work: Callable[[HostFace], Awaitable[T]]) -> T:
    """Open the host, do the work, close the host."""

    async def go() -> T:
        async with entrance.open() as host:
            return await work(host)

    return anyio.run(go)


def caller() -> Caller:
    """Return on whose behalf this command line acts: the operator's, unless `--as` says otherwise."""
    text = click.get_current_context().find_root().params.get("acting")
    if not text:
        return OPERATOR
    found: dict[str, Any] = {"groups": ()}
    for part in text.split(","):
        word, _, value = part.partition("=")
        name = _WORDS.get(word.strip())
        if name is None or not value:
            raise WrongUse("--as takes user=NAME,group=NAME,site=NAME,tenant=NAME; group may be repeated.")
        found[name] = (*found["groups"], value) if name == "groups" else value
    return Caller(**found)


def exit_code(result: Result) -> int:
    """Return the exit code of a result."""
    return EXIT_CODES[result.status]


def seconds(moment: str | None) -> str:
    """Return an ISO 8601 time without its fraction, as a table has room for."""
    return "" if moment is None else f"{moment.partition('.')[0].removesuffix('Z')}Z"


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
    from connector_host.builtin.surfaces.cli.tables import console, list_table  # noqa: PLC0415 - rich is for people only

    console().print(list_table(columns, rows))


def tell(outcomes: Sequence[Outcome], verb: str, output: str) -> int:
    """Tell what became of each of many connections; the exit code: 0 all, 3 some, 1 none of them."""
    failed = [one for one in outcomes if one.error]
    document = [{"name": one.name, "ok": not one.error, "error": one.error or None} for one in outcomes]
    count = len(outcomes) - len(failed)
    words = "\n".join([*(f"{one.name}: {one.error}" for one in failed), f"{count} of {len(outcomes)} {verb}."])
    say(output, document, words)
    return 0 if not failed else 3 if count else 1
