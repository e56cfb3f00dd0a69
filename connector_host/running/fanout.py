"""Fans a command out over a list: several elements at a time, each with its own outcome, told in the list's order."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from msgspec.structs import replace

from connector_host.model.authoring import Item, item_name
from connector_host.model.effects import EFFECTS, Effects
from connector_host.model.invocation_errors import DeadlinePassed, InvocationError
from connector_host.ports.parts import CommandOutput

ForOne = Callable[[Any], Awaitable[Item]]


async def fan_out(elements: Sequence[Any], concurrency: int, output: CommandOutput, for_one: ForOne) -> None:
    """Run `for_one` for each element; what is not done when the deadline cuts in fails by itself."""
    queue = _InOrder(elements, output)
    waiting = iter(enumerate(elements))

    async def work() -> None:
        for index, element in waiting:
            effects = Effects(EFFECTS.get())
            queue.begin(index, effects)
            queue.put(index, await _guarded(for_one, element, effects))

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(concurrency, len(elements))):
                group.start_soon(work)
    finally:
        queue.finish()


async def _guarded(for_one: ForOne, element: Any, effects: Effects) -> Item:
    """Run for one element, with a book of its own on what it does."""
    token = EFFECTS.set(effects)
    try:
        return await for_one(element)
    except InvocationError as error:
        error.failure = replace(error.failure, effect=effects.verdict)
        return Item(item_name(element), error)
    finally:
        EFFECTS.reset(token)


class _InOrder:
    """Hands items on in the list's order as soon as all before them are there."""

    def __init__(self, elements: Sequence[Any], output: CommandOutput) -> None:
        self._elements = elements
        self._output = output
        self._done: dict[int, Item] = {}
        self._begun: dict[int, Effects] = {}
        self._next = 0
        self._count = 0

    def begin(self, index: int, effects: Effects) -> None:
        self._begun[index] = effects

    def put(self, index: int, item: Item) -> None:
        self._done[index] = item
        self._count += 1
        self._output.progress(self._count, len(self._elements))
        while self._next in self._done:
            self._output.add(self._done.pop(self._next))
            self._next += 1

    def finish(self) -> None:
        for index in range(self._next, len(self._elements)):
            done = self._done.pop(index, None)
            self._output.add(done if done is not None else self._late(index))
        self._next = len(self._elements)

    def _late(self, index: int) -> Item:
        """Return what became of an element that was cut off: not tried, or under way."""
        effects, late = self._begun.get(index), DeadlinePassed()
        if effects is None:
            late = DeadlinePassed("It was not tried: the time allowed for this command was over before.")
        else:
            late.failure = replace(late.failure, effect=effects.verdict)
        return Item(item_name(self._elements[index]), late)
