"""The registry: which plugins there are, which of them are broken, and why."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from connector_host.contract.errors import BadSetting, BrokenPlugin, ManifestError, UnknownCommand, UnknownPlugin
from connector_host.contract.manifest import BrokenPluginFacts, Command, Manifest
from connector_host.contract.modules import MANIFEST
from connector_host.contract.problems import Problem
from connector_host.kernel.links import Links
from connector_host.kernel.manifests.loading import load_manifest
from connector_host.kernel.memory import Memory
from connector_host.kernel.schema import did_you_mean

_ORDER = {
    ">=": lambda mine, theirs: mine >= theirs,
    "<=": lambda mine, theirs: mine <= theirs,
    "==": lambda mine, theirs: mine == theirs,
    "<": lambda mine, theirs: mine < theirs,
    ">": lambda mine, theirs: mine > theirs,
}


class Registry:
    """The plugins of a host; a broken one is kept with its reason and never stops the others."""

    def __init__(
        self, folders: Iterable[Path], schemas: Path, memory: Memory | None = None, links: Links | None = None
    ) -> None:
        self.schemas = schemas
        self._memory = memory
        self._links = links
        self.plugins: dict[str, Manifest] = {}
        self.broken: dict[str, BrokenPluginFacts] = {}
        for folder in [*folders, *(links.folders() if links else ())]:
            self._load(folder)

    def _load(self, folder: Path) -> None:
        try:
            manifest = load_manifest(folder, self.schemas, self._memory)
            self._refuse_misfits(manifest)
        except ManifestError as error:
            self.broken[folder.name] = BrokenPluginFacts(folder.name, folder, str(error))
        else:
            self.plugins[manifest.id] = manifest

    def _refuse_misfits(self, manifest: Manifest) -> None:
        file = str(manifest.root / MANIFEST)
        if manifest.id in self.plugins:
            raise ManifestError(
                [
                    Problem(
                        file,
                        1,
                        f"The plugin id '{manifest.id}' is taken by {self.plugins[manifest.id].root}.",
                        "Choose another id.",
                        "plugin-id-taken",
                    )
                ]
            )
        mine = version("connector-host") if manifest.requires_host else ""
        if not satisfies(mine, manifest.requires_host):
            raise ManifestError(
                [
                    Problem(
                        file,
                        1,
                        f"It requires the host {manifest.requires_host}; this is {mine}.",
                        "Update the host or the plugin.",
                        "host-version",
                    )
                ]
            )

    def localised(self, plugin: str, language: str | None) -> Manifest:
        """Return a plugin in the words of a language, as far as it has them; raises UnknownPlugin, BrokenPlugin."""
        manifest = self.plugin(plugin)
        if not language:
            return manifest
        from connector_host.kernel.manifests.locales import localised  # noqa: PLC0415 - only another language pays

        return localised(manifest, language)

    def folder(self, plugin: str) -> Path:
        """Return the folder of a plugin, a broken one too; raises UnknownPlugin."""
        return self.broken[plugin].folder if plugin in self.broken else self.plugin(plugin).root

    def link(self, folder: Path) -> None:
        """Keep the plugin in a folder outside at hand, on this data folder; raises BadSetting."""
        if self._links is None:
            raise BadSetting("This host links no plugins.")
        self._links.add(folder.resolve())

    def unlink(self, folder: Path) -> None:
        """Forget a linked folder; raises BadSetting where it is not linked."""
        if self._links is None:
            raise BadSetting("This host links no plugins.")
        self._links.remove(folder.resolve())

    def plugin(self, name: str) -> Manifest:
        """Return the plugin of that id; raises UnknownPlugin, BrokenPlugin."""
        found = self.plugins.get(name)
        if found is not None:
            return found
        if name in self.broken:
            raise BrokenPlugin(f"The plugin '{name}' is broken.\n{self.broken[name].reason}")
        raise UnknownPlugin(f"There is no plugin '{name}'.{did_you_mean(name, list(self.plugins))}")

    def command(self, plugin: str, name: str) -> tuple[Manifest, Command]:
        """Return a plugin and one of its commands, with hyphens or underscores; raises UnknownCommand too."""
        manifest = self.plugin(plugin)
        command = manifest.commands.get(name) or manifest.commands.get(name.replace("-", "_"))
        if command is None:
            shown = [known.replace("_", "-") for known in manifest.commands]
            raise UnknownCommand(f"The plugin '{plugin}' has no command '{name}'.{did_you_mean(name, shown)}")
        return manifest, command

    def commands_of_kind(self, plugin: str, kind: str) -> Mapping[str, Command]:
        """Return the plugin's commands of one kind."""
        return {name: command for name, command in self.plugin(plugin).commands.items() if command.kind == kind}


def satisfies(mine: str, required: str) -> bool:
    """Whether version `mine` fits `required`, for example ">=1,<2"; the empty requirement fits all."""
    for clause in filter(None, re.split(r"\s*,\s*", required.strip())):
        sign = clause[:2] if clause[:2] in _ORDER else clause[:1]
        if not _ORDER[sign](*_padded(mine, clause[len(sign) :].strip())):
            return False
    return True


def _padded(mine: str, theirs: str) -> tuple[list[int], list[int]]:
    first, second = ([int(part) for part in re.findall(r"\d+", text)][:4] for text in (mine, theirs))
    length = max(len(first), len(second))
    return first + [0] * (length - len(first)), second + [0] * (length - len(second))
