"""The boundary around other people's code: the one place that catches everything, a thread's work included."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from connector_host.model.errors import ConnectorHostError

T = TypeVar("T")


class authors_code(AbstractContextManager[None]):  # noqa: N801 - used as a function; a generator takes three times as long
    """Run an author's code; whatever it raises is raised as `told` says, save what is the host's own already.

    An attempt to end the program, or to pass for a task that was cancelled, counts as a fault: a plugin does not decide
    over the host.
    """

    def __init__(self, told: Callable[[BaseException], ConnectorHostError]) -> None:
        self._told = told

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and not isinstance(error, ConnectorHostError) and not _comes_from_outside(error):
            raise self._told(error) from error


def _comes_from_outside(error: BaseException) -> bool:
    """Whether somebody ends the program, or the task in which the code runs."""
    if isinstance(error, asyncio.CancelledError):
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no event loop runs here
            return False
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt) or type(error).__module__.startswith("trio")


def outcome(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """Do work, as in a thread, for whoever waits for it; return what it gives, or what it raises."""
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        return None, error


async def outcome_of(work: Awaitable[T]) -> tuple[T | None, Exception | None]:
    """Wait for work that must not end its neighbours; return what it gives, or what it raises."""
    try:
        return await work, None
    except Exception as error:  # noqa: BLE001 - whoever asked decides what to tell of it
        return None, error


async def wrong_of(work: Awaitable[T]) -> tuple[T | None, str]:
    """Wait for work; return what it gives, and in words what is wrong with what was asked. A fault is raised."""
    found, error = await outcome_of(work)
    if error is not None and not isinstance(error, ConnectorHostError):
        raise error
    return found, "" if error is None else str(error)


def fault_of(error: BaseException) -> str:
    """Return what an author's code raised, and where: `ValueError: no such thing (/…/commands.py:12)`."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" ({where.tb_frame.f_code.co_filename}:{where.tb_lineno})" if where else ""
    return f"{type(error).__name__}: {error}{place}"
