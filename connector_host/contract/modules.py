"""Imports a module of a plugin's folder, under a package of the plugin's own."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from connector_host.contract.manifest import Manifest

MANIFEST, CODE = "manifest.yaml", "commands.py"  # the files of a plugin's folder
_PACKAGE = "connector_host_plugins"


def plugin_module(manifest: Manifest, name: str) -> ModuleType:
    """Return the module `name` of the plugin's folder; its siblings are reached by relative imports."""
    package = f"{_PACKAGE}.{manifest.id}"
    _ensure_package(_PACKAGE, None)
    known = sys.modules.get(package)
    if known is not None and list(known.__path__) != [str(manifest.root)]:
        for stale in [module for module in sys.modules if module == package or module.startswith(f"{package}.")]:
            del sys.modules[stale]
    _ensure_package(package, manifest.root)
    return importlib.import_module(f"{package}.{name}")


def _ensure_package(name: str, folder: Path | None) -> None:
    if name not in sys.modules:
        module = ModuleType(name)
        module.__path__ = [str(folder)] if folder else []
        sys.modules[name] = module
