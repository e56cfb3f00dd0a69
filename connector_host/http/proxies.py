"""Which proxy leads to a server: the host manifest's, else the environment's; told, and never with its password."""

import ipaddress
from urllib.parse import unquote, urlsplit

from connector_host.http import faults
from connector_host.model.requests import Proxy

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def proxy_at(text: str, whose: str) -> Proxy:
    """Read a proxy's address as curl does: without a scheme it is http's.

    Raises RequestRefused, which says `whose` word it is and quotes nothing of it: it may hold a password.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise faults.no_proxy_address(whose) from None
    if not parts.hostname or parts.path.strip("/") or parts.scheme not in _PORTS:
        raise faults.no_proxy_address(whose)
    login = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], *login)


def proxy_for(host: str, port: int, chosen: Proxy | None) -> Proxy | None:
    """Return the proxy for TLS to a server: the one that was `chosen` for it, else the environment's, if any."""
    if chosen is not None:
        return chosen if chosen.host else None
    import urllib.request  # noqa: PLC0415 - needed to connect, and once in a program

    named = urllib.request.getproxies()  # on Windows and macOS the system's too
    for name in ("https", "all"):
        if named.get(name):
            except_for = named.get("no", "")
            excepted = _excepts(except_for, host, port) if except_for else urllib.request.proxy_bypass(host)
            return None if excepted else proxy_at(named[name], f"the environment's {name.upper()}_PROXY")
    return None


def _excepts(texts: str, host: str, port: int) -> bool:
    """Whether NO_PROXY names a server: by `*`, a name and all below it, an address or a network, each with a port."""
    name = host.lower().rstrip(".")
    return any(_is_about(text.lower(), name, port) for text in texts.replace(",", " ").split())


def _is_about(text: str, name: str, port: int) -> bool:
    if text == "*":
        return True
    at, colon, number = text.rpartition(":")
    if colon and number.isdigit() and (":" not in at or at.endswith("]")):
        if int(number) != port:
            return False
        text = at
    text = text.removeprefix("*").strip(".[]")
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return bool(text) and (name == text or name.endswith(f".{text}"))
