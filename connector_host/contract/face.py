"""What a surface sees of the host."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from connector_host.contract.audit import AuditHead, AuditRecord, AuditVerdict
from connector_host.contract.connection import (
    EVERYTHING,
    OPERATOR,
    Caller,
    Change,
    Connection,
    Outcome,
    Round,
    Selection,
    StoredConnection,
    VaultReference,
)
from connector_host.contract.manifest import BrokenPluginFacts, Command, Manifest
from connector_host.contract.model import HistoryRecord, Options, Result
from connector_host.contract.places import PlaceMap, Site, Tenant


class Catalogue(Protocol):
    """The plugins; none of their code is run."""

    @property
    def plugins(self) -> Mapping[str, Manifest]:
        """Those that can be used, by id."""

    @property
    def broken(self) -> Mapping[str, BrokenPluginFacts]:
        """Those that can not, by folder."""

    def plugin(self, name: str) -> Manifest:
        """One plugin; raises UnknownPlugin, BrokenPlugin."""

    def command(self, plugin: str, name: str) -> tuple[Manifest, Command]:
        """One command, with hyphens or underscores; raises UnknownCommand too."""

    def check(self, folder: Path) -> Manifest:
        """Read the plugin in a folder; raises ManifestError with all that is wrong."""


class ConnectionDesk(Protocol):
    """Connections; secrets go in and never come out. Each method does only what its caller may."""

    async def add(self, name: str, plugin: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Keep a new one; raises UnknownPlugin, ConnectionExists, NotAllowed, UnknownPlace, BadSetting."""

    async def edit(self, name: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Change one; raises UnknownConnection, ConnectionChanged, NotAllowed, UnknownPlace, BadSetting."""

    async def edit_many(self, selection: Selection, change: Change, caller: Caller = OPERATOR) -> list[Outcome]:
        """Change all selected, each by itself."""

    async def copy(self, name: str, new_name: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Keep another like this one, changed."""

    async def remove(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget one; raises UnknownConnection, NotAllowed, BadSetting."""

    async def upgrade(self, caller: Caller = OPERATOR) -> list[Outcome]:
        """Bring those saved for another version of their plugin up to today's."""

    async def list(self, selection: Selection = EVERYTHING, caller: Caller = OPERATOR) -> list[StoredConnection]:
        """Those selected, by name."""

    async def show(self, name: str, caller: Caller = OPERATOR) -> dict[str, Any]:
        """One as `schemas/connection.schema.json` describes it; raises UnknownConnection."""


class PlaceDesk(Protocol):
    """Tenants and sites."""

    async def map(self, caller: Caller = OPERATOR) -> PlaceMap:
        """All of them."""

    async def put_tenant(self, name: str, *, master: bool = False, caller: Caller = OPERATOR) -> Tenant:
        """Add a tenant, or change it; raises BadSetting."""

    async def put_site(
        self, name: str, *, tenant: str | None = None, internal: bool = True, caller: Caller = OPERATOR
    ) -> Site:
        """Add a site, or change it; raises BadSetting, UnknownPlace."""

    async def remove_tenant(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a tenant; raises UnknownPlace, BadSetting."""

    async def remove_site(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a site; raises UnknownPlace, BadSetting."""


class KeyDesk(Protocol):
    """Master keys."""

    async def rotate(self, caller: Caller = OPERATOR) -> int:
        """Put every data key under a new master key; how many."""

    async def retire(self, caller: Caller = OPERATOR) -> None:
        """Forget the older master keys; raises SealError while one is needed."""


class AuditDesk(Protocol):
    """The audit; the operator's."""

    async def newest(self, limit: int, caller: Caller = OPERATOR) -> list[AuditRecord]:
        """Return the newest records, newest first."""

    async def verify(self, noted: AuditHead | None = None, caller: Caller = OPERATOR) -> AuditVerdict:
        """Check the whole chain, and that it still holds what somebody noted."""


class HealthDesk(Protocol):
    """Health checks."""

    @property
    def can_notify(self) -> bool:
        """Whether anything is set up that tells people."""

    async def run_due(self, caller: Caller = OPERATOR) -> Round:
        """Run every check that is due, once."""

    async def serve(self, caller: Caller = OPERATOR) -> None:
        """Run what is due, for ever."""


class TransferDesk(Protocol):
    """Export and import."""

    async def export(
        self, selection: Selection = EVERYTHING, *, public_key: bytes | None = None, caller: Caller = OPERATOR
    ) -> dict[str, Any]:
        """Return connections as a document for YAML, their secrets sealed to a public key or left out."""

    async def take(
        self,
        document: Any,
        *,
        private_key: bytes | None = None,
        replace_existing: bool = False,
        caller: Caller = OPERATOR,
    ) -> list[Outcome]:
        """Add an exported document's connections."""


class HostFace(Protocol):
    """The host in use."""

    @property
    def connections(self) -> ConnectionDesk:
        """The connections."""

    @property
    def places(self) -> PlaceDesk:
        """Tenants and sites."""

    @property
    def keys(self) -> KeyDesk:
        """The master keys."""

    @property
    def audit(self) -> AuditDesk:
        """The audit; the operator's."""

    @property
    def health(self) -> HealthDesk:
        """The health checks."""

    @property
    def transfer(self) -> TransferDesk:
        """Export and import."""

    async def run(
        self,
        plugin: str,
        command: str,
        connection: str,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = OPERATOR,
        *,
        options: Options = ...,
    ) -> Result:
        """Run one command; raises WrongUse where there is nothing to run."""

    async def take_in(
        self,
        plugin: str,
        command: str,
        connection: str,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = OPERATOR,
        *,
        options: Options = ...,
    ) -> Result:
        """Run an intake command and keep its records in the store."""

    async def test(
        self,
        connection: str,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = OPERATOR,
        *,
        options: Options = ...,
    ) -> Result:
        """Run Test Connection."""

    async def test_draft(
        self, name: str, plugin: str, change: Change, caller: Caller = OPERATOR, *, options: Options = ...
    ) -> Result:
        """Run Test Connection on a new connection's values, which are not saved."""

    async def test_edit(
        self, name: str, change: Change, caller: Caller = OPERATOR, *, options: Options = ...
    ) -> Result:
        """Run Test Connection on a changed connection, which is not saved."""

    async def test_look_up(self, reference: VaultReference, caller: Caller = OPERATOR) -> Result:
        """Look a value up in a password vault, and show it masked."""

    async def history(
        self, limit: int = 50, connection: str | None = None, caller: Caller = OPERATOR, *, checks: bool = False
    ) -> Sequence[HistoryRecord]:
        """Return the newest invocations, or health checks only."""

    async def past(self, invocation_id: str, caller: Caller = OPERATOR) -> HistoryRecord | None:
        """One invocation."""

    async def diagnose(self, name: str, caller: Caller = OPERATOR) -> Mapping[str, Any]:
        """Return what support needs to know of a connection, redacted, as {file name: JSON value}."""


class Entrance(Protocol):
    """Where a surface comes in: the catalogue at once, the host when it is needed."""

    @property
    def catalogue(self) -> Catalogue:
        """The plugins."""

    def open(self) -> AbstractAsyncContextManager[HostFace]:
        """Open the host, for the time of an `async with`."""

    def at(self, home: Path) -> "Entrance":
        """Return the same with another data folder, and nothing taken from the environment."""


class Surface(Protocol):
    """A face of the host: it translates, and decides nothing."""

    def main(self, entrance: Entrance, arguments: Sequence[str]) -> int:
        """Serve one call; its exit code."""
