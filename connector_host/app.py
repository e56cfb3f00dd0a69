"""Joins kernel and parts: reads the host manifest, fills the slots, hands out a Host."""

import importlib
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio
import pluggy

from connector_host.builtin import plugs
from connector_host.contract import hooks
from connector_host.contract.errors import BadSetting
from connector_host.contract.face import Surface
from connector_host.contract.ports import Clock, Runner, Step, Store, Surroundings
from connector_host.kernel.connections import ConnectionManager
from connector_host.kernel.host import Host
from connector_host.kernel.memory import Memory
from connector_host.kernel.openings import Openings
from connector_host.kernel.pipeline import Parts
from connector_host.kernel.plugins import Registry
from connector_host.kernel.recording import Recorder
from connector_host.kernel.redaction import RedactingFilter
from connector_host.kernel.secrets import SecretKeeper
from connector_host.kernel.settings import Settings, settings_from

LOGGERS = ("connector_host", "connector_host.requests", "connector_host.plugins")
_HERE = Path(__file__).parent
_DEFAULT_SLOTS = {"store": "sqlite", "cipher": "aes-256-gcm", "transport": "httpx2"}


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where a host finds its things; each field falls back to an environment variable, then to a default.

    home: data folder (CONNECTOR_HOST_HOME, else ~/.connector-host). database: a URL (CONNECTOR_HOST_DATABASE).
    key: a key provider, `file`, `file:PATH` or `env:VARIABLE` (CONNECTOR_HOST_KEY). manifest: the host's
    manifest.yaml (CONNECTOR_HOST_MANIFEST). clock: replaceable for tests.
    """

    home: Path | None = None
    database: str | None = None
    key: str | None = None
    manifest: Path | None = None
    clock: Clock | None = None

    def resolved_home(self) -> Path:
        """Return the data folder."""
        return self.home or Path(os.environ.get("CONNECTOR_HOST_HOME") or Path.home() / ".connector-host")

    def resolved_manifest(self) -> Path:
        """Return the host manifest; the one that comes with the package unless told otherwise."""
        return self.manifest or Path(os.environ.get("CONNECTOR_HOST_MANIFEST") or bundled() / "manifest.yaml")


def bundled() -> Path:
    """Return the folder with the host manifest, the schemas and the plugins: in the wheel, or the checkout's top."""
    packed = _HERE / "_bundled"
    return packed if packed.is_dir() else _HERE.parent


class Joiner:
    """The sockets, and what was plugged into them; everything is made when it is first asked for."""

    def __init__(self, configuration: Configuration = Configuration()) -> None:
        self._configuration = configuration
        self._memory = Memory(configuration.resolved_home(), bundled() / "schemas")
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._manager.register(plugs, "built-in")
        self._manager.load_setuptools_entrypoints(hooks.PROJECT)

    @cached_property
    def settings(self) -> Settings:
        """The host manifest's settings; raises ManifestError, BadSetting."""
        file = self._configuration.resolved_manifest()
        value = self._memory.recall(str(file))
        if value is None:
            from connector_host.kernel.strict_yaml import read_yaml  # noqa: PLC0415 - what is known needs no YAML

            value = read_yaml(file).value
            self._memory.keep(str(file), [file], value)
        if not isinstance(value, dict):
            raise BadSetting(f"The host manifest {file} must be a mapping of settings.")
        return settings_from(value, file.parent, bundled() / "schemas")

    @cached_property
    def registry(self) -> Registry:
        """The plugins; none of their code is run."""
        provided = [Path(folder) for folders in self._manager.hook.connectors() for folder in folders]
        return Registry([*self.settings.plugins, *provided], self.settings.schemas, self._memory)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What every part is made with."""
        configuration = self._configuration
        return Surroundings(
            home=configuration.resolved_home(),
            database=configuration.database or os.environ.get("CONNECTOR_HOST_DATABASE", ""),
            key=configuration.key or os.environ.get("CONNECTOR_HOST_KEY", "") or "file",
            clock=configuration.clock or SystemClock(),
            observe=self._observe,
        )

    @property
    def catalogue(self) -> Registry:
        """The plugins, as surfaces see them."""
        return self.registry

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Host]:
        """Open a host for the time of an `async with`."""
        log_filter = RedactingFilter()
        host = self._host(log_filter)
        loggers = [logging.getLogger(name) for name in LOGGERS]
        for logger in loggers:
            logger.addFilter(log_filter)
        try:
            yield host
        finally:
            await host.close()
            for logger in loggers:
                logger.removeFilter(log_filter)

    def at(self, home: Path) -> "Joiner":
        """Return the same with another data folder, its own database and its own key."""
        return Joiner(
            replace(self._configuration, home=home, database=f"sqlite:///{home}/connector-host.db", key="file")
        )

    def surface(self, name: str) -> Surface:
        """One of the host's faces."""
        surface: Surface = self._part("surface", name)
        return surface

    def _host(self, log_filter: RedactingFilter) -> Host:
        """Fill every slot."""
        registry, steps = self.registry, self._steps()
        transport = self._part("transport", self._slot("transport"))
        cipher = self._part("cipher", self._slot("cipher"))
        keys = self._part("keys", self.surroundings.key.partition(":")[0])
        store: Store = self._part("store", self._slot("store"))  # last: what is opened must be closed
        keeper = SecretKeeper(cipher, keys, store.connections)

        async def gone(connection_id: str) -> None:
            await openings.forget(connection_id)

        connections = ConnectionManager(registry, store.connections, keeper, self.settings, gone)
        openings = Openings(transport, connections.open, log_filter)
        parts = Parts(
            settings=self.settings,
            openings=openings,
            runners=_Runners(self),
            steps=steps,
            recorder=Recorder(store.history, self.settings, self.surroundings.clock),
            intake_log=store.intake,
            clock=self.surroundings.clock,
            observe=self.surroundings.observe,
        )
        return Host(registry, store, keeper, connections, parts)

    def _slot(self, name: str) -> str:
        return self.settings.slots.get(name, _DEFAULT_SLOTS[name])

    def _steps(self) -> list[Step]:
        known: dict[str, Step] = {}
        for steps in self._manager.hook.steps(surroundings=self.surroundings):
            known.update(steps)
        missing = [name for name in self.settings.steps if name not in known]
        if missing:
            raise BadSetting(f"There is no step '{missing[0]}'. There are: {', '.join(sorted(known))}.")
        return [known[name] for name in self.settings.steps]

    def _part(self, slot: str, name: str) -> Any:
        """Make the part of that name; raises BadSetting where nobody provides it."""
        offers: dict[str, str] = {}
        for provided in self._manager.hook.provide():
            offers.update(provided.get(slot, {}))
        if name not in offers:
            raise BadSetting(
                f"The slot '{slot}' can not be filled with '{name}'. There are: {', '.join(sorted(offers))}."
            )
        module, _, attribute = offers[name].partition(":")
        return getattr(importlib.import_module(module), attribute)(self.surroundings)

    def _observe(self, event: str, facts: Mapping[str, Any]) -> None:
        if self._manager.hook.observe.get_hookimpls():
            self._manager.hook.observe(event=event, facts=facts)


class _Runners(Mapping[str, Runner]):
    """The runners by name, each imported for the first command that needs it."""

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner
        self._made: dict[str, Runner] = {}

    def __getitem__(self, name: str) -> Runner:
        if name not in self._made:
            self._made[name] = self._joiner._part("runner", name)  # noqa: SLF001 - the joiner's own mapping
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def open_host(configuration: Configuration = Configuration()) -> AbstractAsyncContextManager[Host]:
    """Open a host for the time of an `async with`.

    Raises ManifestError or BadSetting for a wrong host manifest, StoreError where the store can not be opened.
    """
    return Joiner(configuration).open()
