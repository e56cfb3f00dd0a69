"""The nouns of a manifest: a plugin, its servers, its commands and its field mappings, as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
class Server:
    """An origin a plugin may call, with the authentication that belongs to it and to no other."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: Limit | None = None
    max_body: int | None = None
    errors: ErrorPaths = field(default_factory=ErrorPaths)


@dataclass(frozen=True, slots=True)
class Paging:
    """How an API hands out a long list: style `offset`, `cursor` or `link`."""

    style: str = "offset"
    size: int = 100
    size_parameter: str = "limit"
    position_parameter: str = "offset"
    more: str = "$.more"
    next: str = "$.next_cursor"
    window: int | None = None


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A declared request: what to send, written as data."""

    server: str
    path: str
    method: str = "GET"
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    idempotent: bool | None = None
    paging: Paging | None = None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One row of a field-mapping table: a field's name, its source path or a fixed default."""

    field: str
    source: str | None = None
    default: Any = None
    type: str = "text"


@dataclass(frozen=True, slots=True)
class EventSource:
    """One kind of event: picked by its search condition; the lowest priority wins."""

    name: str
    search: str | None
    priority: int
    fields: tuple[FieldMapping, ...]


@dataclass(frozen=True, slots=True)
class Intake:
    """How fetched records become incidents and events."""

    incident_path: str
    event_path: str
    incident_fields: tuple[FieldMapping, ...]
    event_sources: tuple[EventSource, ...]
    unique_key: str


@dataclass(frozen=True, slots=True)
class Credential:
    """Where a vault's reply holds the fields of a secret, and for how many seconds they may be kept.

    Each is a JSONPath in the reply, or the connection parameter that holds one (`$.connection.fields_path`).
    """

    fields: str
    lease_seconds: str | None = None


@dataclass(frozen=True, slots=True)
class Migration:
    """What a version of the plugin changed about connections: parameters renamed, taken away, set where missing."""

    version: str
    rename: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a plugin, as its manifest declares it."""

    id: str
    title: str
    kind: str
    input: Mapping[str, Any]
    description: str = ""
    notes: tuple[str, ...] = ()
    output: Mapping[str, Any] | None = None
    collect: str | None = None
    each: str | None = None
    request: RequestTemplate | None = None
    key_fields: Mapping[str, str] = field(default_factory=dict)
    failure_indicator: str = ""
    failure_codes: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    assistance: Mapping[str, str] = field(default_factory=dict)
    error_example: str = ""
    intake: Intake | None = None
    credential: Credential | None = None
    deadline: int | None = None

    @property
    def runner(self) -> str:
        """Name of the runner that carries the command out."""
        return "request" if self.request else "python"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A plugin as its `manifest.yaml` describes it; `root` is the plugin's folder."""

    id: str
    name: str
    version: str
    root: Path
    connection: Mapping[str, Any]
    commands: Mapping[str, Command]
    servers: Mapping[str, Server] = field(default_factory=dict)
    description: str = ""
    requires_host: str = ""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    paging: Paging | None = None
    presets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()
    sandbox: str | None = None
    limitations: Sequence[Mapping[str, str]] = ()
    permissions: str = ""
    setup: Sequence[Mapping[str, Any]] = ()
    faq: Sequence[Mapping[str, str]] = ()

    @property
    def secret_names(self) -> frozenset[str]:
        """Names of the connection parameters marked `writeOnly`."""
        properties = self.connection.get("properties", {})
        return frozenset(name for name, schema in properties.items() if schema.get("writeOnly"))


@dataclass(frozen=True, slots=True)
class BrokenPluginFacts:
    """A plugin that can not be used: its folder, and the reason for a person."""

    id: str
    folder: Path
    reason: str
