"""Joins kernel and parts: reads the host manifest, fills the slots, hands out a Host."""

import importlib
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from connector_host.configuration import DEFAULT, Configuration, SystemClock, bundled
from connector_host.contract.connection import Change
from connector_host.contract.errors import BadSetting
from connector_host.contract.face import Surface
from connector_host.contract.ports import Runner, Step, Surroundings
from connector_host.contract.stores import Store
from connector_host.contract.workshop import Workshop
from connector_host.kernel.audit import Auditor
from connector_host.kernel.connections.diagnosis import Diagnosis
from connector_host.kernel.connections.manager import ConnectionManager
from connector_host.kernel.connections.openings import Openings
from connector_host.kernel.connections.transfer import Transfer
from connector_host.kernel.connections.values import ValueSource
from connector_host.kernel.desks import Desks
from connector_host.kernel.health.attention import Attention
from connector_host.kernel.health.checks import HealthChecks
from connector_host.kernel.host import Host
from connector_host.kernel.links import Links
from connector_host.kernel.memory import Memory
from connector_host.kernel.pipeline import Parts
from connector_host.kernel.places import PlaceManager
from connector_host.kernel.plugins import Registry
from connector_host.kernel.recording import Recorder
from connector_host.kernel.redaction import RedactingFilter
from connector_host.kernel.secrets import SecretKeeper
from connector_host.kernel.settings import Settings, settings_from
from connector_host.kernel.spool import FileSpool
from connector_host.kernel.vault import VaultDesk
from connector_host.plugging import Plugging

LOGGERS = ("connector_host", "connector_host.requests", "connector_host.plugins")
_DEFAULT_SLOTS = {
    "store": "sqlite",
    "cipher": "aes-256-gcm",
    "transport": "httpx2",
    "envelope": "hpke",
    "workshop": "authors",
}


class Joiner:
    """The sockets, and what was plugged into them; everything is made when it is first asked for."""

    def __init__(self, configuration: Configuration = DEFAULT) -> None:
        self._configuration = configuration
        self._memory = Memory(configuration.resolved_home(), bundled() / "schemas")
        self._plugging = Plugging(configuration.plugs)

    @cached_property
    def settings(self) -> Settings:
        """The host manifest's settings; raises ManifestError, BadSetting."""
        file = self._configuration.resolved_manifest()
        value = self._memory.recall(str(file))
        if value is None:
            from connector_host.kernel.manifests.strict_yaml import read_yaml  # noqa: PLC0415 - what is known needs no YAML

            value = read_yaml(file).value
            self._memory.keep(str(file), [file], value)
        if not isinstance(value, dict):
            raise BadSetting(f"The host manifest {file} must be a mapping of settings.")
        return settings_from(value, file.parent, bundled() / "schemas")

    @cached_property
    def registry(self) -> Registry:
        """The plugins; none of their code is run."""
        provided = [Path(folder) for folders in self._plugging.ask("connectors") for folder in folders]
        folders = [*self.settings.plugins, *self._plugging.folders, *provided, *self._configuration.plugin_folders]
        registry = Registry(folders, self.settings.schemas, self._memory, Links(self._configuration.resolved_home()))
        registry.broken |= self._plugging.quarantined
        return registry

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
            options=self._options,
        )

    @cached_property
    def workshop(self) -> Workshop:
        """What authors are served with."""
        made: Workshop = self._part("workshop", self._slot("workshop"))
        return made

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
            for runner in self._runners.made:
                await runner.close()
            for logger in loggers:
                logger.removeFilter(log_filter)

    def at(self, home: Path) -> "Joiner":
        """Return the same with another data folder, its own database and its own key."""
        linked = tuple(Links(self._configuration.resolved_home()).folders())
        database = f"sqlite:///{home}/connector-host.db"
        return Joiner(replace(self._configuration, home=home, database=database, key="file", plugin_folders=linked))

    def surface(self, name: str) -> Surface:
        """One of the host's faces."""
        surface: Surface = self._part("surface", name)
        return surface

    def _host(self, log_filter: RedactingFilter) -> Host:
        """Fill every slot."""
        self._runners = _Made(self, "runner")
        registry, steps, clock = self.registry, self._steps(), self.surroundings.clock
        transport = self._part("transport", self._slot("transport"))
        cipher = self._part("cipher", self._slot("cipher"))
        keys = self._part("keys", self.surroundings.key.partition(":")[0])
        notifiers = [self._part("notifier", name) for name in self.settings.notifiers]
        store: Store = self._part("store", self._slot("store"))  # last: what is opened must be closed
        auditor = Auditor(store.audit, clock)
        keeper = SecretKeeper(cipher, keys, store, auditor)

        async def gone(connection_id: str) -> None:
            await openings.forget(connection_id)

        connections = ConnectionManager(registry, store, keeper, self.settings, auditor, clock, gone)
        vaults = VaultDesk(store, clock, auditor, self.settings.vault_cache_seconds)
        values = ValueSource(registry, keeper, vaults, self.settings)

        async def renew(connection: str, secret: str, value: str) -> int:
            return (await connections.edit(connection, Change(secrets={secret: value}))).version

        openings = Openings(transport, values.open, renew, log_filter, clock)
        spool = FileSpool(self.surroundings.home, self.settings.limits)
        parts = Parts(
            settings=self.settings,
            openings=openings,
            runners=self._runners,
            agents=_Made(self, "agent"),
            steps=steps,
            recorder=Recorder(store.history, auditor, self.settings, clock),
            attention=Attention(store.health),
            store=store,
            clock=clock,
            observe=self.surroundings.observe,
            spool=spool,
        )
        desks = Desks(
            places=PlaceManager(store.places, auditor),
            keys=keeper,
            audit=auditor,
            transfer=Transfer(
                registry, store, keeper, connections, auditor, lambda: self._part("envelope", self._slot("envelope"))
            ),
            vaults=vaults,
            diagnosis=Diagnosis(store, connections, keeper, auditor, registry),
            health=partial(HealthChecks, store, clock, self.settings, notifiers),
        )
        return Host(registry, connections, parts, desks)

    def _slot(self, name: str) -> str:
        return self.settings.slots.get(name, _DEFAULT_SLOTS[name])

    def _steps(self) -> list[Step]:
        known: dict[str, Step] = {}
        for steps in self._plugging.ask("steps", surroundings=self.surroundings):
            known.update(steps)
        missing = [name for name in self.settings.steps if name not in known]
        if missing:
            raise BadSetting(f"There is no step '{missing[0]}'. There are: {', '.join(sorted(known))}.")
        return [known[name] for name in self.settings.steps]

    def _part(self, slot: str, name: str) -> Any:
        """Make the part of that name; raises BadSetting where nobody provides it."""
        offers = self._plugging.offers(slot)
        if name not in offers:
            raise BadSetting(
                f"The slot '{slot}' can not be filled with '{name}'. There are: {', '.join(sorted(offers)) or 'none'}."
            )
        module, _, attribute = offers[name].partition(":")
        return getattr(importlib.import_module(module), attribute)(self.surroundings)

    def _options(self, part: str) -> Mapping[str, Any]:
        return self.settings.options(part)

    def _observe(self, event: str, facts: Mapping[str, Any]) -> None:
        if self._plugging.listens("observe"):
            for _ in self._plugging.ask("observe", event=event, facts=facts):
                pass


class _Made(Mapping[str, Runner]):
    """The runners, or the agents, by name, each imported for the first command that needs it."""

    def __init__(self, joiner: Joiner, slot: str) -> None:
        self._joiner = joiner
        self._slot = slot
        self._made: dict[str, Runner] = {}

    @property
    def made(self) -> list[Runner]:
        """Those that were made."""
        return list(self._made.values())

    @cached_property
    def _offers(self) -> Mapping[str, str]:
        return self._joiner._plugging.offers(self._slot)  # noqa: SLF001 - the joiner's own mapping

    def __getitem__(self, name: str) -> Runner:
        if name not in self._made:
            if name not in self._offers:
                raise KeyError(name)
            self._made[name] = self._joiner._part(self._slot, name)  # noqa: SLF001 - the joiner's own mapping
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._offers)

    def __len__(self) -> int:
        return len(self._offers)


def open_host(configuration: Configuration = DEFAULT) -> AbstractAsyncContextManager[Host]:
    """Open a host for the time of an `async with`.

    Raises ManifestError or BadSetting for a wrong host manifest, StoreError where the store can not be opened.
    """
    return Joiner(configuration).open()
