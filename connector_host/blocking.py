"""The host for programs without an event loop: Flask, Django, Celery, threads, scripts.

`open_host()` gives the host's face as plain functions, for as long as the program lives; `run_once()` opens the host,
runs one command, and closes it. Both do their work on an event loop in a thread of their own.
"""

import atexit
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from inspect import getattr_static, isfunction
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, cast

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from connector_host.app import open_host as open_async
from connector_host.configuration import DEFAULT, Configuration
from connector_host.host.host import Host, Session
from connector_host.model.caller import Caller
from connector_host.model.errors import StoreError
from connector_host.model.invocation import UNRECORDED, Options
from connector_host.model.result import Result

if TYPE_CHECKING:
    from connector_host.blocking_face import BlockingHost

_LEFT_BEHIND: list[object] = []  # a parent's hosts: what they hold open is the parent's, and is never closed here


def open_host(configuration: Configuration = DEFAULT) -> "BlockingHost":
    """Open a host until the program ends, or for the time of a `with`; its methods may be called from any thread.

    Each method does what the async face's does, waits for it, and raises what that raises. After a fork the child's
    first call opens the host anew, so that it can be opened before a server forks its workers. Raises as
    connector_host.open_host() does; a call from a coroutine stops its event loop for as long as it takes.
    """
    opened = _OpenHost(configuration)
    opened.live()  # so that what is wrong with the settings is told here
    return cast("BlockingHost", opened)


class _OpenHost:
    """A host on a loop of its own, opened anew where the process was forked."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._live: _Live | None = None
        self._closed = False
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def plugins(self) -> Any:
        return self.live().host.plugins

    def acting_for(self, caller: Caller) -> "_Waiting":
        return _Waiting(self, lambda host: host.acting_for(caller), Session)

    def as_operator(self) -> "_Waiting":
        return _Waiting(self, Host.as_operator, Session)

    def live(self) -> "_Live":
        """Return the host that is open in this process."""
        if self._process != os.getpid():
            _LEFT_BEHIND.append(self._live)
            self._process, self._lock, self._live = os.getpid(), threading.Lock(), None
        with self._lock:
            if self._closed:
                raise StoreError("The host is closed: open it again, with open_host().")
            if self._live is None:
                self._live = _Live(self._configuration)
            return self._live

    def close(self) -> None:
        if self._closed or self._process != os.getpid():
            return
        with self._lock:
            self._closed = True
            atexit.unregister(self.close)
            if self._live is not None:
                self._live.close()


class _Live:
    """An event loop in a thread, with the host open on it."""

    def __init__(self, configuration: Configuration) -> None:
        ready: SimpleQueue[BlockingPortal] = SimpleQueue()
        # not a thread of an executor: those are waited for before anything registered with atexit runs
        thread = threading.Thread(target=anyio.run, args=(_stay, ready), daemon=True)
        thread.start()
        self._portal = ready.get()
        with ExitStack() as closing:
            closing.callback(thread.join)
            closing.callback(self._portal.call, partial(self._portal.stop, cancel_remaining=True))
            self.host = closing.enter_context(self._portal.wrap_async_context_manager(open_async(configuration)))
            self.close = closing.pop_all().close

    def do(self, work: Callable[[], Any]) -> Any:
        """Do work on the loop, and wait for it; who is interrupted takes the work along."""
        future = self._portal.start_task_soon(work)
        try:
            return future.result()
        finally:
            future.cancel()


async def _stay(ready: SimpleQueue[BlockingPortal]) -> None:
    async with BlockingPortal() as portal:
        ready.put(portal)
        await portal.sleep_until_stopped()


class _Waiting:
    """A session, or what hangs on one, whose methods wait; it is found anew for each call, as the host may be."""

    def __init__(self, opened: _OpenHost, find: Callable[[Host], Any], kind: type) -> None:
        self._opened, self._find, self._kind = opened, find, kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self._kind, name):
            raise AttributeError(f"'{self._kind.__name__}' has no '{name}'.")
        if isfunction(getattr_static(self._kind, name)):
            return partial(self._call, name)
        live = self._opened.live()
        noun = live.do(lambda: getattr(self._find(live.host), name))
        if not type(noun).__module__.startswith("connector_host.host"):
            return noun  # a plain value
        return _Waiting(self._opened, lambda host: getattr(self._find(host), name), type(noun))

    def _call(self, name: str, *given: Any, **named: Any) -> Any:
        live = self._opened.live()
        return live.do(lambda: getattr(self._find(live.host), name)(*given, **named))


def run_once(
    plugin: str,
    command: str,
    values: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    options: Options = UNRECORDED,
    configuration: Configuration = DEFAULT,
) -> Result:
    """Run one command with a connection's values, and return its result; nothing of them is stored.

    It acts for the operator. May be called from any thread, and beside a running event loop, which then waits.
    Raises as Session.run_with() does.
    """

    async def go() -> Result:
        async with open_async(configuration) as host:
            return await host.as_operator().run_with(plugin, command, values, inputs, options=options)

    with start_blocking_portal() as portal:
        return portal.call(go)
