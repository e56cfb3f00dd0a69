"""The nouns of a declared request: servers, limits, authentication, paging, polling and what replies mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """A shared rate limit: at most `requests` in any `seconds`, counted per value of `per`."""

    per: str
    requests: int | str
    seconds: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try again, and how long to wait where the server gives no hint (seconds)."""

    times: int = 3
    seconds: float = 1
    rate_limited_seconds: float = 30


@dataclass(frozen=True, slots=True)
class ErrorPaths:
    """Where a product puts its own code, message and details in an error body; the first that holds wins."""

    code: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Auth:
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


@dataclass(frozen=True, slots=True)
class ResponseRule:
    """What a reply means: for these statuses (texts such as `4xx` or `409`), where the field has one of these values.

    `verdict` is passed, failed, retry or needs_attention.
    """

    verdict: str
    statuses: tuple[str, ...] = ()
    field: str | None = None
    values: tuple[Any, ...] | None = None
    kind: str | None = None
    code: str | None = None
    indicator: str | None = None
    message: str | None = None
    assistance: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """An origin a plugin may call, with the authentication that belongs to it and to no other."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: Limit | None = None
    max_body: int | None = None
    errors: ErrorPaths = field(default_factory=ErrorPaths)
    query: Mapping[str, Any] = field(default_factory=dict)
    auth: Auth | None = None
    responses: tuple[ResponseRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Paging:
    """How an API hands out a long list: style `offset`, `page`, `cursor`, `link` or `link_header`."""

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

    @property
    def position_key(self) -> str:
        """Query key of the position: by default the style's own name."""
        return self.position_parameter or self.style


@dataclass(frozen=True, slots=True)
class Poll:
    """Asking again, `every` so many seconds for at most `seconds`, until the field `until` has one of the values."""

    until: str
    values: tuple[Any, ...]
    fails: tuple[Any, ...] = ()
    path: str | None = None
    message: str | None = None
    every: int = 2
    seconds: int = 60


@dataclass(frozen=True, slots=True)
class RequestTemplate:
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
