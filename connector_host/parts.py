"""The parts that fill the host's slots: built-in ones, and those of packages; a faulty package is set aside."""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy

from connector_host.model.boundary import authors_code, fault_of
from connector_host.model.errors import BadSetting, BrokenPlugin
from connector_host.model.manifest import MANIFEST, BrokenPluginFacts
from connector_host.ports import hookspecs
from connector_host.ports.parts import Step, Surroundings

log = logging.getLogger("connector_host.plugins")
_NONE: Mapping[str, Any] = {}

# Each is imported when the host manifest chooses it, and made with `Surroundings` as its one argument.
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "store": {"sqlite": "connector_host.stores.sqlite:SqliteStore"},
    "cipher": {"aes-256-gcm": "connector_host.crypto.aes_gcm:AesGcm"},
    "envelope": {"hpke": "connector_host.crypto.hpke:Hpke"},
    "keys": {
        "file": "connector_host.crypto.key_rings:KeyFile",
        "env": "connector_host.crypto.key_rings:KeyEnvironment",
        "transit": "connector_host.crypto.key_transit:KeyTransit",
    },
    "transport": {
        "lean": "connector_host.http.lean_transport:LeanTransport",
        "httpx2": "connector_host.http.httpx2_transport:Httpx2Transport",
    },
    "notifier": {"smtp": "connector_host.notifiers.smtp:SmtpNotifier"},
    "runner": {
        "request": "connector_host.running.declared:RequestRunner",
        "python": "connector_host.running.python:PythonRunner",
        "isolated": "connector_host.running.isolated.runner:IsolatedRunner",
    },
}


def _built_in_steps(surroundings: Surroundings) -> Mapping[str, Step]:
    """Return the built-in steps around every request."""
    from connector_host.http.limits import Limiter  # noqa: PLC0415 - a host that runs nothing needs none
    from connector_host.http.retry import RequestLog, Retry  # noqa: PLC0415 - the same

    request_log = RequestLog(surroundings.clock, surroundings.observe)
    return {
        "retry": Retry(surroundings.clock, surroundings.observe),
        "limit": Limiter(surroundings.clock, surroundings.observe, surroundings.lease),
        "request_log": request_log,
        "audit": request_log,  # its name in host manifests of release 1.0
    }


_BUILT_IN_PLUG = SimpleNamespace(
    provide=hookspecs.plug(lambda: BUILT_IN, specname="provide"),
    steps=hookspecs.plug(_built_in_steps, specname="steps"),
)


@cache
def _installed(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return what the installed packages bring. To ask them reads the files of all, so it is done once for a path."""
    return tuple(entry_points(group=hookspecs.PROJECT))


OWN = "given"  # the name of a part that the embedding program gives


class PartRegistry:
    """The sockets. Each package is asked by itself: one that fails is quarantined with its reason, and no other is.

    `slots` are what the embedding program itself fills slots with: a name, a part, or a function that makes one of
    `Surroundings`; for notifiers a sequence of those, for agents and runners a mapping of names and those.
    """

    def __init__(self, more: Sequence[object] = (), slots: Mapping[str, Any] = _NONE) -> None:
        known = (*BUILT_IN, "agent")
        for slot in slots:
            if slot not in known:
                raise BadSetting(f"There is no slot '{slot}' to fill. There are: {', '.join(known)}.")
        self._chosen: dict[str, list[str]] = {}
        self._given: dict[str, dict[str, Any]] = {}
        for slot, value in slots.items():
            self._fill(slot, value)
        self.quarantined: dict[str, BrokenPluginFacts] = {}
        self.folders: list[Path] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(_BUILT_IN_PLUG, "built-in")
        for plug in more:
            self._manager.register(plug)
            if not self._manager.get_hookcallers(plug):
                cause = "has no hook: mark its methods with `@plug` from connector_host.ports.hookspecs."
                raise BadSetting(f"The plug of the type {type(plug).__name__} {cause}")
        for point in _installed(tuple(sys.path)):
            self._plug(point)

    def _fill(self, slot: str, value: Any) -> None:
        if isinstance(value, Mapping):  # agents and runners have names
            self._given.setdefault(slot, {}).update(value)
            return
        several = value if slot == "notifier" and isinstance(value, list | tuple) else [value]
        for number, one in enumerate(several):
            name = one if isinstance(one, str) else f"{OWN} {number}" if number else OWN
            self._chosen.setdefault(slot, []).append(name)
            if not isinstance(one, str):
                self._given.setdefault(slot, {})[name] = one

    def chosen(self, slot: str) -> Sequence[str]:
        """Return the names by which the embedding program fills a slot; none where the host manifest is to say."""
        return self._chosen.get(slot, ())

    def _plug(self, point: EntryPoint) -> None:
        """Take one entry point: a package with a manifest is not even imported."""
        try:
            with authors_code(partial(_broken, point.name)):
                folder = _folder_of(point)
                if folder is not None:
                    self.folders.append(folder)
                else:
                    self._manager.register(point.load(), point.name)
        except BrokenPlugin as error:
            self._set_aside(point.name, error)

    def ask(self, socket: str, **facts: Any) -> Iterator[Any]:
        """Return what each plug gives at a socket, the built-in ones first."""
        for implementation in reversed(getattr(self._manager.hook, socket).get_hookimpls()):
            name = implementation.plugin_name
            try:
                with authors_code(partial(_broken, name)):
                    wanted = {key: facts[key] for key in implementation.argnames}
                    given = implementation.function(**wanted)
            except BrokenPlugin as error:
                self._set_aside(name, error)
                self._manager.unregister(name=name)
            else:
                yield given

    def offers(self, slot: str) -> Mapping[str, str]:
        """Return who offers to fill a slot, by name."""
        offers: dict[str, str] = {}
        for provided in reversed(list(self.ask("provide"))):  # the last to come, a package's, has the last word
            offers.update(provided.get(slot, {}))
        return {**offers, **dict.fromkeys(self._given.get(slot, {}), "given by the embedding program")}

    def part(self, slot: str, name: str, surroundings: Surroundings) -> Any:
        """Make the part of that name; raises BadSetting where nobody provides it."""
        if name in self._given.get(slot, {}):
            given = self._given[slot][name]
            return given(surroundings) if callable(given) else given
        offers = self.offers(slot)
        if name not in offers:
            raise BadSetting(
                f"The slot '{slot}' cannot be filled with '{name}'. There are: {', '.join(sorted(offers)) or 'none'}."
            )
        module, _, attribute = offers[name].partition(":")
        return getattr(importlib.import_module(module), attribute)(surroundings)

    def listens(self, socket: str) -> bool:
        """Whether anything is plugged into a socket."""
        return bool(getattr(self._manager.hook, socket).get_hookimpls())

    def _set_aside(self, name: str, error: BrokenPlugin) -> None:
        self.quarantined[name] = BrokenPluginFacts(name, Path(), str(error))
        log.warning("The package '%s' is set aside: %s", name, error)


class LazyParts(Mapping[str, Any]):
    """All parts that are offered for one slot, by name, each imported and made when it is first needed."""

    def __init__(self, registry: PartRegistry, slot: str, surroundings: Surroundings) -> None:
        self._registry = registry
        self._slot = slot
        self._surroundings = surroundings
        self._made: dict[str, Any] = {}

    @cached_property
    def _offers(self) -> Mapping[str, str]:
        return self._registry.offers(self._slot)

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            if name not in self._offers:
                raise KeyError(name)
            self._made[name] = self._registry.part(self._slot, name, self._surroundings)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._offers  # Mapping's own would make the part to find out

    def __iter__(self) -> Iterator[str]:
        return iter(self._offers)

    def __len__(self) -> int:
        return len(self._offers)

    async def close(self) -> None:
        """Close those that were made."""
        for part in self._made.values():
            await part.close()


def _folder_of(point: EntryPoint) -> Path | None:
    """Return the folder of a package that is a plugin's: it has a manifest, and is found without running it."""
    if "." in point.module or point.attr:
        return None
    spec = importlib.util.find_spec(point.module)
    folders = spec.submodule_search_locations if spec else None
    return next((Path(folder) for folder in folders or () if (Path(folder) / MANIFEST).exists()), None)


def _broken(name: str, error: BaseException) -> BrokenPlugin:
    return BrokenPlugin(f"The package '{name}' failed when it was loaded: {fault_of(error)}.")
