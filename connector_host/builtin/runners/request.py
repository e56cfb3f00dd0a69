"""Carries out a declared request: once, page by page, or once per element of a list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector_host.builtin.runners.call import RunningCall, with_call
from connector_host.builtin.runners.credential import handed_out
from connector_host.builtin.runners.fanout import fan_out
from connector_host.builtin.runners.origins import Order, Origins
from connector_host.builtin.runners.template import Fill, compile_path_template, compile_value
from connector_host.contract.authoring import Item, Page
from connector_host.contract.manifest import Command, RequestTemplate
from connector_host.contract.ports import Job, Surroundings


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A declared request, ready to be filled in."""

    template: RequestTemplate
    path: Callable[[Mapping[str, Any]], str]
    query: Fill
    headers: Fill
    body: Fill

    def order(self, roots: Mapping[str, Any], deadline: float) -> Order:
        template = self.template
        return Order(
            template.method,
            self.path(roots),
            self.query(roots),
            self.headers(roots),
            None if template.body is None else self.body(roots),
            template.idempotent,
            deadline,
        )


class RequestRunner:
    """The runner of commands that need no Python."""

    def __init__(self, _surroundings: Surroundings) -> None:
        self._origins = Origins()
        self._compiled: dict[int, _Compiled] = {}

    async def run(self, job: Job) -> None:
        """Send what the manifest declares."""
        await with_call(job, self._origins, lambda call: self._run(job, call))

    async def _run(self, job: Job, call: RunningCall) -> None:
        compiled = self._compile(job.command)
        roots = {"input": job.inputs, "connection": job.opened.values}
        if job.command.each is None:
            await self._once(job, call, compiled, roots)
        else:
            elements = job.inputs[job.command.each]
            await fan_out(job, elements, lambda item: self._for_one(job, call, compiled, roots, item))

    async def _once(self, job: Job, call: RunningCall, compiled: _Compiled, roots: Mapping[str, Any]) -> None:
        order = compiled.order(roots, job.deadline)
        if job.command.collect is None:
            reply = await call.send(order, compiled.template.server)
            job.outcome.add(Item(None, reply if job.command.credential is None else handed_out(job, reply)))
            return
        async for page in call.listing(order, compiled.template.server, job.command.collect, compiled.template.paging):
            job.outcome.add(page)

    async def _for_one(
        self, job: Job, call: RunningCall, compiled: _Compiled, roots: Mapping[str, Any], item: Any
    ) -> Item:
        order = compiled.order({**roots, "item": item}, job.deadline)
        if job.command.collect is None:
            return Item(str(item), await call.send(order, compiled.template.server))
        pages = [
            page
            async for page in call.listing(
                order, compiled.template.server, job.command.collect, compiled.template.paging
            )
        ]
        records = [record for page in pages for record in page.records]
        return Item(str(item), Page(records, clean=all(page.clean for page in pages)))

    def _compile(self, command: Command) -> _Compiled:
        compiled = self._compiled.get(id(command))
        if compiled is None:
            template = command.request
            assert template is not None  # noqa: S101 - chosen for commands with a request
            compiled = _Compiled(
                template,
                compile_path_template(template.path),
                compile_value(template.query),
                compile_value(template.headers),
                compile_value(template.body),
            )
            self._compiled[id(command)] = compiled
        return compiled
