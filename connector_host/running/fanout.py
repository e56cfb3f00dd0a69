"""Fans a command out over a list: several elements at a time, each with its own outcome, told in the list's order."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from connector_host.model.authoring import Item
from connector_host.model.errors import DeadlinePassed, InvocationError
from connector_host.ports.parts import CommandOutput

ForOne = Callable[[Any], Awaitable[Item]]


async def fan_out(elements: Sequence[Any], concurrency: int, output: CommandOutput, for_one: ForOne) -> None:
    """Run `for_one` for each element; what is not done when the deadline cuts in fails by itself."""
    queue = _InOrder(elements, output)
    waiting = iter(enumerate(elements))

    async def work() -> None:
        for index, element in waiting:
            queue.put(index, await _guarded(for_one, element))

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(concurrency, len(elements))):
                group.start_soon(work)
    finally:
        queue.finish()


async def _guarded(for_one: ForOne, element: Any) -> Item:
    try:
        return await for_one(element)
    except InvocationError as error:
        return Item(str(element), error)


class _InOrder:
    """Hands items on in the list's order as soon as all before them are there."""

    def __init__(self, elements: Sequence[Any], output: CommandOutput) -> None:
        self._elements = elements
        self._output = output
        self._done: dict[int, Item] = {}
        self._next = 0
        self._count = 0

    def put(self, index: int, item: Item) -> None:
        self._done[index] = item
        self._count += 1
        self._output.progress(self._count, len(self._elements))
        while self._next in self._done:
            self._output.add(self._done.pop(self._next))
            self._next += 1

    def finish(self) -> None:
        for index in range(self._next, len(self._elements)):
            late = Item(str(self._elements[index]), DeadlinePassed())
            self._output.add(self._done.pop(index, late))
        self._next = len(self._elements)
