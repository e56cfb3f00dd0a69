"""What is declared and never used, and what was meant as a path and is sent as text."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from connector_host.manifests.rules.reach import Plugin, paths_in, texts_in
from connector_host.manifests.source_map import Where
from connector_host.model.failure import Level, Problem

WIRE = frozenset({"ca_bundle", "client_certificate", "client_key"})  # what the host's own wire takes from a connection
_SENT = ("path", "query", "headers", "body", "form", "multipart")
_WITHOUT_DOLLAR = re.compile(r"(input|connection|item|reply)\.[a-z]\w*")


def check_uses(plugin: Plugin) -> Iterator[Problem]:
    """Check that what people fill in goes somewhere."""
    if plugin.set_aside:  # which may use it
        return
    yield from _unused(plugin)
    for name, command in plugin.commands.items():
        if "request" in command:
            if command.get("kind") != "credential":  # whose inputs the host looks at
                yield from _unused_inputs(plugin, name, command)
            yield from _plain_paths(plugin, ("commands", name, "request"), command["request"])


def _unused_inputs(plugin: Plugin, name: str, command: Mapping[str, Any]) -> Iterator[Problem]:
    """Tell of inputs that a declared request does not send; conditions of other inputs are a use."""
    inputs = command.get("input", {}).get("properties", {})
    told = {key: part for key, part in command.items() if key not in {"input", "samples"}}
    paths = [path for text in texts_in([told, plugin.servers]) for path in paths_in(text)]
    if "$.input" in paths:
        return  # all of them together
    used = {re.split(r"[.\[]", path.removeprefix("$.input."))[0] for path in paths if path.startswith("$.input.")}
    used |= set(texts_in([command.get("each", ""), command.get("answers_for", ""), _cursor(command)]))
    for one in inputs.values():
        used |= {*one.get("visible_if", {}), *one.get("required_if", {})}
    for unused in sorted(set(inputs) - used):
        yield plugin.document.problem(
            ("commands", name, "input", "properties", unused),
            "unused-input",
            f"Nothing uses the input '{unused}': people would fill it in for nothing.",
            f"Use it as $.input.{unused}, or remove it.",
            key=True,
            level=Level.ADVICE,
        )


def _cursor(command: Mapping[str, Any]) -> Any:
    return command.get("intake", {}).get("cursor", {})


def _plain_paths(plugin: Plugin, where: Where, request: Mapping[str, Any]) -> Iterator[Problem]:
    for part in _SENT:
        yield from _plain_paths_in(plugin, (*where, part), request.get(part))


def _plain_paths_in(plugin: Plugin, where: Where, value: Any) -> Iterator[Problem]:
    if isinstance(value, str) and _WITHOUT_DOLLAR.fullmatch(value):
        cause = f"'{value}' is sent as this text: a path begins with $."
        yield plugin.document.problem(
            where, "path-as-text", cause, f"Write $.{value}.", level=Level.ADVICE, fix=f"$.{value}"
        )
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _plain_paths_in(plugin, (*where, key), child)


def _unused(plugin: Plugin) -> Iterator[Problem]:
    used = WIRE | frozenset(_used_names(plugin))
    for name in plugin.connection:
        if name not in used:
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
