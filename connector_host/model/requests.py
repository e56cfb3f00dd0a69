"""The nouns of a declared request: servers, limits, authentication, paging, polling and what replies mean."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from connector_host.model.invocation_errors import RequestRefused


class Limit(Struct, frozen=True):
    """A shared rate limit: at most `requests` in any `seconds`, counted per value of `per`."""

    per: str
    requests: int | str
    seconds: int


class RetryPolicy(Struct, frozen=True):
    """How often to try again, and how long to wait where the server gives no hint (seconds)."""

    times: int = 3
    seconds: float = 1
    rate_limited_seconds: float = 30


class ErrorForm(Struct, frozen=True):
    """One form of a product's error bodies: `body` is json, string (JSON's), text, empty or page.

    Of JSON the paths say where its own code, message and details stand; of several the first that holds wins.
    """

    body: str = "json"
    code: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


class Auth(Struct, frozen=True):
    """How requests to a server show who asks; `type` is basic, bearer, header, query or oauth2, the rest templates."""

    type: str
    username: str = ""
    password: str = ""
    token: str = ""
    name: str = ""
    value: str = ""
    grant: str = "client_credentials"
    server: str = ""
    path: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    scope: str = ""
    client_auth: str = "body"
    parameters: Mapping[str, str] = field(default_factory=dict)


class ResponseRule(Struct, frozen=True):
    """What a reply means: for these statuses (texts such as `4xx` or `409`), where the field has one of these values.

    `verdict` is passed, failed, retry or needs_attention.
    """

    verdict: str = field(name="is")
    statuses: tuple[str, ...] = field(default=(), name="status")
    values: tuple[Any, ...] | None = field(default=None, name="equals")
    field: str | None = None
    kind: str | None = None
    code: str | None = None
    indicator: str | None = None
    message: str | None = None
    assistance: str = ""


class Server(Struct, frozen=True):
    """An origin a plugin may call, with the authentication that belongs to it and to no other."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: Limit | None = None
    max_body: int | None = None
    errors: tuple[ErrorForm, ...] = ()
    assistance: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    auth: Auth | None = None
    responses: tuple[ResponseRule, ...] = ()
    transport: str | None = None


class Paging(Struct, frozen=True):
    """How an API hands out a long list: style `offset`, `page`, `cursor`, `link`, `link_header` or `key`.

    `key` is for lists that come newest first: `by` is each record's time, `id` what tells it from others, `parameter`
    the query key of the range's end.
    """

    style: str = "offset"
    size: int = 100
    size_parameter: str = "limit"
    position_parameter: str = ""
    first: int = 1
    pages: str | None = None
    total: str | None = None
    more: str = "$.more"
    next: str = "$.next_cursor"
    window: int | None = None
    by: str = "$.created_at"
    id: str = "$.id"
    parameter: str = "until"

    @property
    def position_key(self) -> str:
        """Query key of the position: by default the style's own name."""
        return self.position_parameter or self.style


class Poll(Struct, frozen=True):
    """Asking again, `every` so many seconds for at most `seconds`, until the field `until` has one of the values."""

    until: str
    values: tuple[Any, ...] = field(name="equals")
    fails: tuple[Any, ...] = ()
    path: str | None = None
    message: str | None = None
    every: int = 2
    seconds: int = 60


class ItemResults(Struct, frozen=True):
    """Where a good answer holds a verdict of its own for each item: paths within an element of the list at `path`.

    `ok` are the good values of `status`, or classes of them (2xx), or templates; without it what is no HTTP refusal
    and has no `error` is good.
    """

    path: str = "$"
    item: str | None = None
    status: str | None = None
    error: tuple[str, ...] = ()
    ok: tuple[Any, ...] = ()


class Moved(Struct, frozen=True):
    """Where a thing stands that the product refuses to give at its old place: a text of the refusal, and the path."""

    says: str
    path: str


class RequestTemplate(Struct, frozen=True):
    """A declared request: what to send, written as data."""

    server: str
    path: str
    method: str = "GET"
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, Any] | None = None
    multipart: Mapping[str, Any] | None = None
    idempotent: bool | None = None
    idempotency_key: str | None = None
    collect: str | None = None
    paging: Paging | None = None
    poll: Poll | None = None
    transform: Any = None
    requires: tuple[str, ...] = ()
    moved: Moved | None = None


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
    if "//" in parts.path:
        raise RequestRefused(f"'{base}' has two slashes beside each other in its path.", assistance="Take one away.")
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
