"""The words of everything that can go wrong on a wire, the same for every transport; none quotes a path or a query.

`Unreachable` and `RequestRefused` say that surely nothing was sent; every other error that something may have been.
"""

import socket
import ssl
from collections.abc import Iterator

from connector_host.model.invocation_errors import (
    ConnectionLost,
    DeadlinePassed,
    ProxyRefused,
    ReplyTooLarge,
    RequestRefused,
    TimedOut,
    UnexpectedReply,
    Unreachable,
)

_NETWORK = "Check the server URL, the network and any firewall or proxy."
_OTHER_TRANSPORT = "If the product speaks HTTP of the old kind, say `transport: httpx2` for this server."


def not_accepted(host: str) -> Unreachable:
    return Unreachable(f"{host} did not accept a connection in time.", assistance=_NETWORK)


def no_room(host: str, most: int) -> Unreachable:
    return Unreachable(
        f"{most} requests are under way, and none ended in time for the one to {host}.", assistance="Ask less at once."
    )


def not_connected(error: BaseException, host: str) -> Unreachable:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "the handshake failed"
            return Unreachable(
                f"No trusted TLS connection to {host}: {reason}.",
                assistance="Check the server URL; a private authority needs the connection's CA Bundle.",
            )
        if isinstance(cause, socket.gaierror | UnicodeError):
            return Unreachable(f"The name {host} cannot be resolved.", assistance="Check the server URL and the DNS.")
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(f"{host} refuses connections.", assistance=_NETWORK)
    return Unreachable(f"{host} cannot be reached.", detail=str(error), assistance=_NETWORK)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def refused_by_proxy(proxy: str, status: int, host: str) -> Unreachable:
    """Return what a proxy's refusal is; one that will refuse again is not asked again."""
    wants = "wants a login, or another," if status == 407 else f"answers {status}"  # noqa: PLR2004 - RFC 9110, 15.5.8
    kind = ProxyRefused if 400 <= status < 500 else Unreachable  # noqa: PLR2004 - RFC 9110, 15.5
    return kind(
        f"The proxy {proxy} {wants} for a way to {host}.",
        assistance="Check the proxy's address and login, and whether it lets this host through.",
    )


def other_transport(what: str) -> RequestRefused:
    return RequestRefused(
        f"The lean transport knows no {what}.",
        assistance="Say `transport: httpx2` in the host manifest, or for this server.",
    )


def not_http(reason: str) -> RequestRefused:
    return RequestRefused("The request cannot be written as HTTP.", detail=reason)


def deadline_over(host: str) -> DeadlinePassed:
    return DeadlinePassed(f"{host} did not answer before the deadline.", assistance="Try later, or allow more time.")


def silent(host: str) -> TimedOut:
    return TimedOut(f"{host} did not answer in time.", assistance="Try later; the service may be overloaded.")


def closed(host: str) -> ConnectionLost:
    return ConnectionLost(f"{host} closed the connection without an answer.", assistance=_NETWORK)


def broken(host: str, error: object) -> ConnectionLost:
    return ConnectionLost(f"The connection to {host} broke.", detail=str(error), assistance=_NETWORK)


def no_http(host: str, reason: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{host} does not answer in HTTP.",
        detail=reason,
        assistance=f"Check the server URL and port. {_OTHER_TRANSPORT}",
    )


def packed(coding: str, status: int) -> UnexpectedReply:
    return UnexpectedReply(f"The answer is packed as '{coding}', which was not asked for.", http_status=status)


def damaged(reason: str, status: int) -> UnexpectedReply:
    return UnexpectedReply("The answer's packing is damaged.", detail=reason, http_status=status)


def too_large(how: str, size: int, status: int | None) -> ReplyTooLarge:
    return ReplyTooLarge(
        f"The answer {how} {size} bytes, more than the host accepts.",
        assistance="Narrow the request.",
        http_status=status,
    )


def other_origin(host: str | None, status: int) -> UnexpectedReply:
    return UnexpectedReply(
        f"The server redirects to another origin ({host or 'none'}), which the plugin does not declare.",
        assistance="Check the connection's server URL.",
        http_status=status,
    )


def redirected(method: str, path: str, status: int) -> UnexpectedReply:
    return UnexpectedReply(
        f"The server redirects a {method} request to {path}.",
        assistance="Check the connection's server URL.",
        http_status=status,
    )


def redirected_too_often(most: int, status: int) -> UnexpectedReply:
    return UnexpectedReply(f"The server redirected more than {most} times.", http_status=status)
