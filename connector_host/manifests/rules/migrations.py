"""What a plugin says of earlier versions' connections."""

from collections.abc import Iterator

from connector_host.manifests.rules.reach import Plugin
from connector_host.manifests.source_map import Where
from connector_host.manifests.versions import compared
from connector_host.model.failure import Problem


def check_migrations(plugin: Plugin) -> Iterator[Problem]:
    """Check that migrations come in their order, up to this version, and lead to what is declared."""
    before = ""
    for index, migration in enumerate(plugin.value.get("migrations", [])):
        where: Where = ("migrations", index)
        yield from _check_version(plugin, (*where, "version"), str(migration["version"]), before)
        before = str(migration["version"])
        for part in ("rename", "set"):
            for key, name in migration.get(part, {}).items():
                place: Where = (*where, part, key)
                target = name if part == "rename" else key
                yield from plugin.unknown(
                    place, "unknown-parameter", target, plugin.connection, "connection parameter", key=part == "set"
                )
                if part == "rename" and key in plugin.connection:
                    cause = f"'{key}' is a connection parameter of this version: renaming it would take it away."
                    yield plugin.document.problem(place, "bad-migration", cause, "Rename what is gone.", key=True)


def _check_version(plugin: Plugin, where: Where, version: str, before: str) -> Iterator[Problem]:
    own = str(plugin.value.get("version", ""))
    if before and compared(version, before) <= 0:
        cause = f"The migration of {version} stands behind that of {before}: they are applied in this order."
        yield plugin.document.problem(where, "bad-migration", cause, "Put the older version first.")
    elif own and compared(version, own) > 0:
        cause = f"The migration is of version {version}, and the plugin is {own}: it would never be applied."
        yield plugin.document.problem(where, "bad-migration", cause, "Raise the plugin's version to it.")
