"""The MAC over a stored row: whoever can write the database, and has no key, cannot change what a row says."""

import hashlib
import hmac
import json
from collections.abc import Sequence

from msgspec import to_builtins

from connector_host.model.caller import SiteMap
from connector_host.model.connection import Connection

FORMAT = 2  # of rows and their MACs
_BY_DEFAULT = to_builtins(Connection("", ""))


def mac_of_connection(data_key: bytes, connection: Connection) -> bytes:
    """Return the MAC over everything that a connection's row says; what is as by default is left out.

    So a field that a later release adds changes no MAC, and to add one to a row by hand does.
    """
    row = {name: value for name, value in to_builtins(connection).items() if value != _BY_DEFAULT[name]}
    return _mac(data_key, b"connector-host row", ["connection", FORMAT, row])


def mac_of_sites(folder_key: bytes, sites: SiteMap) -> bytes:
    """Return the MAC over all tenants and sites, and how often they were changed."""
    row = [to_builtins(sites.tenants), to_builtins(sites.sites), sites.number]
    return _mac(folder_key, b"connector-host sites", ["sites", FORMAT, row])


def mac_of_token(folder_key: bytes, document: str, digest: bytes) -> bytes:
    """Return the MAC over a token: who can write the database makes none of their own."""
    return _mac(folder_key, b"connector-host token", ["token", FORMAT, document, digest.hex()])


def mac_of_cursor(folder_key: bytes, reader: Sequence[str | None], number: int) -> bytes:
    """Return the MAC over a cursor: it is good for who was given it alone."""
    return _mac(folder_key, b"connector-host cursor", ["cursor", FORMAT, list(reader), number])


def same(one: bytes | None, other: bytes) -> bool:
    """Whether two MACs are the same, in a time that says nothing."""
    return one is not None and hmac.compare_digest(one, other)


def _mac(key: bytes, purpose: bytes, said: list[object]) -> bytes:
    """HMAC-SHA-256 (RFC 2104) under a key of its own, derived by one step of HKDF-Expand (RFC 5869, 2.3)."""
    derived = hmac.digest(key, purpose + b"\x01", hashlib.sha256)
    return hmac.digest(derived, json.dumps(said, sort_keys=True).encode(), hashlib.sha256)
