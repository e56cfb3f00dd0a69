"""The nouns of a manifest: a plugin, its commands, their samples and field mappings, as frozen values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from connector_host.model.requests import ItemResults, Paging, RequestTemplate, ResponseRule, RetryPolicy, Server

MANIFEST, CODE = "manifest.yaml", "commands.py"  # the files of a plugin's folder
COMMANDS = "commands"  # folder of files, one for each command
SAMPLES = "samples"  # the same, of their samples
FIELD_TYPES = ("text", "datetime", "integer")  # of rows of a field mapping


class FieldMapping(Struct, frozen=True):
    """One row of a field-mapping table: a field's name, its source path or a fixed default."""

    field: str
    source: str | None = None
    default: Any = None
    type: str = "text"


class EventSource(Struct, frozen=True):
    """One kind of event: picked by its search condition; the lowest priority wins."""

    name: str
    fields: tuple[FieldMapping, ...]
    search: str | None = None
    priority: int = 100


class Cursor(Struct, frozen=True):
    """What lets an intake go on where it ended: its inputs for the range and the number, and each record's time.

    `overlap_minutes` are read again with each run, for what the product shows late.
    """

    since: str
    until: str
    time: str
    limit: str = ""
    overlap_minutes: int = 10


class Intake(Struct, frozen=True):
    """How fetched records become incidents and events."""

    incident_path: str
    event_path: str
    incident_fields: tuple[FieldMapping, ...]
    event_sources: tuple[EventSource, ...]
    unique_key: str
    cursor: Cursor | None = None


class Credential(Struct, frozen=True):
    """Where a vault's reply holds the fields of a secret, and for how many seconds they may be kept.

    Each is a JSONPath in the reply, or the connection parameter that holds one (`$.connection.fields_path`).
    """

    fields: str
    lease_seconds: str | None = None


class Migration(Struct, frozen=True):
    """What a version of the plugin changed about connections: parameters renamed, taken away, set where missing."""

    version: str
    rename: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)


class Deprecation(Struct, frozen=True):
    """Something that still works: since which version of the plugin not to use it, what instead, when it goes."""

    since: str
    use: str = ""
    remove_in: str = ""

    def told(self, what: str) -> str:
        """Return the warning for a caller."""
        instead = f" Use {self.use} instead." if self.use else ""
        end = f" It goes in version {self.remove_in}." if self.remove_in else ""
        return f"{what} is deprecated since version {self.since}.{instead}{end}"


class HttpExchange(Struct, frozen=True):
    """One HTTP exchange of a sample: `request` is METHOD PATH?QUERY, `sends` what its body must hold."""

    request: str
    server: str | None = None
    sends: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


class Sample(Struct, frozen=True):
    """One run of a command: what goes in, what is exchanged, and what the result holds."""

    http: tuple[HttpExchange, ...]
    title: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The result's status."""
        return str(self.result.get("status", "Passed"))


class Exemption(Struct, frozen=True):
    """A rule that the plugin need not keep, at one place or everywhere, and why."""

    rule: str
    reason: str
    at: str = ""

    def covers(self, rule: str, at: str) -> bool:
        """Whether it is about this rule at this place."""
        return self.rule == rule and (not self.at or at == self.at or at.startswith((f"{self.at}.", f"{self.at}[")))


class Command(Struct, frozen=True):
    """One command of a plugin, as its manifest declares it."""

    id: str
    title: str
    input: Mapping[str, Any]
    kind: str = "action"
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
    responses: tuple[ResponseRule, ...] = ()
    results: ItemResults | None = None
    answers_for: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    permissions: tuple[str, ...] = ()
    deprecated: Deprecation | None = None

    @property
    def runner(self) -> str:
        """Name of the runner that carries the command out."""
        return "request" if self.request else "python"


class Manifest(Struct, frozen=True):
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
    isolation: str = "none"
    exemptions: tuple[Exemption, ...] = ()

    def runner_of(self, command: Command) -> str:
        """Name of the runner that carries a command out."""
        return "isolated" if command.runner == "python" and self.isolation == "process" else command.runner

    @property
    def secret_names(self) -> frozenset[str]:
        """Names of the connection parameters marked `writeOnly`."""
        properties = self.connection.get("properties", {})
        return frozenset(name for name, schema in properties.items() if schema.get("writeOnly"))


class BrokenPluginFacts(Struct, frozen=True):
    """A plugin that cannot be used: its folder, and the reason for a person."""

    id: str
    folder: Path
    reason: str
