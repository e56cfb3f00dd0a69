"""What a surface sees of the host."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from connector_host.contract.connection import (
    OPERATOR,
    Caller,
    Change,
    VaultReference,
)
from connector_host.contract.desks import AuditDesk, ConnectionDesk, HealthDesk, KeyDesk, PlaceDesk, TransferDesk
from connector_host.contract.files import Spool
from connector_host.contract.manifest import BrokenPluginFacts, Command, Manifest
from connector_host.contract.model import Choice, HistoryRecord, Options, Result
from connector_host.contract.workshop import Workshop


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

    def localised(self, plugin: str, language: str | None) -> Manifest:
        """Return a plugin in the words of a language, as far as it has them; raises UnknownPlugin, BrokenPlugin."""

    def folder(self, plugin: str) -> Path:
        """Return the folder of a plugin, a broken one too; raises UnknownPlugin."""

    def link(self, folder: Path) -> None:
        """Keep the plugin in a folder outside at hand, on this data folder; raises BadSetting."""

    def unlink(self, folder: Path) -> None:
        """Forget a linked folder; raises BadSetting where it is not linked."""

    @property
    def schemas(self) -> Path:
        """The folder with the published schemas."""


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

    @property
    def files(self) -> Spool:
        """Files on their way into commands."""

    async def choices(
        self, plugin: str, command: str, parameter: str, connection: str, caller: Caller = OPERATOR
    ) -> list[Choice]:
        """Return a parameter's options, fetched from the service where the plugin says so; raises WrongUse."""

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

    @property
    def workshop(self) -> Workshop:
        """What authors are served with."""

    def open(self) -> AbstractAsyncContextManager[HostFace]:
        """Open the host, for the time of an `async with`."""

    def at(self, home: Path) -> "Entrance":
        """Return the same with another data folder, and nothing taken from the environment."""


class Surface(Protocol):
    """A face of the host: it translates, and decides nothing."""

    def main(self, entrance: Entrance, arguments: Sequence[str]) -> int:
        """Serve one call; its exit code."""
