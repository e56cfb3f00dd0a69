"""Answers changed and cut at random, read by the lean wire and by h11: one outcome always, and the same where both read.

`FUZZ_SECONDS` says for how long each seed runs; a few seconds here, a minute in CI.
"""

import asyncio
import gzip
import os
import random
import time
import zlib
from typing import Any

import h11
import pytest

from connector_host.http.lean_connection import LeanConnection
from connector_host.http.lean_transport import _origin, _written
from connector_host.http.transport import Bounds
from connector_host.model.invocation_errors import InvocationError, RequestRefused
from connector_host.ports.parts import Request

SECONDS = float(os.environ.get("FUZZ_SECONDS", "4"))
SEEDS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nbody till close",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0),
    b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nzz",
]
PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"Content-Length: 3\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", b"5\r\n",
    b"ffffffffffffffff\r\n", b"-1", b"+", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\x80\xff", b";",
    b",", b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", b"Content-Encoding: deflate\r\n",
]  # fmt: skip
BOUNDS = Bounds(wire_bytes=1 << 16, body_bytes=1 << 16)


def changed(dice: random.Random) -> bytes:
    data = bytearray(dice.choice(SEEDS))
    if dice.random() < 0.25:
        data += dice.choice(SEEDS)
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3, 5))):
        place, kind = dice.randrange(len(data) + 1), dice.random()
        if kind < 0.3 and data:
            data[min(place, len(data) - 1)] = dice.randrange(256)
        elif kind < 0.6:
            data[place:place] = dice.choice(PIECES)
        elif kind < 0.8:
            del data[place : place + dice.choice((1, 2, 5, 20))]
        else:
            other = dice.randrange(len(data) + 1)
            data[place:place] = data[min(place, other) : max(place, other)][:60]
    return bytes(data)


class NoSocket:
    """Where the connection's bytes go in this test: nowhere."""

    closed = False

    def write(self, _data: bytes) -> None:
        pass

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0


Outcome = tuple[Any, ...]


def read_by_wire(
    loop: asyncio.AbstractEventLoop, data: bytes, cuts: list[int], *, head_only: bool
) -> tuple[Outcome, bool]:
    """How the wire reads an answer that comes in pieces; and whether it would use the connection again."""
    connection, transport, begin = LeanConnection(loop, "h", BOUNDS), NoSocket(), 0
    connection.connection_made(transport)  # type: ignore[arg-type]
    answer = connection.ask(b"", loop.time() + 60, head_only=head_only)
    for cut in [*cuts, len(data)]:
        if cut > begin and not transport.closed:
            connection.data_received(data[begin:cut])
            begin = cut
    reusable = connection.reusable
    if not transport.closed or not answer.done():
        connection.connection_lost(None)
    assert answer.done(), "an outcome, always"
    connection.let_go()
    error = answer.exception()
    if error is not None:
        assert isinstance(error, InvocationError), repr(error)
        return ("fault",), False
    return ("read", connection.status, connection.body()), reusable


def read_by_h11(data: bytes, *, head_only: bool) -> tuple[Outcome, bool]:
    """How h11 reads the whole of it; and whether bytes are left over."""
    reader, status, body, headers = h11.Connection(h11.CLIENT), 0, b"", {}
    reader.send(h11.Request(method="HEAD" if head_only else "GET", target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())
    ended = False
    try:
        reader.receive_data(data)
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                if ended:
                    return ("fault",), False
                reader.receive_data(b"")
                ended = True
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                return ("fault",), False
    except h11.RemoteProtocolError:
        return ("fault",), False
    if headers.get(b"content-encoding", b"").strip().lower() in {b"gzip", b"deflate"}:
        body = zlib.decompressobj(47).decompress(body)
    return ("read", status, body), bool(reader.trailing_data[0].strip(b"\r\n"))


@pytest.mark.timeout(60 + 5 * SECONDS)  # it counts CPU time, the timeout the clock's
@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_the_wire_reads_as_h11_reads_or_refuses(seed: int) -> None:
    async def fuzz() -> dict[str, int]:
        loop, dice, told = asyncio.get_running_loop(), random.Random(seed), {"both": 0, "refused": 0, "wire alone": 0}
        until = time.process_time() + SECONDS
        while time.process_time() < until:
            data, head_only = changed(dice), dice.random() < 0.1
            cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.choice((0, 0, 1, 2, len(data)))))
            ours, reusable = read_by_wire(loop, data, cuts, head_only=head_only)
            whole, _ = read_by_wire(loop, data, [], head_only=head_only)
            assert ours == whole or "fault" in {ours[0], whole[0]}, ("read by its cuts", data, cuts)
            if ours[0] == "fault":
                told["refused"] += 1
                continue
            theirs, left_over = read_by_h11(data, head_only=head_only)
            if theirs[0] == "fault":
                told["wire alone"] += 1
                continue
            told["both"] += 1
            assert ours == theirs, data
            assert not (reusable and left_over), ("kept, with surplus", data.hex(), cuts)
        return told

    told = asyncio.run(fuzz())
    assert told["both"] > 100
    assert told["refused"] > 100
    assert told["wire alone"] < 0.05 * told["both"], told


LETTERS = [*"abcXYZ019-_:/?#[]@!$&'()*+,;=%. ", "\r\n", "\n", "\r", "\0", "\t", "\x7f", "\x85", "\u2028", "é", "Ā", "\ud800",
           "\x0b", "\x0c", "\x1c", "HTTP/1.1", "Content-Length: 0", "Transfer-Encoding: chunked", "Host: x"]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_what_goes_out_is_one_request_as_h11_reads_it_or_nothing(seed: int) -> None:
    dice, sent, refused = random.Random(seed), 0, 0

    def some(most: int) -> str:
        return "".join(dice.choice(LETTERS) for _ in range(dice.randrange(most)))

    for _ in range(15_000):
        method = dice.choice(["GET", "POST", "PUT", some(6)])
        netloc, target = dice.choice(
            [("h.test", f"a{some(8)}"), (f"h.test{some(4)}", ""), ("h.test:80", f"x?{some(8)}")]
        )
        headers = {dice.choice(["X-A", "Accept", some(8)]): dice.choice(["v", some(10)]) for _ in range(2)}
        body = dice.choice([None, b"{}"])
        try:
            _origin("http", netloc)
            request = Request(method, f"http://{netloc}/{target}", "api", headers, body)
            written = _written(request, netloc, target)
        except RequestRefused:
            refused += 1
            continue
        sent += 1
        reader = h11.Connection(h11.SERVER)
        reader.receive_data(written)
        event = reader.next_event()
        assert isinstance(event, h11.Request), written
        assert event.method.decode() == method
        names = {name.decode() for name, _ in event.headers}
        assert names - {name.lower() for name in headers} <= {"host", "content-length"}, written
        got = b""
        while isinstance(event := reader.next_event(), h11.Data):
            got += bytes(event.data)
        assert isinstance(event, h11.EndOfMessage)
        assert got == (body or b"")
        assert not reader.trailing_data[0]
    assert min(sent, refused) > 1000
