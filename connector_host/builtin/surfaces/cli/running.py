"""Runs a piece of async work from the command line, with the host open around it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import click

from connector_host.contract.face import Entrance, HostFace
from connector_host.contract.model import Result, Status

T = TypeVar("T")
EXIT_CODES = {Status.PASSED: 0, Status.FAILED: 1, Status.PARTIAL: 3}
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


def exit_code(result: Result) -> int:
    """Return the exit code of a result."""
    return EXIT_CODES[result.status]
