"""How the lean transport connects: names resolved, addresses raced, through a proxy where the environment names one."""

import asyncio
import base64
import socket
import ssl

from aiohappyeyeballs import start_connection
from msgspec import Struct

from connector_host.http import faults
from connector_host.http.lean_connection import LeanConnection
from connector_host.http.proxies import proxy_for
from connector_host.http.transport import Addresses, Bounds, Resolve, permitted
from connector_host.model.invocation_errors import ConnectionLost, TimedOut, UnexpectedReply
from connector_host.model.proxy import Proxy
from connector_host.ports.parts import Permit

RACE_SECONDS = 0.25  # before the next address is tried beside the first (RFC 8305, 5)


class Origin(Struct, frozen=True):
    """Scheme, host and port of a server, and its name as errors tell it."""

    scheme: str
    host: str
    port: int
    name: str


async def resolved(host: str, port: int) -> Addresses:
    """Return a host's addresses by the system's resolver."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Way(Struct, frozen=True):
    """How to connect: whom to trust over TLS, until when (the loop's seconds), and the proxy chosen, if any."""

    context: ssl.SSLContext | None
    until: float
    proxy: Proxy | None = None


async def connected(origin: Origin, way: Way, bounds: Bounds, resolve: Resolve, permit: Permit) -> LeanConnection:
    """Return an open connection; raises Unreachable, and RequestRefused for a proxy of another kind.

    Through a proxy the server's addresses are not known here, and the proxy's own are its operator's word.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(min(way.until, loop.time() + bounds.connect_seconds)):
            if way.context is None:
                return await _plain(origin, bounds, permitted(resolve, permit))
            proxy = proxy_for(origin.host, origin.port, way.proxy)
            if proxy is None:
                outer = await _plain(origin, bounds, permitted(resolve, permit))
            else:
                outer = await _tunnel(origin, proxy, bounds, resolve)
            inner = await _secured(outer, origin, way.context, bounds)
            inner.proxy = "" if proxy is None else proxy.name
            return inner
    except TimeoutError:
        raise faults.not_accepted(origin.name) from None
    except (OSError, UnicodeError, RuntimeError) as error:  # the last is uvloop's, of a socket that is gone
        raise faults.not_connected(error, origin.name) from error


async def _plain(origin: Origin, bounds: Bounds, resolve: Resolve) -> LeanConnection:
    """Connect by aiohappyeyeballs: asyncio's own drops a socket that is won while the caller is cancelled.

    The socket then becomes its transport's in a task that is not cancelled with the caller: uvloop closes it twice
    where that is broken off, and the second time it may be another's by then.
    """
    loop = asyncio.get_running_loop()
    addresses = list(await resolve(origin.host, origin.port))
    opened = await start_connection(addresses, happy_eyeballs_delay=RACE_SECONDS, loop=loop)
    made = loop.create_task(loop.create_connection(lambda: LeanConnection(loop, origin.name, bounds), sock=opened))
    try:
        return (await asyncio.shield(made))[1]
    except asyncio.CancelledError:
        made.add_done_callback(_drop)
        raise


def _drop(made: "asyncio.Task[tuple[asyncio.WriteTransport, LeanConnection]]") -> None:
    if made.exception() is None:
        made.result()[0].abort()


async def _secured(outer: LeanConnection, origin: Origin, context: ssl.SSLContext, bounds: Bounds) -> LeanConnection:
    """Begin TLS on an open connection, closing it where that fails."""
    inner = LeanConnection(outer.loop, origin.name, bounds)
    inner.below = outer.transport
    try:
        inner.transport = await outer.loop.start_tls(outer.transport, inner, context, server_hostname=origin.host)
    except BaseException:
        outer.abort()
        raise
    return inner


async def _tunnel(origin: Origin, proxy: Proxy, bounds: Bounds, resolve: Resolve) -> LeanConnection:
    """Have an HTTP proxy open a way to the server (RFC 9110, 9.3.6)."""
    if proxy.scheme != "http":
        raise faults.other_transport(f"proxy of the kind {proxy.scheme}")
    at = Origin("http", proxy.host, proxy.port, f"the proxy {proxy.name}")
    try:
        outer = await _plain(at, bounds, resolve)
    except (OSError, UnicodeError, RuntimeError) as error:
        raise faults.not_connected(error, at.name) from error
    try:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        await _ask_for_tunnel(outer, f"{host}:{origin.port}", proxy, origin.name)
    except BaseException:
        outer.abort()
        raise
    return outer


async def _ask_for_tunnel(outer: LeanConnection, target: str, proxy: Proxy, name: str) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        login = f"{proxy.user}:{proxy.password}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}")
    try:
        await outer.ask("\r\n".join([*lines, "", ""]).encode(), float("inf"), head_only=True)
    except (ConnectionLost, TimedOut, UnexpectedReply) as error:
        raise faults.not_connected(error, f"the proxy {proxy.name}") from error
    finally:
        outer.let_go()
    if outer.status // 100 != 2 or outer.transport.is_closing():  # noqa: PLR2004 - RFC 9110, 9.3.6
        raise faults.refused_by_proxy(proxy.name, outer.status, name)
