"""The registry: which plugins there are, which of them are broken, and why; and folders linked from outside."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from connector_host.manifests.cache import ManifestCache
from connector_host.manifests.structuring import load_manifest
from connector_host.manifests.versions import compared
from connector_host.manifests.wording import did_you_mean
from connector_host.model.boundary import authors_code, fault_of
from connector_host.model.errors import BadSetting, BrokenPlugin, ManifestError, UnknownCommand, UnknownPlugin
from connector_host.model.failure import Problem
from connector_host.model.manifest import MANIFEST, BrokenPluginFacts, Command, Manifest


class LinkedFolders:
    """The linked folders, kept in the data folder."""

    def __init__(self, home: Path) -> None:
        self._file = home / "linked-plugins.json"

    def folders(self) -> list[Path]:
        """Return the linked folders, oldest first; raises BadSetting where the list cannot be read."""
        try:
            return [Path(folder) for folder in json.loads(self._file.read_text("utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise BadSetting(f"The list of linked plugins {self._file} cannot be read: {error}.") from error

    def add(self, folder: Path) -> None:
        """Link a folder."""
        self._keep([*(one for one in self.folders() if one != folder), folder])

    def remove(self, folder: Path) -> None:
        """Unlink a folder; raises BadSetting where it is not linked."""
        if folder not in self.folders():
            raise BadSetting(f"{folder} is not linked.")
        self._keep([one for one in self.folders() if one != folder])

    def _keep(self, folders: list[Path]) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps([str(folder) for folder in folders]), "utf-8")
        fresh.replace(self._file)


_ORDER = {
    ">=": lambda mine, theirs: mine >= theirs,
    "<=": lambda mine, theirs: mine <= theirs,
    "==": lambda mine, theirs: mine == theirs,
    "<": lambda mine, theirs: mine < theirs,
    ">": lambda mine, theirs: mine > theirs,
}


_version_of = cache(version)  # looked up in the files of all packages


class PluginRegistry:
    """The plugins of a host; a broken one is kept with its reason and never stops the others."""

    def __init__(
        self,
        folders: Iterable[Path],
        schemas: Path,
        memory: ManifestCache | None = None,
        links: LinkedFolders | None = None,
    ) -> None:
        self.schemas = schemas
        self._memory = memory
        self._links = links
        self.plugins: dict[str, Manifest] = {}
        self.broken: dict[str, BrokenPluginFacts] = {}
        for folder in [*folders, *(links.folders() if links else ())]:
            self._load(folder)

    def _load(self, folder: Path) -> None:
        def told(error: BaseException) -> BrokenPlugin:
            return BrokenPlugin(f"Its folder cannot be read: {fault_of(error)}.")

        try:
            with authors_code(told):
                manifest = load_manifest(folder, self.schemas, self._memory)
                misfits = list(self.misfits(manifest))
        except (ManifestError, BrokenPlugin) as error:
            self.broken[folder.name] = BrokenPluginFacts(folder.name, folder, str(error))
        else:
            if misfits:
                self.broken[folder.name] = BrokenPluginFacts(folder.name, folder, str(ManifestError(misfits)))
            else:
                self.plugins[manifest.id] = manifest

    def misfits(self, manifest: Manifest) -> Iterator[Problem]:
        """Tell why this host cannot load a plugin beside those that it has; itself is none of them."""
        file = str(manifest.root / MANIFEST)
        other = self.plugins.get(manifest.id)
        if other is not None and other.root.resolve() != manifest.root.resolve():
            cause = f"The plugin id '{manifest.id}' is taken by {other.root}."
            yield Problem(file, 1, cause, "Choose another id, or take the other away.", "plugin-id-taken")
        mine = _version_of("connector-host") if manifest.requires_host else ""
        if not satisfies(mine, manifest.requires_host):
            cause = f"It requires the host {manifest.requires_host}; this is {mine}."
            yield Problem(file, 1, cause, "Update the host or the plugin.", "host-version")

    def localised(self, plugin: str, language: str | None) -> Manifest:
        """Return a plugin in the words of a language, as far as it has them; raises UnknownPlugin, BrokenPlugin."""
        manifest = self.plugin(plugin)
        if not language:
            return manifest
        from connector_host.manifests.overlays import localised  # noqa: PLC0415 - only another language pays

        return localised(manifest, language)

    def folder(self, plugin: str) -> Path:
        """Return the folder of a plugin, a broken one too; raises UnknownPlugin."""
        return self.broken[plugin].folder if plugin in self.broken else self.plugin(plugin).root

    def is_linked(self, manifest: Manifest) -> bool:
        """Whether a plugin is one that its author works on."""
        return self._links is not None and manifest.root in self._links.folders()

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
        if not _ORDER[sign](compared(mine, clause[len(sign) :].strip()), 0):
            return False
    return True
