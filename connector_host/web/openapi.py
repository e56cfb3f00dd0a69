"""The OpenAPI 3.1 document: the table of routes, the published schemas, and one operation for each command."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from connector_host.manifests.parameters import standard_schema
from connector_host.manifests.registry import PluginRegistry
from connector_host.model.manifest import Command, Manifest
from connector_host.web.problems import KINDS, MEDIA
from connector_host.web.routing import TEXT, Route, ref
from connector_host.web.schemas import OWN_SCHEMAS

_PUBLISHED = {"Result": "result", "Invocation": "invocation", "Connection": "connection"}
_ALWAYS = ("unauthorized", "forbidden", "too-many", "fault", "unavailable")
_WITH_BODY = ("too-large", "media", "invalid")


def openapi(registry: PluginRegistry, table: Sequence[Route], base: str, plugins: Sequence[str] = ()) -> dict[str, Any]:
    """Return the document; `plugins` are those whose commands it has, all where none is named."""
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        if route.method == "POST" and route.path.endswith("/commands/{command}"):
            continue  # each command has an operation of its own below
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for manifest in registry.plugins.values():
        if not plugins or manifest.id in plugins:
            for command in manifest.commands.values():
                paths[f"/api/v1/plugins/{manifest.id}/commands/{command.id}"] = {"post": _command(manifest, command)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Connector Host",
            "version": "1",
            "description": "Runs commands of plugins through stored connections. Errors are problems (RFC 9457).",
        },
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**_shared(registry.schemas), **OWN_SCHEMAS},
            "responses": {slug: _response(kind.explained) for slug, kind in KINDS.items()} | _ANY,
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    placed = [
        {"name": name, "in": "path", "required": True, "schema": TEXT} for name in re.findall(r"{(\w+)}", route.path)
    ]
    asked = [{"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()]
    sent = [
        {"name": name, "in": "header", "required": name == "If-Match", "schema": schema}
        for name, schema in route.sends.items()
    ]
    made: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.group],
        "description": f"Wants the scope `{route.scope.value}`.",
        "responses": {str(route.status): _good(route), **_refused(route)},
    }
    if "Prefer" in route.sends:
        made["responses"]["202"] = {"description": "It is under way: look at Location."}
    if placed or asked or sent:
        made["parameters"] = [*placed, *asked, *sent]
    if route.asks is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.asks}}}
    elif route.path == "/api/v1/files":
        bytes_ = {"schema": {"type": "string", "format": "binary"}}  # without it, generators leave the operation out
        made["requestBody"] = {"required": True, "content": {"application/octet-stream": bytes_}}
    return made


def _good(route: Route) -> dict[str, Any]:
    if route.path.endswith("/events"):
        return {"description": "Events.", "content": {"text/event-stream": {"schema": TEXT}}}
    if not route.answers:
        return {"description": "Done."}
    return {"description": "As asked.", "content": {"application/json": {"schema": route.answers}}}


def _refused(route: Route) -> dict[str, Any]:
    slugs = {*_ALWAYS, *route.refusals, *(_WITH_BODY if route.asks is not None else ())}
    return _by_status(sorted(slugs))


def _by_status(slugs: Sequence[str]) -> dict[str, Any]:
    return {str(KINDS[slug].status): {"$ref": f"#/components/responses/{slug}"} for slug in slugs}


def _command(manifest: Manifest, command: Command) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"{manifest.id}.{command.id}",
        "summary": command.title,
        "tags": [manifest.name],
        "description": command.description,
        "parameters": [
            {"name": "connection", "in": "query", "required": True, "schema": TEXT},
            {"name": "Prefer", "in": "header", "schema": TEXT},
            {"name": "Idempotency-Key", "in": "header", "schema": TEXT},
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _input(command.input)}}},
        "responses": {
            "200": {
                "description": "The result, whatever its status.",
                "content": {"application/json": {"schema": ref("Result")}},
            },
            "202": {"description": "It is under way: look at Location."},
            "4XX": {"$ref": "#/components/responses/problem"},
            "5XX": {"$ref": "#/components/responses/problem"},
        },
    }
    if command.deprecated is not None:
        made["deprecated"] = True
    return made


def _input(schema: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = standard_schema({"type": "object", "additionalProperties": False, **schema})
    return plain


def _response(explained: str) -> dict[str, Any]:
    return {"description": explained, "content": {MEDIA: {"schema": ref("Problem")}}}


_ANY = {"problem": _response("A problem document; its `type` leads to an explanation.")}


@cache
def _shared(schemas: Path) -> dict[str, Any]:
    """Return the published schemas, each part that they share among themselves under a name of its own."""
    found: dict[str, Any] = {}
    for name, file in _PUBLISHED.items():
        schema = json.loads((schemas / f"{file}.schema.json").read_text("utf-8"))
        parts = schema.pop("$defs", {})
        for key in ("$schema", "$id", "examples"):
            schema.pop(key, None)
        found[name] = _led(schema, name)
        found |= {f"{name}.{part}": _led(one, name) for part, one in parts.items()}
    return found


def _led(node: Any, name: str) -> Any:
    """Return a schema whose references lead to where they stand in the document."""
    if isinstance(node, list):
        return [_led(one, name) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _led(value, name) for key, value in node.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#/$defs/", f"#/components/schemas/{name}.")
    return made
