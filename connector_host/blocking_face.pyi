"""The host's face for programs without an event loop, as types.

Made by `python docs/reference/make_blocking.py`. Each method does what the async face's does,
and raises what that raises.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from connector_host.host.connections.transfer import SecretsByName
from connector_host.host.session import Inputs, Values
from connector_host.host.settings import DateTimeSetting
from connector_host.host.tokens import Doorkeeper
from connector_host.manifests.registry import PluginRegistry
from connector_host.model.audit import AuditHead, AuditRecord, AuditVerdict
from connector_host.model.authoring import Upload
from connector_host.model.caller import Actor, Caller, Site, SiteMap, Tenant
from connector_host.model.connection import (
    BulkOutcome,
    Change,
    Connection,
    ImportPreview,
    Round,
    Selection,
    StoredConnection,
    VaultReference,
)
from connector_host.model.events import Event
from connector_host.model.history import Calls, HistoryFilter, HistoryPage, HistoryRecord, Use
from connector_host.model.intake import (
    FeedPage,
    IntakeRecord,
    IntakeSchedule,
    KeptSchedule,
    MappingPreview,
    MappingTables,
)
from connector_host.model.invocation import Options
from connector_host.model.result import Choice, Result
from connector_host.model.token import Token
from connector_host.model.trouble import Trouble
from connector_host.ports.parts import Clock

class BlockingEventStream(Protocol):
    """The events that a caller may see, from the moment at which it was made; the next waits for what comes."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Event: ...
    def close(self) -> None:
        """Read no more; what came until now can still be read."""

class BlockingConnections(Protocol):
    """Every change of a connection goes through here."""

    def list(self, selection: Selection = ...) -> list[StoredConnection]:
        """Return those selected that the caller may use, by name, with their health and without sealed secrets."""

    def like(self, letters: str, most: int = ...) -> Sequence[StoredConnection]:
        """Return those whose names have the letters in their order, in any case, the best match first."""

    def checks_of(self, names: Sequence[str], most: int = ...) -> Mapping[str, Sequence[str]]:
        """Return the statuses of the newest health checks of many connections, oldest first, by their names."""

    def show(self, name: str) -> dict[str, Any]:
        """Return one as `schemas/connection.schema.json` describes it; raises UnknownConnection."""

    def add(self, name: str, plugin: str, change: Change) -> Connection:
        """Keep a new connection; only the operator may."""

    def add_incomplete(self, name: str, plugin: str, change: Change, lacking: frozenset[str]) -> str:
        """Keep a new connection that lacks some secrets: not active, with words on what it still needs."""

    def edit(self, name: str, change: Change) -> Connection:
        """Change a connection; raises ConnectionChanged where somebody else did so in the meantime."""

    def undo(self, name: str, *, version: int | None = ...) -> Connection:
        """Take the last edit back, where it touched neither a secret nor where secrets are sent, nor the name."""

    def former(self, name: str) -> Change:
        """Return the change to what stood before the last edit, without secrets, which are kept nowhere."""

    def troubles(self, names: Sequence[str], most: int = ...) -> Sequence[Trouble]:
        """Return what is wrong with connections that fail or need attention, at most so many causes, each told once."""

    def edit_many(self, selection: Selection, change: Change) -> Sequence[BulkOutcome]:
        """Change every connection selected, each by itself; what cannot be changed says why and harms no other."""

    def copy(self, name: str, new_name: str, change: Change = ...) -> Connection:
        """Keep a connection like another one, changed; its secrets are sealed anew. Only the operator may."""

    def remove(self, name: str, *, version: int | None = ...) -> None:
        """Forget a connection and its secrets, of this version where one is given; its history stays."""

    def upgrade(self) -> Sequence[BulkOutcome]:
        """Save anew what was saved for another version of its plugin; what does not suit it is flagged, and kept."""

class BlockingSites(Protocol):
    """Every change of a tenant or a site goes through here."""

    def map(self) -> SiteMap:
        """All tenants and sites."""

    def put_tenant(self, name: str, *, master: bool = ...) -> Tenant:
        """Add a tenant, or say whether it is the master; the first must be. Raises BadSetting."""

    def put_site(self, name: str, *, tenant: str | None = ..., internal: bool = ...) -> Site:
        """Add a site, or change its tenant and kind; without a tenant it is the master's, or stays where it was."""

    def remove_tenant(self, name: str) -> None:
        """Forget a tenant; raises UnknownSite, and BadSetting while something belongs to it."""

    def remove_site(self, name: str) -> None:
        """Forget a site; raises UnknownSite, and BadSetting while a connection is there."""

class BlockingKeys(Protocol):
    """The master keys as they may be handled: by the operator alone."""

    def rotate(self) -> int:
        """Put every data key under a new master key; how many. Raises NotAllowed, RotationIncomplete, SealError."""

    def retire(self) -> None:
        """Forget the older master keys; raises NotAllowed, and SealError while a connection still needs one."""

class BlockingAuditTrail(Protocol):
    """The audit as it may be read: by the operator alone."""

    def newest(self, limit: int) -> list[AuditRecord]:
        """Return the newest records, newest first; raises NotAllowed."""

    def verify(self, noted: AuditHead | None = ...) -> AuditVerdict:
        """Check the whole chain, against its end as the store knows it and, where given, as somebody noted it."""

class BlockingStoreCare(Protocol):
    """Checks the database, and backs it up while it is in use."""

    def check(self) -> Sequence[str]:
        """Return what is damaged, read from the whole file, and which secrets do not open; empty where all is well."""

    def back_up_folder(self, folder: Path, *, with_key: bool = ...) -> None:
        """Write a back-up into a folder of its own, and read it over; with the master key where that is asked for."""

    def restored(self, what: str) -> None:
        """Keep in the audit that a back-up was put back. Raises NotAllowed."""

    def back_up(self, target: Path) -> None:
        """Write all that is committed into a new file; raises NotAllowed, and StoreError where there is a file."""

class BlockingHealth(Protocol):
    """The schedule of health checks; any number of processes may run it on one store."""

    @property
    def can_notify(self) -> bool:
        """Whether the host manifest names anything that tells people."""

    def serve(self, page: str = ...) -> None:
        """Run what is due, for ever; what fails for a while is logged, and tried again after pauses that grow."""

    def run_due(self) -> Round:
        """Run every check that is due, each once however long it has been due, many at a time."""

    def send_trial(self, recipient: str) -> Mapping[str, str]:
        """Send somebody a message of no concern, by every notifier; return why it failed, by the notifier's class."""

class BlockingIntakes(Protocol):
    """What was taken in, read on; and schedules."""

    def read(
        self,
        *,
        after: str = ...,
        reader: str = ...,
        connection: str | None = ...,
        site: str | None = ...,
        limit: int = ...,
    ) -> FeedPage:
        """Return records in order of arrival: those after a cursor, or after what a reader acknowledged last."""

    def acknowledge(self, reader: str, cursor: str) -> None:
        """Note that everything up to a cursor was read; read(reader=…) goes on from there."""

    def schedule(self, wanted: IntakeSchedule) -> KeptSchedule:
        """Have an intake command run by itself, as often as it says; one that is there for it is changed."""

    def unschedule(self, connection: str, command: str) -> None:
        """Have an intake command run by itself no more; raises as schedule() does."""

    def schedules(self, connection: str | None = ...) -> Sequence[KeptSchedule]:
        """Return the schedules of the connections that the caller may use, and how they fare."""

    def run_due(self) -> int:
        """Run every schedule that is due, each once however long it has been due; how many. The operator's."""

    def serve(self) -> None:
        """Run what is due, for ever."""

class BlockingMappings(Protocol):
    """The field mappings of connections."""

    def get(self, connection: str, command: str) -> MappingTables:
        """Return the tables that are used: the connection's own, or the manifest's."""

    def put(self, connection: str, command: str, tables: MappingTables) -> MappingTables:
        """Give a connection tables of its own, used from the next page on; `tables.version` is the one changed."""

    def reset(self, connection: str, command: str, version: int | None = ...) -> MappingTables:
        """Take a connection's own tables away, so that the manifest's are used; raises as put() does."""

    def preview(
        self, connection: str, command: str, tables: MappingTables | None = ..., samples: Sequence[Any] | None = ...
    ) -> MappingPreview:
        """Return what tables make of records, changing nothing; by default of those that were taken in last."""

    def fetch(self, connection: str, command: str) -> Sequence[Any]:
        """Return some incidents that the product has now, to try tables on; nothing of them is kept."""

class BlockingUsage(Protocol):
    """The use of connections, for those who may use them."""

    def calls_of(self, names: Sequence[str], hours: float = ...) -> Mapping[str, Calls]:
        """Return how often many connections were used, and how that went, in so many hours; by their names."""

    def busiest(self, hours: float = ..., most: int = ...) -> Mapping[str, Calls]:
        """Return the connections that were used most in so many hours, by their names, busiest first."""

    def calls_by_hour(self, names: Sequence[str] | None = ..., hours: int = ...) -> Mapping[str, Calls]:
        """Return how much connections were used in each of so many hours, oldest first, by 2026-01-31T08 (UTC)."""

    def uses_of(self, name: str, days: float = ...) -> Sequence[Use]:
        """Return who ran which commands through a connection in so many days, how often, and when last."""

class BlockingPreferences(Protocol):
    """What the caller prefers."""

    def get(self) -> DateTimeSetting:
        """Return how the caller wants times written."""

    def put(self, wanted: DateTimeSetting | None) -> None:
        """Keep how the caller wants times written; None is as the host does. Raises NotAllowed, BadSetting."""

class BlockingTokens(Protocol):
    """Tokens as they may be handled: by the operator alone."""

    def add(self, wanted: Token, *, days: float | None = ...) -> tuple[Token, str]:
        """Make a token like the one wanted, good for so many days; return it with its text, which is told this once."""

    def list(self) -> Sequence[Token]:
        """Return all tokens, without their texts, which nobody has; raises NotAllowed."""

    def revoke(self, token_id: str) -> None:
        """Forget a token, and sign out whoever signed in by it. Raises NotAllowed, BadSetting."""

    def link(self, token_id: str) -> str:
        """Return what signs a browser in by a token, once, within ten minutes; raises NotAllowed, BadSetting."""

class BlockingTransfers(Protocol):
    """Carries connections from one host to another; only the operator may."""

    def export(self, selection: Selection = ..., *, public_key: bytes | None = ...) -> dict[str, Any]:
        """Return the connections selected as a document for YAML."""

    def take(
        self,
        document: Any,
        *,
        private_key: bytes | None = ...,
        replace_existing: bool = ...,
        secrets: SecretsByName | None = ...,
    ) -> list[BulkOutcome]:
        """Add the connections of an exported document; vaults before those that use them."""

    def preview(
        self, document: Any, *, private_key: bytes | None = ..., secrets: SecretsByName | None = ...
    ) -> list[ImportPreview]:
        """Return what take() with `replace_existing` would change, connection by connection; changes nothing."""

class BlockingUploads(Protocol):
    """Files kept until their command has run: a folder of each owner's in the host's data folder."""

    def of(self, owner: Actor) -> BlockingUploads:
        """Return the same for somebody's own files."""

    def put(self, name: str, content: bytes, media_type: str = ...) -> str:
        """Keep a file; raises BadSetting where it, or all together, would be too large, or one has too many."""

    def find(self, reference: str) -> Upload | None:
        """Return a kept file, or None where there is none of this owner's."""

    def remove(self, reference: str) -> None:
        """Forget a file, whosever it is; one that is not there is no error."""

class BlockingSession(Protocol):
    """A host as one caller sees it."""

    @property
    def connections(self) -> BlockingConnections:
        """Connections: added, changed, listed and shown; secrets go in and never come out."""

    @property
    def sites(self) -> BlockingSites:
        """Tenants and sites; the operator's."""

    @property
    def keys(self) -> BlockingKeys:
        """The master keys; the operator's."""

    @property
    def audit(self) -> BlockingAuditTrail:
        """Who did what to which connection; the operator's."""

    @property
    def store(self) -> BlockingStoreCare:
        """The database: checked, and backed up; the operator's."""

    @property
    def health(self) -> BlockingHealth:
        """Health checks; the operator's."""

    @property
    def intake(self) -> BlockingIntakes:
        """What was taken in, read on in order of arrival; and the schedules by which it is fetched."""

    @property
    def mappings(self) -> BlockingMappings:
        """Field mappings of connections' own, in place of their manifests'."""

    @property
    def usage(self) -> BlockingUsage:
        """How much connections are used."""

    @property
    def preferences(self) -> BlockingPreferences:
        """How the caller wants times written."""

    @property
    def tokens(self) -> BlockingTokens:
        """Tokens for the HTTP API; the operator's."""

    @property
    def transfer(self) -> BlockingTransfers:
        """Export and import of connections; the operator's."""

    def events(self, *names: str) -> BlockingEventStream:
        """Return a stream of what happens from now on, of these kinds or of all, as far as the caller may see it."""

    @property
    def uploads(self) -> BlockingUploads:
        """Files on their way into commands, the caller's own; raises NotAllowed for one with nothing in it."""

    def run(
        self, plugin: str, command: str, connection: str, inputs: Inputs = ..., *, options: Options = ...
    ) -> Result:
        """Run one command and return its result, whatever the inputs or the product's API may do."""

    def ingest(
        self, plugin: str, command: str, connection: str, inputs: Inputs = ..., *, options: Options = ...
    ) -> Result:
        """Run an intake command and keep its records, mapped, in the store; each unique key once per connection."""

    def ingested(self, command: str, connection: str, limit: int = ...) -> Sequence[IntakeRecord]:
        """Return the records that were taken in last, last first; raises UnknownConnection, UnknownCommand."""

    def choices(self, plugin: str, command: str, parameter: str, connection: str) -> list[Choice]:
        """Return a parameter's options, fetched from the service where the plugin says so; raises WrongUse."""

    def test(self, connection: str, inputs: Inputs = ..., *, options: Options = ...) -> Result:
        """Run the plugin's Test Connection through a stored connection; raises as run() does."""

    def run_with(
        self, plugin: str, command: str, values: Values, inputs: Inputs = ..., *, options: Options = ...
    ) -> Result:
        """Run one command with a connection's values, parameters and secrets together: nothing of them is stored."""

    def test_draft(
        self, name: str, plugin: str, change: Change, *, inputs: Inputs = ..., options: Options = ...
    ) -> Result:
        """Run Test Connection on a new connection's values; stores nothing, raises BadSetting for wrong ones."""

    def test_edit(self, name: str, change: Change, *, inputs: Inputs = ..., options: Options = ...) -> Result:
        """Run Test Connection on a connection as it would be after a change; stores nothing, raises BadSetting."""

    def test_look_up(self, reference: VaultReference) -> Result:
        """Look a value up through a vault connection, as a connection in use would; the result shows it masked."""

    def history(self, limit: int = ..., connection: str | None = ..., *, checks: bool = ...) -> Sequence[HistoryRecord]:
        """Return the newest invocations, newest first: the operator those of all connections, others their own."""

    def search_history(self, wanted: HistoryFilter, *, after: str = ..., limit: int = ...) -> HistoryPage:
        """Return invocations of those that history() tells of, newest first, page by page."""

    def past(self, invocation_id: str) -> HistoryRecord | None:
        """One invocation of the history; None too where it is none of the caller's."""

    def diagnose(self, name: str) -> Mapping[str, Any]:
        """Return what support needs to know of a connection, redacted: {file name: JSON value or text}."""

class BlockingHost(Protocol):
    """Runs commands of plugins through stored connections, for callers that the embedding program vouches for."""

    @property
    def plugins(self) -> PluginRegistry:
        """The plugins; none of their code is run to list them."""

    @property
    def clock(self) -> Clock:
        """The clock that the host goes by."""

    def acting_for(self, caller: Caller) -> BlockingSession:
        """Return a session in which only what `caller` may do is done; a caller with nothing in it may do nothing."""

    def as_operator(self) -> BlockingSession:
        """Return a session of the operator, who may do everything."""

    def why_not_ready(self) -> str:
        """Return what keeps the host from working: its store or key, or what runs by itself; empty for nothing."""

    @property
    def doorkeeper(self) -> Doorkeeper:
        """Knows whoever shows a token, or is signed in."""

    def acting_by(self, token: Token) -> BlockingSession:
        """Return a session for a token's holder; what the token is narrowed to is the surface's to hold."""

    def close(self) -> None:
        """Close every wire and the store."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
