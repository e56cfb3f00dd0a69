"""Runs an author's functions: async ones on the event loop, plain ones in threads; a bug is one item's failure."""

import importlib
import inspect
import json
import logging
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import anyio.from_thread
import anyio.to_thread
from msgspec import Struct
from msgspec.structs import replace

from connector_host.model.authoring import Item, Page, item_name
from connector_host.model.boundary import authors_code
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import Invocation
from connector_host.model.invocation_errors import CommandBug, InvocationError
from connector_host.model.manifest import Command, Manifest
from connector_host.ports.parts import Body, CommandOutput, OpenConnection, Surroundings
from connector_host.running.call import BlockingCall, Servers, with_call
from connector_host.running.fanout import fan_out

_PACKAGE = "connector_host_plugins"


def plugin_module(manifest: Manifest, name: str) -> ModuleType:
    """Return the module `name` of the plugin's folder; its siblings are reached by relative imports."""
    package = f"{_PACKAGE}.{manifest.id}"
    _ensure_package(_PACKAGE, None)
    known = sys.modules.get(package)
    if known is not None and list(known.__path__) != [str(manifest.root)]:
        for stale in [module for module in sys.modules if module == package or module.startswith(f"{package}.")]:
            del sys.modules[stale]
    _ensure_package(package, manifest.root)
    return importlib.import_module(f"{package}.{name}")


def _ensure_package(name: str, folder: Path | None) -> None:
    if name not in sys.modules:
        module = ModuleType(name)
        module.__path__ = [str(folder)] if folder else []
        sys.modules[name] = module


def plain_item(given: Any) -> Item | Page:
    """Return what an author gave as an item, or as a page; raises CommandBug for what JSON has no word for.

    A page that came whole from the server, and is vouched for, is taken as it is.
    """
    if isinstance(given, Page):
        return _page(given)
    item = given if isinstance(given, Item) else Item(None, given)
    if isinstance(item.value, InvocationError):
        return item
    return replace(item, value=_page(item.value) if isinstance(item.value, Page) else _plain(item.value))


def _page(page: Page) -> Page:
    return page if page.clean else replace(page, records=_plain(page.records))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise CommandBug(
            "The command's own code gave what is not JSON.",
            detail=f"{error}.",
            assistance="Report it to the plugin's author: text, numbers, lists and objects can be given.",
        ) from error


log = logging.getLogger("connector_host.plugins")


class FunctionRun(Guarded, frozen=True, eq=False):
    """One run of an author's function: whose it is, what goes in, and where what comes out goes."""

    hidden: ClassVar[frozenset[str]] = frozenset(["inputs"])

    plugin: str
    version: str
    command: str
    each: str | None
    inputs: Mapping[str, Any]
    concurrency: int
    output: CommandOutput


class PythonRunner:
    """The runner of commands whose logic is real."""

    def __init__(self, _surroundings: Surroundings) -> None:
        """Make one; it needs nothing."""

    def prepare(self, command: Command, opened: OpenConnection) -> Body:
        """Return what calls the function of the command's name, once or once per element."""
        manifest, servers = opened.manifest, Servers(command, opened)
        with author_boundary(manifest.id, manifest.version, command.id):
            function = function_of(manifest, command.id)

        async def body(invocation: Invocation, output: CommandOutput) -> None:
            run = FunctionRun(
                manifest.id,
                manifest.version,
                command.id,
                command.each,
                invocation.inputs,
                invocation.concurrency,
                output,
            )
            await with_call(servers, invocation, output, lambda call: run_function(run, function, call))

        return body

    async def close(self) -> None:
        """Nothing is kept."""


class AuthorsFunction(Struct, frozen=True, eq=False):
    """A function marked with @command, and of which kind it is; parameters named `class_` take the input `class`."""

    call: Callable[..., Any]
    streams: bool
    waits: bool
    keywords: Mapping[str, str]


def function_of(manifest: Any, command: str) -> AuthorsFunction:
    """Return a command's function; importing it runs the plugin's code."""
    function = getattr(plugin_module(manifest, "commands"), command)
    keywords = {name[:-1]: name for name in inspect.signature(function).parameters if iskeyword(name[:-1])}
    streams, waits = inspect.isasyncgenfunction(function), inspect.iscoroutinefunction(function)
    return AuthorsFunction(function, streams, waits, keywords)


async def run_function(run: FunctionRun, function: AuthorsFunction, call: Any) -> None:
    """Run the author's function with a call."""
    if run.each is None:
        await _run_once(run, function, call, _arguments(run, function))
    else:
        elements = run.inputs[run.each]
        await fan_out(elements, run.concurrency, run.output, lambda one: run_for_one(run, function, call, one))


def _arguments(run: FunctionRun, function: AuthorsFunction) -> dict[str, Any]:
    inputs = {name: value for name, value in run.inputs.items() if name != run.each}
    return {function.keywords.get(name, name): value for name, value in inputs.items()}


async def _run_once(run: FunctionRun, function: AuthorsFunction, call: Any, inputs: Mapping[str, Any]) -> None:
    with author_boundary(run.plugin, run.version, run.command):
        if function.streams:
            async for item in function.call(call, **inputs):
                run.output.add(plain_item(item))
        elif function.waits:
            run.output.add(plain_item(await function.call(call, **inputs)))
        else:
            await _in_thread(run, partial(_drain, run, function.call, BlockingCall(call), inputs))


async def run_for_one(run: FunctionRun, function: AuthorsFunction, call: Any, item: Any) -> Item:
    """Run the author's function for one element of a fan-out."""
    others = _arguments(run, function)
    with author_boundary(run.plugin, run.version, run.command):
        if function.waits:
            value = await function.call(call, item, **others)
        else:
            value = await _in_thread(run, partial(function.call, BlockingCall(call), item, **others))
        made = plain_item(value)
    return Item(item_name(item), made) if isinstance(made, Page) else replace(made, key=item_name(item))


def _drain(run: FunctionRun, function: Callable[..., Any], call: BlockingCall, inputs: Mapping[str, Any]) -> None:
    """Run in the worker thread; each item is handed to the event loop as it comes."""
    made = function(call, **inputs)
    for item in made if isinstance(made, Iterator) else (made,):
        anyio.from_thread.run_sync(run.output.add, plain_item(item))


async def _in_thread(run: FunctionRun, work: Callable[[], Any]) -> Any:
    """Run in a thread; one that does not heed the deadline is left behind; the invocation ends without it."""
    limiter = anyio.CapacityLimiter(run.concurrency)
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)


def author_boundary(plugin: str, version: str, command: str) -> AbstractContextManager[None]:
    """Return the boundary: a bug in an author's code becomes a failure with a reference number."""

    def told(error: BaseException) -> CommandBug:
        reference = secrets.token_hex(4).upper()
        log.error("Reference %s: %s %s failed", reference, plugin, command, exc_info=error)
        return CommandBug(
            f"The command's own code failed (reference {reference}).",
            detail=f"{type(error).__name__} in plugin {plugin} {version}.",
            assistance="Report the reference number to the plugin's author; the host's log holds the details.",
            reference=reference,
        )

    return authors_code(told)
