"""The connection as a whole: what migrations and presets name, secrets that are not masked, settings nobody uses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from connector_host.contract.problems import Level, Problem
from connector_host.kernel.manifests.places import Where
from connector_host.kernel.manifests.rules.reach import Plugin, paths_in, texts_in

_SECRET = re.compile(r"(^|_)(password|passwd|passphrase|secret|token|api_?key|private_?key|credentials?|pin)$")
WIRE = frozenset({"ca_bundle", "client_certificate", "client_key"})  # what the host's own wire takes from a connection


def check_connection(plugin: Plugin) -> Iterator[Problem]:
    """Check what concerns the connection as a whole."""
    for index, migration in enumerate(plugin.value.get("migrations", [])):
        for part in ("rename", "set"):
            for key, name in migration.get(part, {}).items():
                where: Where = ("migrations", index, part, key)
                target = name if part == "rename" else key
                yield from plugin.unknown(
                    where, "unknown-parameter", target, plugin.connection, "connection parameter", key=part == "set"
                )
    for name, options in plugin.value.get("presets", {}).items():
        yield from plugin.unknown(
            ("presets", name), "unknown-parameter", name, plugin.connection, "connection parameter", key=True
        )
        for option, values in options.items():
            for key in values:
                where = ("presets", name, option, key)
                yield from plugin.unknown(
                    where, "unknown-parameter", key, plugin.connection, "connection parameter", key=True
                )
    yield from _unmasked(plugin)
    yield from _unused(plugin)


def _unmasked(plugin: Plugin) -> Iterator[Problem]:
    for name, schema in plugin.connection.items():
        if _SECRET.search(name) and not schema.get("writeOnly") and schema.get("type", "string") == "string":
            yield plugin.document.problem(
                ("connection", "properties", name),
                "unmasked-secret",
                f"'{name}' looks like a secret, and is not marked as one: it would be stored and shown in the clear.",
                "Add 'writeOnly: true'. If it is no secret, say so under 'exemptions:'.",
                key=True,
                level=Level.ADVICE,
            )


def _unused(plugin: Plugin) -> Iterator[Problem]:
    used = WIRE | frozenset(_used_names(plugin))
    for name in plugin.connection:
        if name not in used and name not in plugin.set_aside:
            yield plugin.document.problem(
                ("connection", "properties", name),
                "unused-setting",
                f"Nothing uses the setting '{name}': people would fill it in for nothing.",
                f"Use it as $.connection.{name}, or remove it.",
                key=True,
                level=Level.ADVICE,
            )


def _used_names(plugin: Plugin) -> Iterator[str]:
    for part in ("servers", "commands"):
        for text in texts_in(plugin.value.get(part, {})):
            for path in paths_in(text):
                root, _, rest = path.removeprefix("$.").partition(".")
                if root == "connection":
                    yield re.split(r"[.\[]", rest)[0]
    yield from plugin.value.get("presets", {})
    for server in plugin.servers.values():
        yield from filter(None, [server.get("limit", {}).get("per")])
    yield from _texts_of_code(Path(plugin.document.file).parent)


def _texts_of_code(folder: Path) -> Iterator[str]:
    """Every text in the plugin's own code: call.connection["name"] is one."""
    for file in folder.glob("*.py"):
        if file.name.startswith(("sandbox", "test_")):
            continue
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (SyntaxError, ValueError, OSError):
            continue  # told by the rule about functions
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
