"""Rules about words: what a reader of the documentation page, or of a form, must be told."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.authoring.kit.bench import Bench, Seen, rule
from connector_host.configuration import bundled
from connector_host.manifests.reading import examine
from connector_host.model.errors import ManifestError
from connector_host.model.manifest import MANIFEST, Command
from connector_host.model.problems import Level


@rule("no-advice", "gold", "The validator has no advice left.", each_command=False)
async def no_advice(bench: Bench, _command: Command) -> Seen:
    try:
        examination = examine(bench.manifest.root / MANIFEST, bundled() / "schemas")
    except ManifestError as error:
        return str(error.problems[0])
    advice = [one for one in examination.problems if one.level is Level.ADVICE]
    return str(advice[0]) if advice else None


@rule("plugin-described", "platinum", "The plugin says what it is for, needs and cannot do.", each_command=False)
async def plugin_described(bench: Bench, _command: Command) -> Seen:
    manifest = bench.manifest
    told = {"description": manifest.description, "permissions": manifest.permissions, "setup": manifest.setup}
    told |= {"limitations": manifest.limitations, "faq": manifest.faq, "requires_host": manifest.requires_host}
    missing = [name for name, value in told.items() if not value]
    return f"Add {', '.join(missing)}." if missing else None


@rule("connection-described", "platinum", "Each connection parameter has a description.", each_command=False)
async def connection_described(bench: Bench, _command: Command) -> Seen:
    missing = list(_undescribed(bench.manifest.connection["properties"]))
    return f"Add a description to {', '.join(missing)}." if missing else None


@rule("command-described", "platinum", "Each command, and each of its parameters, has a description and an example.")
async def command_described(_bench: Bench, command: Command) -> Seen:
    if not command.description.endswith("."):
        return "Add a description: a sentence, with its full stop."
    properties: Mapping[str, Any] = command.input.get("properties", {})
    missing = list(_undescribed(properties))
    if missing:
        return f"Add a description to {', '.join(missing)}."
    bare = [name for name, one in properties.items() if not {"examples", "default", "enum", "oneOf"} & one.keys()]
    unclear = [name for name in bare if properties[name].get("type") != "boolean"]
    return f"Add an example to {', '.join(unclear)}." if unclear else None


def _undescribed(properties: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in properties.items():
        if not schema.get("description"):
            yield name
