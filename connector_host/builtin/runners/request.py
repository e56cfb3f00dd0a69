"""Carries out a declared request: once, page by page, once per element of a list, or until a field has a value."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connector_host.builtin.runners.call import RunningCall, with_call
from connector_host.builtin.runners.credential import handed_out
from connector_host.builtin.runners.fanout import fan_out
from connector_host.builtin.runners.orders import Order
from connector_host.builtin.runners.origins import Origins
from connector_host.builtin.runners.polling import polled
from connector_host.builtin.runners.template import Fill, compile_path_template, compile_value
from connector_host.contract.authoring import Item, Page
from connector_host.contract.manifest import Command
from connector_host.contract.paths import ABSENT
from connector_host.contract.ports import Job, Surroundings
from connector_host.contract.requests import RequestTemplate

Roots = Mapping[str, Any]
PathFill = Callable[[Roots], str]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A declared request, ready to be filled in."""

    template: RequestTemplate
    path: PathFill
    fills: Mapping[str, Fill]
    transform: Fill | None
    poll_path: PathFill | None

    @classmethod
    def of(cls, template: RequestTemplate) -> "_Compiled":
        """Compile a template."""
        parts = {"query": template.query, "headers": template.headers, "json": template.body}
        parts |= {"form": template.form, "parts": template.multipart}
        poll = template.poll
        return cls(
            template,
            compile_path_template(template.path),
            {name: compile_value(part) for name, part in parts.items() if part is not None},
            None if template.transform is None else compile_value(template.transform),
            None if poll is None or poll.path is None else compile_path_template(poll.path),
        )

    def order(self, roots: Roots, deadline: float) -> Order:
        """Return the request with these values in it; each has an idempotency key of its own."""
        filled = {name: fill(roots) for name, fill in self.fills.items()}
        filled = {name: value for name, value in filled.items() if value is not ABSENT}
        order = Order(
            self.template.method, self.path(roots), deadline=deadline, idempotent=self.template.idempotent, **filled
        )
        if self.template.idempotency_key is None:
            return order
        headers = {**order.headers, self.template.idempotency_key: str(uuid.uuid4())}
        return replace(order, headers=headers, idempotent=True)

    def shaped(self, roots: Roots, reply: Any) -> Any:
        """Return what the raw data is made of, of one reply or one record."""
        if self.transform is None:
            return reply
        value = self.transform({**roots, "reply": reply})
        return None if value is ABSENT else value


class RequestRunner:
    """The runner of commands that need no Python."""

    def __init__(self, _surroundings: Surroundings) -> None:
        self._origins = Origins()
        self._compiled: dict[int, tuple[Command, _Compiled]] = {}

    async def run(self, job: Job) -> None:
        """Send what the manifest declares."""
        await with_call(job, self._origins, lambda call: self._run(job, call))

    async def close(self) -> None:
        """Nothing is kept."""

    async def _run(self, job: Job, call: RunningCall) -> None:
        compiled = self._compile(job.command)
        roots = {"input": job.inputs, "connection": job.opened.values}
        if job.command.each is not None:
            elements = job.inputs[job.command.each]
            await fan_out(job, elements, lambda item: _for_one(job, call, compiled, roots, item))
        elif job.command.collect is None:
            value = await _value(job, call, compiled, roots)
            job.outcome.add(Item(None, value if job.command.credential is None else handed_out(job, value)))
        else:
            async for page in _pages(job, call, compiled, roots):
                job.outcome.add(page)

    def _compile(self, command: Command) -> _Compiled:
        known = self._compiled.get(id(command))
        if known is None or known[0] is not command:
            assert command.request is not None  # noqa: S101 - chosen for commands with a request
            known = self._compiled[id(command)] = command, _Compiled.of(command.request)
        return known[1]


async def _for_one(job: Job, call: RunningCall, compiled: _Compiled, roots: Roots, item: Any) -> Item:
    roots = {**roots, "item": item}
    if job.command.collect is None:
        return Item(str(item), await _value(job, call, compiled, roots))
    pages = [page async for page in _pages(job, call, compiled, roots)]
    records = [record for page in pages for record in page.records]
    return Item(str(item), Page(records, clean=all(page.clean for page in pages)))


async def _value(job: Job, call: RunningCall, compiled: _Compiled, roots: Roots) -> Any:
    template = compiled.template
    order = compiled.order(roots, job.deadline)
    reply = await call.send(order, template.server)
    if template.poll is not None:
        path = None if compiled.poll_path is None else compiled.poll_path({**roots, "reply": reply})
        again = order if path is None else Order("GET", path, deadline=job.deadline)
        first = None if path is not None else reply
        reply = await polled(call, again, template.server, template.poll, first)
    return compiled.shaped(roots, reply)


async def _pages(job: Job, call: RunningCall, compiled: _Compiled, roots: Roots) -> Any:
    template = compiled.template
    order = compiled.order(roots, job.deadline)
    async for page in call.listing(order, template.server, template.collect or "", template.paging):
        if compiled.transform is None:
            yield page
        else:
            yield Page([compiled.shaped(roots, record) for record in page.records], clean=page.clean)
