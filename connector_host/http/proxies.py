"""Which proxy leads to a server: the host manifest's, else the environment's; told, and never with its password."""

import ipaddress

from connector_host.model.proxy import Proxy, proxy_at


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
