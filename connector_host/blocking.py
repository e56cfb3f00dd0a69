"""The host for programs without an event loop: Flask, Django, Celery, threads, scripts.

`open_host()` gives the host's face as plain functions, for as long as the program lives; `run_once()` opens the host,
runs one command, and closes it. Both do their work on an event loop in a thread of their own.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from functools import partial
from inspect import getattr_static, isfunction
from typing import TYPE_CHECKING, Any, Self, cast
from weakref import WeakSet

from connector_host.app import open_host as open_async
from connector_host.configuration import DEFAULT, Configuration
from connector_host.host.host import Host
from connector_host.host.session import Session
from connector_host.model.caller import Caller
from connector_host.model.errors import StoreError, WrongProcess
from connector_host.model.invocation import UNRECORDED, Options
from connector_host.model.result import Result
from connector_host.portals import portal_to_a_loop

if TYPE_CHECKING:
    from connector_host.blocking_face import BlockingHost

LONGEST_WAIT = 0.5  # seconds that a fork waits for calls under way
_OPEN: WeakSet["_OpenHost"] = WeakSet()  # those that a fork must know of
_LEFT_BEHIND: list[object] = []  # a parent's hosts: what they hold open is the parent's, and is never closed here


def open_host(configuration: Configuration = DEFAULT) -> "BlockingHost":
    """Open a host until the program ends, or for the time of a `with`; its methods may be called from any thread.

    Each method does what the async face's does, waits for it, and raises what that raises; StoreError where the host
    was closed in the meantime. It can be opened before a server forks its workers: it is closed for the moment of the
    fork, and opened anew by the next call on either side. A fork while a call is under way leaves the parent as it is;
    the child's calls raise WrongProcess. Raises as connector_host.open_host() does; a call from a coroutine stops its
    event loop for as long as it takes.
    """
    opened = _OpenHost(configuration)
    opened.live()  # so that what is wrong with the settings is told here
    return cast("BlockingHost", opened)


class _OpenHost:
    """A host on a loop of its own, opened anew where the process was forked."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._lock = threading.RLock()  # a signal's handler may close the host while its thread opens it
        self._live: _Live | None = None
        self._closed = self._torn = False
        _OPEN.add(self)
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
        """Return the host that is open in this process; raises StoreError, WrongProcess."""
        with self._lock:
            if self._torn:
                raise WrongProcess(
                    "A call was under way in another thread when this process was forked. Fork before threads use the "
                    "host, or open one of your own after the fork, with open_host()."
                )
            if self._live is None and not self._closed:
                self._live = _Live(self._configuration)
            if self._closed or self._live is None:
                self.close()
                raise _closed()
            return self._live

    def do(self, work: Callable[[Host], Any]) -> Any:
        """Do work on the host's loop, and wait for it; who is interrupted takes the work along."""
        with self._lock:
            live = self.live()
            future = live.begin(work)
        try:
            return future.result()
        except CancelledError:
            if self._closed:
                raise _closed() from None
            raise
        finally:
            future.cancel()
            live.ended()

    def close(self) -> None:
        self._closed = True
        with self._lock:
            atexit.unregister(self.close)
            live, self._live = self._live, None
        if live is not None:
            live.close()

    def before_fork(self) -> None:
        """Let nothing open cross a fork: SQLite and its locks know nothing of two processes.

        Short calls under way are waited for.
        """
        self._lock.acquire()
        until = time.monotonic() + LONGEST_WAIT
        while self._live is not None and self._live.calls and time.monotonic() < until:
            time.sleep(0.001)
        if self._live is not None and not self._live.calls:
            self._live.close()
            self._live = None

    def in_parent(self) -> None:
        self._lock.release()

    def in_child(self) -> None:
        if self._live is not None:  # a call was under way
            _LEFT_BEHIND.append(self._live)
            self._live, self._torn = None, True
        self._lock.release()


def _closed() -> StoreError:
    return StoreError("The host is closed: open it again, with open_host().")


def _each(told: "Callable[[_OpenHost], None]") -> None:
    for one in list(_OPEN):
        told(one)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=partial(_each, _OpenHost.before_fork),
        after_in_parent=partial(_each, _OpenHost.in_parent),
        after_in_child=partial(_each, _OpenHost.in_child),
    )


class _Live:
    """An event loop in a thread, with the host open on it; `calls` are those under way."""

    def __init__(self, configuration: Configuration) -> None:
        self.calls = 0
        self._counting = threading.Lock()
        with ExitStack() as closing:
            self._portal = portal_to_a_loop(closing)
            self.host = closing.enter_context(self._portal.wrap_async_context_manager(open_async(configuration)))
            self.close = closing.pop_all().close

    def begin(self, work: Callable[[Host], Any]) -> Future[Any]:
        """Begin work on the loop."""
        with self._counting:
            self.calls += 1
        return self._portal.start_task_soon(work, self.host)

    def ended(self) -> None:
        """Count one call as ended."""
        with self._counting:
            self.calls -= 1


class _Waiting:
    """A session, or what hangs on one, whose methods wait; it is found anew for each call, as the host may be."""

    def __init__(self, opened: _OpenHost, find: Callable[[Host], Any], kind: type) -> None:
        self._opened, self._find, self._kind = opened, find, kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not hasattr(self._kind, name):
            raise AttributeError(f"'{self._kind.__name__}' has no '{name}'.")
        if isfunction(getattr_static(self._kind, name)):
            return partial(self._call, name)
        noun = self._opened.do(lambda host: getattr(self._find(host), name))
        if not type(noun).__module__.startswith("connector_host.host"):
            return noun  # a plain value
        return _Waiting(self._opened, lambda host: getattr(self._find(host), name), type(noun))

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._kind) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<blocking {self._kind.__name__}>"

    def _call(self, name: str, *given: Any, **named: Any) -> Any:
        found = self._opened.do(lambda host: getattr(self._find(host), name)(*given, **named))
        return _WaitingStream(self._opened, found) if hasattr(found, "__anext__") else found


class _WaitingStream:
    """A stream whose next waits for what comes."""

    def __init__(self, opened: _OpenHost, stream: Any) -> None:
        self._opened, self._stream = opened, stream

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self._opened.do(lambda _: self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Read no more."""
        self._opened.do(lambda _: self._stream.aclose())


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

    with ExitStack() as closing:
        return portal_to_a_loop(closing).call(go)
