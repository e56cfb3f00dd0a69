"""`plugins new`: a plugin that works, from the templates beside this file or from an OpenAPI document."""

import re
from collections.abc import Sequence
from pathlib import Path

from connector_host.configuration import bundled
from connector_host.model.errors import WrongUse
from connector_host.model.invocation import plugin_id
from connector_host.model.manifest import MANIFEST

EDITOR_SCHEMA = "plugin-manifest.draft-07.schema.json"
_TEMPLATE = Path(__file__).parent / "template"
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


def scaffold(plugin: str, folder: Path, openapi: str | None) -> Sequence[Path]:
    """Write a new plugin's files; raises WrongUse where the id is none, or something is there already."""
    plugin = plugin_id(plugin)
    if not _ID.fullmatch(plugin):
        raise WrongUse(f"'{plugin}' cannot be a plugin's id: small letters, digits and underscores, a letter first.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(f"{folder} is there already, and not empty. Choose another folder: --folder NAME")
    manifest, schemas = (_filled(MANIFEST, plugin), {}) if openapi is None else _from_openapi(plugin, openapi)
    files = {
        MANIFEST: manifest,
        **schemas,
        "__init__.py": _filled("__init__.py", plugin),
        "pyproject.toml": _filled("pyproject.toml", plugin),
        f"test_{plugin}.py": _filled("test_plugin.py", plugin),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise WrongUse(f"The plugin cannot be written to {folder}: {error.strerror}.") from error
    return [folder / name for name in files]


def editor_line() -> str:
    """Return the comment by which an editor finds the schema of manifests."""
    return f"# yaml-language-server: $schema={(bundled() / 'schemas' / EDITOR_SCHEMA).as_uri()}"


def _filled(name: str, plugin: str) -> str:
    text = (_TEMPLATE / f"{name}.txt").read_text("utf-8")
    words = {"SCHEMA": editor_line().partition("=")[2], "ID": plugin}
    words |= {"NAME": plugin.replace("_", " ").title(), "HOST": plugin.replace("_", "-")}
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text)


def _from_openapi(plugin: str, source: str) -> tuple[str, dict[str, str]]:
    from connector_host.authoring.openapi.plugin import manifest_from_openapi  # noqa: PLC0415 - a plain start needs none

    text, schemas = manifest_from_openapi(plugin, source)
    return f"{editor_line()}\n{text}", schemas
