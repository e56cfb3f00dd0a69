"""What was plugged into the host's sockets: built-in parts, packages' entry points; a faulty one is set aside."""

import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from connector_host.builtin import plugs
from connector_host.contract import hooks
from connector_host.contract.boundary import authors_code, fault_of
from connector_host.contract.errors import BrokenPlugin
from connector_host.contract.manifest import BrokenPluginFacts
from connector_host.contract.modules import MANIFEST

log = logging.getLogger("connector_host.plugins")


class Plugging:
    """The sockets. Each package is asked by itself: one that fails is quarantined with its reason, and no other is."""

    def __init__(self, more: Sequence[object] = ()) -> None:
        self.quarantined: dict[str, BrokenPluginFacts] = {}
        self.folders: list[Path] = []
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._manager.register(plugs, "built-in")
        for plug in more:
            self._manager.register(plug)
        for point in entry_points(group=hooks.PROJECT):
            self._plug(point)

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
        for provided in self.ask("provide"):
            offers.update(provided.get(slot, {}))
        return offers

    def listens(self, socket: str) -> bool:
        """Whether anything is plugged into a socket."""
        return bool(getattr(self._manager.hook, socket).get_hookimpls())

    def _set_aside(self, name: str, error: BrokenPlugin) -> None:
        self.quarantined[name] = BrokenPluginFacts(name, Path(), str(error))
        log.warning("The package '%s' is set aside: %s", name, error)


def _folder_of(point: EntryPoint) -> Path | None:
    """Return the folder of a package that is a plugin's: it has a manifest, and is found without running it."""
    if "." in point.module or point.attr:
        return None
    spec = importlib.util.find_spec(point.module)
    places = spec.submodule_search_locations if spec else None
    return next((Path(place) for place in places or () if (Path(place) / MANIFEST).exists()), None)


def _broken(name: str, error: BaseException) -> BrokenPlugin:
    return BrokenPlugin(f"The package '{name}' failed when it was loaded: {fault_of(error)}.")
