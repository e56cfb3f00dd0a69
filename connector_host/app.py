"""The app: reads the host manifest, fills the parts, and opens a host."""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from connector_host.configuration import DEFAULT, Configuration, SystemClock, bundled
from connector_host.host.audit import Audit
from connector_host.host.connections.pool import ConnectionPool
from connector_host.host.connections.service import Connections
from connector_host.host.connections.values import ValueSource
from connector_host.host.connections.wires import Wiring
from connector_host.host.core import Core
from connector_host.host.event_bus import EventBus
from connector_host.host.history import History
from connector_host.host.host import Host
from connector_host.host.invocation import fetch_credential
from connector_host.host.plan import Planner
from connector_host.host.protecting import lacks_its_end, protect
from connector_host.host.redaction import RedactingFilter
from connector_host.host.secrets import Secrets
from connector_host.host.settings import Settings, laid_over, settings_from
from connector_host.host.sites import SignedSites
from connector_host.host.uploads import Uploads
from connector_host.host.vaults import Vaults
from connector_host.manifests.cache import ManifestCache
from connector_host.manifests.registry import LinkedFolders, PluginRegistry
from connector_host.model.caller import OPERATOR
from connector_host.model.connection import Change
from connector_host.model.errors import BadSetting, StoreError
from connector_host.model.invocation import UNDER_WAY
from connector_host.model.invocation_errors import NotRecordable
from connector_host.model.stored import Lease
from connector_host.parts import LazyParts, PartRegistry
from connector_host.ports.parts import Allowance, Step, Surroundings
from connector_host.ports.stores import LeaseStore, Store

log = logging.getLogger("connector_host")
LOGGERS = ("connector_host", "connector_host.requests", "connector_host.plugins")


class App:
    """A host before it is opened: its settings, its plugins and its parts, each made when it is first asked for."""

    def __init__(self, configuration: Configuration = DEFAULT) -> None:
        self._configuration = configuration
        self._cache = ManifestCache(configuration.resolved_home(), bundled() / "schemas")
        self._parts = PartRegistry(configuration.plugs, configuration.slots)
        self._leases: LeaseStore | None = None
        self._listened = self._parts.listens("observe")
        self._bus = EventBus(configuration.clock or SystemClock())

    @property
    def home(self) -> Path:
        """The data folder."""
        return self._configuration.resolved_home()

    @cached_property
    def settings(self) -> Settings:
        """The host manifest's settings; raises ManifestError, BadSetting."""
        file, base = self._configuration.resolved_manifest(), bundled() / "manifest.yaml"
        given = self._read(base)
        if file != base:
            given = laid_over(given, self._read(file), file.parent, base.parent)
        if self._configuration.steps is not None:
            given = {**given, "steps": list(self._configuration.steps)}
        return settings_from(given, base.parent)

    def _read(self, file: Path) -> dict[str, Any]:
        value = self._cache.recall(str(file))
        if value is None:
            from connector_host.manifests.strict_yaml import read_yaml  # noqa: PLC0415 - what is known needs no YAML

            value = read_yaml(file).value
            value = {} if value is None else value  # everything is commented out: nothing is said
            self._cache.keep(str(file), [file], value)
        if not isinstance(value, dict):
            raise BadSetting(f"The host manifest {file} must be a mapping of settings.")
        return value

    @cached_property
    def plugins(self) -> PluginRegistry:
        """The plugins; none of their code is run."""
        provided = [Path(folder) for folders in self._parts.ask("connectors") for folder in folders]
        folders = [*self.settings.plugins, *self._parts.folders, *provided, *self._configuration.plugin_folders]
        registry = PluginRegistry(folders, self.settings.schemas, self._cache, LinkedFolders(self.home))
        registry.broken |= self._parts.quarantined
        return registry

    @cached_property
    def surroundings(self) -> Surroundings:
        """What every part is made with."""
        configuration = self._configuration
        return Surroundings(
            home=self.home,
            database=configuration.database or os.environ.get("CONNECTOR_HOST_DATABASE", ""),
            key=configuration.key or os.environ.get("CONNECTOR_HOST_KEY", "") or "file",
            clock=configuration.clock or SystemClock(),
            observe=self._observe,
            options=self.settings.options_of,
            lease=self._lease,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Host]:
        """Open a host for the time of an `async with`."""
        log_filter = RedactingFilter()
        runners, agents = self._all("runner"), self._all("agent")
        core = self._core(log_filter, runners, agents)
        host = Host(core)
        loggers = [logging.getLogger(name) for name in LOGGERS]
        for logger in loggers:
            logger.addFilter(log_filter)
        try:
            if not await lacks_its_end(core):
                await _sweep(core.history)
                await protect(core, self.home / f"{core.store.name}.protected")
            yield host
        finally:
            await host.close()
            await runners.close()
            await agents.close()
            for logger in loggers:
                logger.removeFilter(log_filter)

    def with_plug(self, plug: object) -> "App":
        """Return the same with one more object that implements sockets."""
        return App(replace(self._configuration, plugs=(*self._configuration.plugs, plug)))

    def at(self, home: Path) -> "App":
        """Return the same with another data folder, its own database and its own key."""
        linked = tuple(LinkedFolders(self.home).folders())
        database = f"sqlite:///{home}/connector-host.db"
        return App(replace(self._configuration, home=home, database=database, key="file", plugin_folders=linked))

    def _core(self, log_filter: RedactingFilter, runners: LazyParts, agents: LazyParts) -> Core:
        """Fill every slot; the store last, because what is opened must be closed."""
        settings, clock, parts, around = self.settings, self.surroundings.clock, self._parts, self.surroundings
        transports, transport = self._all("transport"), self._name_of("transport")
        if transport not in transports:
            self._part("transport")  # which tells what there is
        wiring = Wiring(self._steps(), transports, transport, settings.egress, settings.proxies)
        [provider] = parts.chosen("keys") or [around.key.partition(":")[0]]
        cipher, keys = self._part("cipher"), parts.part("keys", provider, around)
        notifiers = [parts.part("notifier", name, around) for name in parts.chosen("notifier") or settings.notifiers]
        planner = Planner(settings, runners, agents)
        store: Store = self._part("store")
        self._leases = store.leases
        audit = Audit(store.audit, clock)
        secrets = Secrets(cipher, keys, store, audit)
        sites = SignedSites(store.sites, secrets)
        vaults = Vaults(store, sites, clock, audit, settings.vault_cache_seconds)
        values = ValueSource(self.plugins, secrets, vaults, settings, store.connections)

        async def renew(connection: str, secret: str, value: str) -> int:
            change = Change(secrets={secret: value})
            return (await Connections(core, OPERATOR).edit(connection, change)).version

        history = History(store.history, audit, settings, clock)
        pool = ConnectionPool(store.connections, planner, wiring, values, renew, log_filter, clock)
        uploads, envelope = Uploads(self.home, settings.limits), partial(self._part, "envelope")
        kept = store, audit, history, secrets, sites, vaults, pool, planner, uploads
        rest = runners, agents, notifiers, envelope
        core = Core(settings, clock, around.observe, self._bus, self.plugins, *kept, *rest)
        vaults.attach(partial(fetch_credential, core))
        return core

    def _part(self, slot: str) -> Any:
        return self._parts.part(slot, self._name_of(slot), self.surroundings)

    def _name_of(self, slot: str) -> str:
        [name] = self._parts.chosen(slot) or [self.settings.part_of(slot)]
        return name

    def _all(self, slot: str) -> LazyParts:
        return LazyParts(self._parts, slot, self.surroundings)

    def _steps(self) -> list[Step]:
        known: dict[str, Step] = {}
        for steps in self._parts.ask("steps", surroundings=self.surroundings):
            known.update(steps)
        missing = [name for name in self.settings.steps if name not in known]
        if missing:
            raise BadSetting(f"There is no step '{missing[0]}'. There are: {', '.join(sorted(known))}.")
        return [known[name] for name in self.settings.steps]

    async def _lease(self, allowance: Allowance, wanted: int) -> Lease:
        """Take requests of a limit that all programs of the data folder share."""
        if self._leases is None:
            return Lease(wanted, float("inf"))
        try:
            return await self._leases.take(allowance, wanted, self.surroundings.clock.now().timestamp())
        except StoreError as error:
            raise NotRecordable(f"Nothing was sent: the shared rate limit cannot be kept. {error}") from error

    def _observe(self, event: str, facts: Mapping[str, Any]) -> None:
        if not self._listened and not self._bus.readers:
            return
        told = {**UNDER_WAY.get({}), **facts}
        self._bus.tell(event, told)
        for _ in self._parts.ask("observe", event=event, facts=told):
            pass


async def _sweep(history: History) -> None:
    """End what programs that died had begun; where that fails the host opens all the same."""
    try:
        await history.sweep()
    except StoreError as error:
        log.warning("What programs that died had begun could not be ended yet: %s", error)


def open_host(configuration: Configuration = DEFAULT) -> AbstractAsyncContextManager[Host]:
    """Open a host for the time of an `async with`.

    Raises ManifestError or BadSetting for a wrong host manifest, StoreError where the store cannot be opened.
    """
    return App(configuration).open()
