"""The noun of a proxy, and its address as people write it."""

from typing import ClassVar
from urllib.parse import unquote, urlsplit

from connector_host.model.guarded import Guarded
from connector_host.model.invocation_errors import RequestRefused

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Proxy(Guarded, frozen=True):
    """A proxy on the way to servers, with its login; one without a host says that none is to be used."""

    hidden: ClassVar[frozenset[str]] = frozenset({"user", "password"})

    scheme: str = "http"
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""

    @property
    def name(self) -> str:
        """Return it as people know it: host and port."""
        return f"{self.host}:{self.port}"


def proxy_at(text: str, whose: str) -> Proxy:
    """Read a proxy's address as curl does: without a scheme it is http's.

    Raises RequestRefused, which says `whose` word it is and quotes nothing of it: it may hold a password.
    """
    refused = RequestRefused(
        f"{whose[:1].upper()}{whose[1:]} is no proxy's address.",
        assistance="Write it as http://proxy.example.com:3128.",
    )
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise refused from None
    if not parts.hostname or parts.path.strip("/") or parts.scheme not in _PORTS:
        raise refused
    login = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], *login)
