"""Carries out a declared request: once, page by page, once per element of a list, or until a field has a value."""

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec.structs import replace

from connector_host.http.outgoing import OutgoingRequest
from connector_host.model.authoring import Failed, Item, Page, item_name
from connector_host.model.failure import Kind
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import ApiError, InvalidInput, InvocationError, UnexpectedReply
from connector_host.model.manifest import Command, Credential
from connector_host.model.paths import ABSENT, PathSyntaxError, compile_path
from connector_host.model.requests import Poll, RequestTemplate
from connector_host.model.template import compile_path_template, compile_value
from connector_host.ports.parts import Body, CommandOutput, OpenConnection, Surroundings
from connector_host.running.call import RunningCall, Servers, with_call
from connector_host.running.fanout import fan_out
from connector_host.running.item_results import ItemVerdicts


async def polled(call: RunningCall, outgoing: OutgoingRequest, server: str, poll: Poll, first: Any) -> Any:
    """Return the reply whose field has the value; raises Failed where it ends badly, or not in time."""
    path, waited, reply = compile_path(poll.until), 0, first
    while True:
        if reply is None:
            reply = await call.value(outgoing, server)
        value = path.first(reply)
        if value in poll.values:
            return reply
        shown = "absent" if value is ABSENT else f"'{value}'"
        if value in poll.fails:
            told = compile_path(poll.message).first(reply) if poll.message else ABSENT
            words = f"The product ended with {poll.until} {shown}." if told in (ABSENT, None, "") else str(told)
            raise Failed(words, kind=Kind.REJECTED)
        if waited + poll.every > poll.seconds:
            raise Failed(
                f"The request was accepted, not confirmed: after {waited} seconds {poll.until} is {shown}.",
                kind=Kind.NOT_CONFIRMED,
                assistance="Look again later; the product goes on in its own time.",
            )
        await call.sleep(poll.every)
        waited, reply = waited + poll.every, None


_PARAMETER = "$.connection."


def handed_out(
    credential: Credential, wanted: str, values: Mapping[str, Any], reply: Any
) -> dict[str, Any] | InvocationError:
    """Return the field that was asked for as `value`, and how long it may be kept, or why there is none."""
    fields = _found(values, credential.fields, reply)
    if not isinstance(fields, Mapping):
        return UnexpectedReply(
            "The vault's answer has no fields where they should be.",
            assistance=f"Check where the connection says that the fields stand ({credential.fields}).",
        )
    if fields.get(wanted) is None:
        known = ", ".join(sorted(map(str, fields))[:20]) or "none"
        return Failed(
            f"There is no field '{wanted}'.",
            kind=Kind.NOT_FOUND,
            detail=f"Fields: {known}.",
            assistance="Check the field.",
        )
    lease = _found(values, credential.lease_seconds, reply) if credential.lease_seconds else None
    return {"value": fields[wanted], **({"lease_seconds": lease} if isinstance(lease, int | float) else {})}


def _found(values: Mapping[str, Any], path: str, reply: Any) -> Any:
    """Look a path up in the reply; a path may itself stand in a connection parameter."""
    if path.startswith(_PARAMETER):
        path = values.get(path.removeprefix(_PARAMETER)) or ""
    if not path:
        return None
    try:
        value = reply if path == "$" else compile_path(path).first(reply)
    except PathSyntaxError as error:
        raise UnexpectedReply(f"The JSONPath '{path}' cannot be parsed: {error}.") from None
    return None if value is ABSENT else value


Roots = Mapping[str, Any]


class DeclaredRequest:
    """A declared request, compiled, as it goes through one connection."""

    def __init__(self, template: RequestTemplate, servers: Servers) -> None:
        parts = {"query": template.query, "headers": template.headers, "json": template.body}
        parts |= {"form": template.form, "parts": template.multipart}
        poll = template.poll
        self.template = template
        self.command = servers.command
        self.values = servers.opened.values
        self._path = compile_path_template(template.path)
        self._moved = None if template.moved is None else compile_path_template(template.moved.path)
        self._fills = {name: compile_value(part) for name, part in parts.items() if part}
        self._requires = [(path, compile_path(path)) for path in template.requires]
        self._manifest = servers.opened.manifest
        self._transform = None if template.transform is None else compile_value(template.transform)
        self._verdicts = None if self.command.results is None else ItemVerdicts(self.command.results)
        self._poll_path = None if poll is None or poll.path is None else compile_path_template(poll.path)

    def outgoing(self, roots: Roots, deadline: float) -> OutgoingRequest:
        """Return the request with these values in it; each has an idempotency key of its own.

        Raises InvalidInput for a value that the request requires, and that is not there.
        """
        for text, path in self._requires:
            if path.first(roots) in (ABSENT, None, ""):
                raise self._lacking(text)
        filled = {name: value for name, fill in self._fills.items() if (value := fill(roots)) is not ABSENT}
        template = self.template
        outgoing = OutgoingRequest(
            template.method, self._path(roots), deadline=deadline, idempotent=template.idempotent, **filled
        )
        if template.idempotency_key is None:
            return outgoing
        headers = {**outgoing.headers, template.idempotency_key: str(uuid.uuid4())}
        return replace(outgoing, headers=headers, idempotent=True)

    def _lacking(self, path: str) -> InvalidInput:
        _, root, name, *_ = *re.split(r"[.\[]", path), ""
        if root != "connection":
            schema = self.command.input.get("properties", {}).get(name, {})
            return InvalidInput(schema.get("title", name), "The request needs it, and it is not there.")
        schema = self._manifest.connection["properties"].get(name, {})
        how = f"--secret {name}=-" if schema.get("writeOnly") else f"--set {name}=…"
        reason = f"The connection has none, and {self.command.title} needs one."
        return InvalidInput(schema.get("title", name), reason, f"Add it: connector-host connections edit NAME {how}")

    async def items(self, call: RunningCall, roots: Roots, deadline: float) -> list[Item]:
        """Return what came of the request: one item, or with verdicts inside the answer those that failed as well."""
        reply = await self._reply(call, roots, deadline)
        shaped = self._shaped(roots, reply)
        if self._verdicts is None:
            return [Item(None, shaped)]
        failed, good = self._verdicts.failures(reply, {**roots, "reply": reply})
        if good or not failed:
            return [Item(None, shaped), *failed]
        first = failed[0]
        return [Item(first.key, shaped, first.value), *failed[1:]]

    async def _reply(self, call: RunningCall, roots: Roots, deadline: float) -> Any:
        """Return the reply, once the product is done with it."""
        template = self.template
        outgoing = self.outgoing(roots, deadline)
        try:
            reply = await call.value(outgoing, template.server)
        except ApiError as error:
            reply = await call.value(self._at_new_place(error, outgoing, roots), template.server)
        if template.poll is not None:
            path = None if self._poll_path is None else self._poll_path({**roots, "reply": reply})
            again = outgoing if path is None else OutgoingRequest("GET", path, deadline=deadline)
            first = None if path is not None else reply
            reply = await polled(call, again, template.server, template.poll, first)
        return reply

    async def pages(self, call: RunningCall, roots: Roots, deadline: float) -> AsyncIterator[Page]:
        """Read the list page by page."""
        outgoing = self.outgoing(roots, deadline)
        try:
            async for page in self._listed(call, roots, outgoing):
                yield page
        except ApiError as error:  # of the first page: those of later ones end the list
            elsewhere = self._at_new_place(error, outgoing, roots)
            call.ask_elsewhere()
            async for page in self._listed(call, roots, elsewhere):
                yield page

    async def _listed(self, call: RunningCall, roots: Roots, outgoing: OutgoingRequest) -> AsyncIterator[Page]:
        template = self.template
        async for page in call.listing(outgoing, template.server, template.collect or "", template.paging):
            if self._transform is None:
                yield page
            else:
                yield Page([self._shaped(roots, record) for record in page.records], clean=page.clean)

    def _at_new_place(self, error: ApiError, outgoing: OutgoingRequest, roots: Roots) -> OutgoingRequest:
        """Return the request to where the manifest says that a thing moved; raises the refusal where it does not."""
        moved, failure = self.template.moved, error.failure
        if moved is None or self._moved is None or moved.says not in f"{failure.message} {failure.detail}":
            raise error
        return replace(outgoing, path=self._moved(roots))

    async def item(self, call: RunningCall, roots: Roots, deadline: float, element: Any) -> Item:
        """Answer for one element of a fan-out."""
        roots = {**roots, "item": element}
        if self.command.collect is None:
            first, *others = await self.items(call, roots, deadline)
            errors = [one.value for one in others]
            failure = first.failure or next(iter(errors), None)
            return Item(item_name(element), first.value, failure)
        pages = [page async for page in self.pages(call, roots, deadline)]
        records = [record for page in pages for record in page.records]
        return Item(item_name(element), Page(records, clean=all(page.clean for page in pages)))

    def _shaped(self, roots: Roots, reply: Any) -> Any:
        if self._transform is None:
            return reply
        value = self._transform({**roots, "reply": reply})
        return reply if value is ABSENT else value  # what came in another wrapper is kept as it came


class RequestRunner:
    """The runner of commands that need no Python."""

    def __init__(self, _surroundings: Surroundings) -> None:
        """Make one; it needs nothing."""

    def prepare(self, command: Command, opened: OpenConnection) -> Body:
        """Return what sends the request that the manifest declares."""
        assert command.request is not None  # noqa: S101 - chosen for commands with a request
        servers = Servers(command, opened)
        declared = DeclaredRequest(command.request, servers)

        async def body(invocation: Invocation, output: CommandOutput) -> None:
            await with_call(servers, invocation, output, lambda call: _run(declared, call, invocation, output))

        return body

    async def close(self) -> None:
        """Nothing is kept."""


async def _run(declared: DeclaredRequest, call: RunningCall, invocation: Invocation, output: CommandOutput) -> None:
    command, inputs, deadline = declared.command, invocation.inputs, invocation.deadline
    roots = {"input": inputs, "connection": declared.values}
    if command.each is not None:
        elements, most = inputs[command.each], invocation.concurrency
        await fan_out(elements, most, output, lambda element: declared.item(call, roots, deadline, element))
    elif command.collect is not None:
        async for page in declared.pages(call, roots, deadline):
            output.add(page)
    else:
        for item in await declared.items(call, roots, deadline):
            if command.credential is not None:
                value = handed_out(command.credential, str(inputs["field"]), declared.values, item.value)
                item = replace(item, value=value)  # noqa: PLW2901 - there is one
            output.add(item)
