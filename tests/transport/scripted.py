"""A server that answers as its path says, byte by byte, and remembers what it saw; with a proxy, and TLS of all kinds."""

import asyncio
import base64
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.transport.certificates import Authority

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
LOGIN = "us er:p@ss"
BOMB = b"\0" * (100 << 20)


def answer(body: bytes = b"ok", head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


def chunked(*chunks: bytes, head: bytes = b"", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%s0\r\n%s\r\n" % (head, body, trailers)


def headed(*lines: bytes, body: bytes = b"ok") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", body])


FIXED = {
    "ok": answer(),
    "surplus": answer() + answer(b"EVIL"),
    "length, then chunked": headed(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "chunked, then length": headed(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"2\r\nok\r\n0\r\n\r\n"),
    "two lengths": headed(b"Content-Length: 2", b"Content-Length: 7", body=b"ok12345"),
    "two lengths in one": headed(b"Content-Length: 2, 7", body=b"ok12345"),
    "a length with a sign": headed(b"Content-Length: +2"),
    "a length beyond numbers": headed(b"Content-Length: 99999999999999999999999999"),
    "a length over the bound": headed(b"Content-Length: 999999999"),
    "an unknown framing": headed(b"Transfer-Encoding: xchunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "a framing with an odd letter": headed(b"Transfer-Encoding: ch!nked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "a NUL in a header": headed(b"X-A: o\0ne", b"Content-Length: 2"),
    "a bare carriage return": headed(b"X-A: o\rX-B: ne", b"Content-Length: 2"),
    "a space before the colon": headed(b"Content-Length : 2"),
    "a chunk size that overflows": headed(b"Transfer-Encoding: chunked", body=b"10000000000000002\r\nok\r\n0\r\n\r\n"),
    "a negative chunk size": headed(b"Transfer-Encoding: chunked", body=b"-2\r\nok\r\n0\r\n\r\n"),
    "a body cut short": headed(b"Content-Length: 100", body=b"a" * 50),
    "a chunked body cut short": headed(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no head at all": b"hello world\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nzz",
    "large headers": headed(*(b"X-%d: %s" % (number, b"a" * 8000) for number in range(25)), b"Content-Length: 2"),
    "one huge header": headed(b"X-A: " + b"a" * 200_000, b"Content-Length: 2"),
    "ten thousand headers": headed(*(b"X-%d: a" % number for number in range(10_000)), b"Content-Length: 2"),
    "huge trailers": chunked(b"ok", trailers=b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(2000))),
    "large trailers behind a large body": chunked(
        b"x" * 1_000_000, trailers=b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(50))
    ),
    "a huge chunk extension": headed(
        b"Transfer-Encoding: chunked", body=b"2;" + b"a" * 300_000 + b"\r\nok\r\n0\r\n\r\n"
    ),
    "a packing nobody asked for": answer(b"ok", b"Content-Encoding: br\r\n"),
    "another packing nobody asked for": answer(b"ok", b"Content-Encoding: zstd\r\n"),
    "a damaged packing": answer(b"no gzip", b"Content-Encoding: gzip\r\n"),
    "a packing cut short": answer(gzip.compress(b"hello" * 99)[:-9], b"Content-Encoding: gzip\r\n"),
    "a bomb": answer(gzip.compress(BOMB, 9), b"Content-Encoding: gzip\r\n"),
    "a bomb of another kind": answer(zlib.compress(BOMB, 9), b"Content-Encoding: deflate\r\n"),
    "packed": answer(gzip.compress(b"hello"), b"Content-Encoding: gzip\r\n"),
    "folded": headed(b"X-A: one", b" two", b"Content-Length: 2"),
    "bare line feeds": b"HTTP/1.1 200 OK\nX-A: one\nContent-Length: 2\n\nok",
    "a header of 12 KB": headed(b"X-A: " + b"a" * 12_000, b"Content-Length: 2"),
    "of an odd version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "trailers": chunked(b"ok", head=b"Trailer: X-T\r\n", trailers=b"X-T: 1\r\n"),
    "the same length twice": headed(b"Content-Length: 2", b"Content-Length: 2"),
    "head": headed(b"Content-Length: 100", body=b""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(),
    "redirect": answer(b"", b"Location: /s/ok\r\n", b"302 Found"),
    "redirect away": answer(b"", b"Location: http://127.0.0.2/s/ok\r\n", b"302 Found"),
    "redirect in circles": answer(b"", b"Location: /s/redirect%20in%20circles\r\n", b"302 Found"),
    "big": answer(b"a" * (10 << 20)),
    "in tiny chunks": chunked(*[b"a"] * 20_000),
}
ENDING = {"a body cut short", "a chunked body cut short", "until the end", "no head at all", "another protocol"}


@dataclass
class Seen:
    """One request as it came: on which connection, as the how-manieth on it, and whether a client showed itself."""

    connection: int
    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    certificate: bool = False


@dataclass
class Scripted:
    """The running server: its ports by kind, and what it saw."""

    authority: Authority
    ports: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # that TLS clients asked for
    proxied: list[tuple[str, bool, bool]] = field(default_factory=list)  # target, right login, the request's own login
    written: list[int] = field(default_factory=list)  # bytes of endless answers that were taken
    opened: int = 0
    open: int = 0

    def url(self, what: str, kind: str = "plain", host: str | None = None) -> str:
        scheme = "http" if kind in {"plain", "dead", "full"} else "https"
        name = host or ("127.0.0.1" if scheme == "http" else "localhost")
        return f"{scheme}://{name}:{self.ports[kind]}/s/{what.replace(' ', '%20')}"

    def forget(self) -> None:
        for one in (self.seen, self.names, self.proxied, self.written):
            one.clear()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.opened += 1
        self.open += 1
        connection, number = self.opened, 0
        try:
            while True:
                number += 1
                seen = await _read(reader, writer, connection, number)
                self.seen.append(seen)
                if not await self._reply(seen, reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _reply(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        what = seen.path.split("/")[-1].split("?")[0].replace("%20", " ")
        if what in FIXED:
            writer.write(FIXED[what])
            await writer.drain()
            return what not in ENDING
        told = _DYNAMIC.get(what)
        if told is None and what.isdigit():  # the request's own body, after a moment
            await asyncio.sleep(0.004)
            writer.write(answer(seen.body))
            return True
        if told is None:
            writer.write(answer(b"?", status=b"404 Not Found"))
            return True
        return await told(self, seen, reader, writer)

    async def proxy(self, reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        _, target, _ = head.split("\r\n")[0].split(" ", 2)
        right = f"proxy-authorization: basic {base64.b64encode(LOGIN.encode()).decode()}".lower() in head.lower()
        self.proxied.append((target, right, "authorization: token" in head.lower()))
        if not right:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    async def run(self, ready: Callable[[], None], ended: asyncio.Event) -> None:
        made = self.authority
        contexts = {
            "plain": None,
            "tls": made.server("leaf"),
            "other": made.server("other"),
            "self": made.server("self"),
        }
        contexts["mtls"] = made.server("leaf", clients=True)
        for context in filter(None, contexts.values()):
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        handlers = {**dict.fromkeys(contexts, self.serve), "proxy": self.proxy}
        servers = [
            (kind, await asyncio.start_server(handler, "127.0.0.1", 0, ssl=contexts.get(kind), limit=1 << 20))
            for kind, handler in handlers.items()
        ]
        self.ports |= {kind: server.sockets[0].getsockname()[1] for kind, server in servers}
        dead, full = _bound(), _bound()
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]  # fill its queue: who comes now is not answered
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        self.ports |= {"dead": dead.getsockname()[1], "full": full.getsockname()[1]}
        ready()
        await ended.wait()
        for one in (dead, full, *waiting):
            one.close()
        for _, server in servers:
            server.close()


async def _read(reader: Reader, writer: Writer, connection: int, number: int) -> Seen:
    line, *rest = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
    length, body = int(headers.get("content-length", 0)), bytearray()
    while "slowly" in path and length > len(body):
        body += await reader.readexactly(min(256 << 10, length - len(body)))
        await asyncio.sleep(0.04)
    body += await reader.readexactly(length - len(body))
    shown = writer.get_extra_info("peercert")
    return Seen(connection, number, method, path, headers, bytes(body), bool(shown))


async def _pipe(source: Reader, target: Writer) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    target.close()


def _bound() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    return found


def _dynamic(what: str) -> Callable[[Any], Any]:
    def keep(handler: Any) -> Any:
        _DYNAMIC[what] = handler
        return handler

    return keep


_DYNAMIC: dict[str, Callable[[Scripted, Seen, Reader, Writer], Awaitable[bool]]] = {}


@_dynamic("surplus a moment later")
async def surplus_later(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    writer.write(answer())
    await asyncio.sleep(0.05)
    writer.write(answer(b"EVIL"))
    return True


async def _endless(server: Scripted, writer: Writer, begin: bytes, again: bytes) -> bool:
    writer.write(begin)
    written = 0
    try:
        while written < 30 << 20:
            writer.write(again)
            written += len(again)
            await writer.drain()
    except ConnectionError:
        pass
    server.written.append(written)
    return False


@_dynamic("endless interim answers")
async def endless_interim(server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    return await _endless(server, writer, b"", b"HTTP/1.1 100 Continue\r\nX: %s\r\n\r\n" % (b"a" * 900))


@_dynamic("endless headers")
async def endless_headers(server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    return await _endless(server, writer, b"HTTP/1.1 200 OK\r\n", b"X: %s\r\n" % (b"a" * 900))


@_dynamic("ends while idle")
async def ends_while_idle(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    writer.write(answer())
    await writer.drain()
    await asyncio.sleep(0.1)
    return False


@_dynamic("ends on the second")
async def ends_on_second(_server: Scripted, seen: Seen, _reader: Reader, writer: Writer) -> bool:
    if seen.number == 1:
        writer.write(answer())
    return seen.number == 1


@_dynamic("resets on the second")
async def resets_on_second(_server: Scripted, seen: Seen, _reader: Reader, writer: Writer) -> bool:
    if seen.number == 1:
        writer.write(answer())
        return True
    writer.transport.abort()
    return False


@_dynamic("no answer")
async def no_answer(_server: Scripted, _seen: Seen, _reader: Reader, _writer: Writer) -> bool:
    return False


@_dynamic("a drip of the body")
async def drip(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(12):
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.25)
    return False


@_dynamic("a drip of the head")
async def drip_of_head(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    for letter in b"HTTP/1.1 200 OK\r\nX: aaaa":
        writer.write(bytes([letter]))
        await writer.drain()
        await asyncio.sleep(0.25)
    return False


@_dynamic("silence")
async def silence(_server: Scripted, _seen: Seen, reader: Reader, _writer: Writer) -> bool:
    await reader.read(1)
    return False


@_dynamic("slowly taken")
async def slowly_taken(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    writer.write(answer())
    return True


@_dynamic("a moment")
async def a_moment(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    await asyncio.sleep(0.2)
    writer.write(answer())
    return True


@_dynamic("big and chunked")
async def big_and_chunked(_server: Scripted, _seen: Seen, _reader: Reader, writer: Writer) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(160):
        writer.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    return True


@contextmanager
def scripted_server(folder: Path) -> Iterator[Scripted]:
    """Run it in a thread of its own."""
    server, started = Scripted(Authority(folder)), threading.Event()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    loop.set_exception_handler(lambda _loop, _facts: None)  # clients break off in the middle of everything here

    def run() -> None:
        loop.run_until_complete(server.run(started.set, ended))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
