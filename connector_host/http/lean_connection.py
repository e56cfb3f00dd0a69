"""One connection of the lean transport: llhttp reads one answer at a time, strictly and within bounds."""

import asyncio
from typing import Any

import httptools

from connector_host.http import faults
from connector_host.http.transport import Bounds, Unpacking
from connector_host.model.invocation_errors import InvocationError


class LeanConnection(asyncio.Protocol):
    """A socket, the parser of the answer that it waits for, and the clock of both.

    `reusable` says after an answer whether another may be asked for: nothing came that was not asked for, and
    nothing is left in either direction.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, bounds: Bounds) -> None:
        self.loop = loop
        self.idle_since = 0.0
        self.reusable = False
        self.transport: Any = None
        self.below: Any = None  # the transport that TLS writes to
        self.proxy = ""  # host and port of the one it goes through
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._host = host
        self._bounds = bounds
        self._answer: asyncio.Future[None] | None = None

    def ask(self, message: bytes, until: float, *, head_only: bool) -> asyncio.Future[None]:
        """Write a request; the future ends with the answer, or with what went wrong. `until` is in loop seconds."""
        self.headers = {}
        self._parts: list[bytes] = []
        self.status = self._came = self._body = self._named = 0
        self.reusable = self._chunked = self._headed = False
        self._length: bytes | None = None
        self._unpacking: Unpacking | None = None
        self._head_only = head_only
        self._parser = httptools.HttpResponseParser(self)
        self._until, self._moved = until, self.loop.time()
        self._answer = self.loop.create_future()
        if self.transport.is_closing():  # closed before anything was asked, and nobody will say so again
            self._answer.set_exception(faults.closed(self._host))
        else:
            self.transport.write(message)
        self._unsent = self._to_send()
        self._timer = self.loop.call_at(self._next_look(), self._look)
        return self._answer

    def body(self) -> bytes:
        """Return the answer's body, unpacked."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def abort(self) -> None:
        """Close at once."""
        self.reusable = False
        self.transport.abort()

    def let_go(self) -> None:
        """End the wait for an answer, however it ended."""
        self._timer.cancel()
        self._answer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Read on; what comes unasked ends the connection, since nobody can say what it answers."""
        if self._answer is None or self._answer.done():
            self.abort()
            return
        self._moved = self.loop.time()
        self._came += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(faults.no_http(self._host, "It changes to another protocol."))
        except httptools.HttpParserError as error:
            told = error.__context__
            self._fail(told if isinstance(told, InvocationError) else faults.no_http(self._host, str(error)))
        else:
            if not self._answer.done() and self._overhead() > 0:
                self._fail(self._too_much())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits; an answer without a length ends with its connection."""
        self.reusable = False
        if self._answer is None or self._answer.done():
            return
        if exc is None and self._headed and not self._chunked and self._length is None:
            try:
                self._finish(reusable=False)
            except InvocationError as error:
                self._fail(error)
        else:
            self._fail(faults.broken(self._host, exc or "It ended early.") if self._came else faults.closed(self._host))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are read, counted and dropped."""
        self._named += len(name) + len(value) + 4
        if self._named > self._bounds.overhead_bytes or len(self.headers) >= self._bounds.headers:
            raise self._too_much()
        if self._headed:
            return
        name = name.lower()
        if name == b"content-length":
            if self._length not in {None, value}:
                raise faults.no_http(self._host, "It gives two lengths.")
            self._length = value
        elif name == b"transfer-encoding":
            if self._chunked or value.strip().lower() != b"chunked":  # llhttp would take any other for no body
                raise faults.no_http(self._host, "It is framed in an unknown way.")
            self._chunked = True
        known = self.headers.get(name)
        self.headers[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        """Judge the head before anything of the body; interim answers are dropped."""
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004 - RFC 9110, 15.2
            self._named += 64
            if status == 101:  # noqa: PLR2004 - RFC 9110, 15.2.2
                raise faults.no_http(self._host, "It changes to another protocol.")
            self.headers, self._length, self._chunked = {}, None, False
            return
        if self._headed:
            raise faults.no_http(self._host, "It gives a second answer.")
        self.status, self._headed = status, True
        bodiless = self._head_only or status in {204, 304}
        if self._length is not None and int(self._length) > self._bounds.wire_bytes and not bodiless:
            raise faults.too_large("announces", int(self._length), status)
        coding = self.headers.get(b"content-encoding", b"").decode("latin-1")
        self._unpacking = Unpacking(coding, status, self._bounds.body_bytes)
        if self._head_only:
            self._finish(reusable=False)  # llhttp does not know that no body follows

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        if self._answer is None or self._answer.done() or self._unpacking is None:
            return
        if self._body > self._bounds.wire_bytes:
            raise faults.too_large("is over", self._bounds.wire_bytes, self.status)
        self._parts.append(self._unpacking.feed(body))

    def on_message_begin(self) -> None:
        """Notice an answer to nothing behind the one that was asked for."""
        if self._answer is not None and self._answer.done():
            self.reusable = False

    def on_message_complete(self) -> None:
        """End the answer, unless it was an interim one."""
        if self._headed and self._answer is not None and not self._answer.done():
            self._finish(reusable=self._parser.should_keep_alive())

    def _finish(self, *, reusable: bool) -> None:
        if self._overhead() > 0 and not self._head_only:
            raise self._too_much()
        if self._unpacking is not None and not self._head_only:
            self._unpacking.end()
        self.reusable = reusable and self._to_send() == 0
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def _fail(self, error: Exception) -> None:
        self.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _overhead(self) -> int:
        """Bytes over what may come beside the body; a body in small chunks may take as many again as it has."""
        return self._came - self._body - self._bounds.overhead_bytes - self._body

    def _too_much(self) -> InvocationError:
        return faults.too_large("has beside its body over", self._bounds.overhead_bytes, self.status or None)

    def _to_send(self) -> int:
        """Bytes that wait to be sent, those that are encrypted already among them."""
        below = 0 if self.below is None else self.below.get_write_buffer_size()
        return int(self.transport.get_write_buffer_size() + below)

    def _next_look(self) -> float:
        return min(self._until, self._moved + self._bounds.read_seconds)

    def _look(self) -> None:
        """One timer for both clocks: the deadline, and the time in which nothing moved in either direction."""
        now, unsent = self.loop.time(), self._to_send()
        if unsent < self._unsent:
            self._unsent, self._moved = unsent, now
        if now >= self._until:
            self._fail(faults.deadline_over(self._host))
        elif now >= self._moved + self._bounds.read_seconds:
            self._fail(faults.silent(self._host))
        else:
            self._timer = self.loop.call_at(self._next_look(), self._look)
