"""What a surface sees of the host."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from connector_host.contract.manifest import BrokenPluginFacts, Command, Manifest
from connector_host.contract.model import OPERATOR, Caller, Change, Connection, HistoryRecord, Options, Result


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
    """Connections; secrets go in and never come out."""

    async def add(self, name: str, plugin: str, change: Change) -> Connection:
        """Keep a new one; raises UnknownPlugin, ConnectionExists, BadSetting."""

    async def edit(self, name: str, change: Change) -> Connection:
        """Change one; raises UnknownConnection, ConnectionChanged, BadSetting."""

    async def remove(self, name: str) -> None:
        """Forget one; raises UnknownConnection."""

    async def list(self, plugin: str | None = None) -> list[Connection]:
        """All, or those of one plugin, by name."""

    async def show(self, name: str) -> dict[str, Any]:
        """One as `schemas/connection.schema.json` describes it; raises UnknownConnection."""


class KeyDesk(Protocol):
    """Master keys."""

    async def rotate(self) -> int:
        """Put every data key under a new master key; how many."""

    async def retire(self) -> None:
        """Forget the older master keys; raises SealError while one is needed."""


class HostFace(Protocol):
    """The host in use."""

    @property
    def connections(self) -> ConnectionDesk:
        """The connections."""

    @property
    def keys(self) -> KeyDesk:
        """The master keys."""

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

    async def test(self, connection: str, inputs: Mapping[str, Any] | None = None, *, options: Options = ...) -> Result:
        """Run Test Connection."""

    async def test_draft(self, name: str, plugin: str, change: Change, *, options: Options = ...) -> Result:
        """Run Test Connection on values that are not saved."""

    async def history(self, limit: int = 50, connection: str | None = None) -> Sequence[HistoryRecord]:
        """Return the newest invocations."""

    async def past(self, invocation_id: str) -> HistoryRecord | None:
        """One invocation."""


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
