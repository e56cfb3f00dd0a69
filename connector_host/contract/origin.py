"""Base URLs of servers: HTTPS, save for loopback; no credentials, query or fragment."""

import ipaddress
from urllib.parse import urlsplit

from connector_host.contract.errors import RequestRefused


def check_origin(base: str) -> str:
    """Return the base URL without its trailing slash; raises RequestRefused with the reason."""
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise RequestRefused(f"'{base}' is not a URL ({error}).") from None
    if parts.scheme not in {"http", "https"} or not host or any(ord(c) <= 32 or ord(c) == 127 for c in base):  # noqa: PLR2004 - control characters and space
        raise RequestRefused(
            f"'{base}' is not an http or https URL.", assistance="Write it as https://api.example.com."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise RequestRefused("A server's URL carries no credentials, query or fragment.")
    if parts.scheme == "http" and not is_loopback(host):
        raise RequestRefused(
            f"'{base}' would send the credentials unencrypted.",
            assistance="Use https; http is for loopback only.",
        )
    return base.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
