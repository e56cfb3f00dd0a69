"""Reads an OpenAPI 3 document: its operations, its schemas in plain JSON Schema, its servers and authentication."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from connector_host.contract.errors import WrongUse
from connector_host.kernel.manifests.hints import hint

METHODS = ("get", "post", "put", "patch", "delete")
_DEEPEST = 6  # levels of a schema that are written out; below, anything goes
_LEFT_OUT = frozenset(
    {"discriminator", "xml", "externalDocs", "example", "nullable", "readOnly", "deprecated", "examples"}
)
_TEMPLATE = re.compile(r"[`'\"]?([^`'\"<]*)<[^>]+>")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its id, method and path, its parameters in full, and the rest as the document has it."""

    id: str
    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    spec: Mapping[str, Any] = field(repr=False)


class OpenApi:
    """An OpenAPI 3 document."""

    def __init__(self, source: str) -> None:
        self.document = _read(Path(source))
        self.operations = {one.id: one for one in self._operations()}

    def chosen(self, names: list[str]) -> list[Operation]:
        """Return the named operations; raises WrongUse for one that is not there."""
        for name in names:
            if name not in self.operations:
                raise WrongUse(f"The document has no operation '{name}'. {hint(name, self.operations)[0]}")
        return [self.operations[name] for name in names]

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document.get("paths", {}).items():
            shared = item.get("parameters", [])
            for method in METHODS:
                spec = item.get(method)
                if isinstance(spec, Mapping):
                    name = spec.get("operationId") or f"{method}_{re.sub(r'[^A-Za-z0-9]+', '_', path).strip('_')}"
                    several = {
                        (one["name"], one["in"]): one
                        for one in map(self.resolved, [*shared, *spec.get("parameters", [])])
                    }
                    yield Operation(name, method.upper(), path, tuple(several.values()), spec)

    def resolved(self, node: Any) -> Any:
        """Follow a $ref within the document."""
        for _ in range(20):
            if not (isinstance(node, Mapping) and "$ref" in node):
                return node
            reference = str(node["$ref"])
            if not reference.startswith("#/"):
                raise WrongUse(
                    f"The document refers to {reference}, which stands outside. Bundle it into one file first."
                )
            node = _found(self.document, reference)
        raise WrongUse("The document's references go round in a circle.")

    def schema(self, node: Any, *, lenient: bool = False, depth: int = 0) -> Any:
        """Return a schema as JSON Schema (2020-12), written out.

        A lenient one is for answers: it says which types there are, allows null, and demands nothing.
        """
        node = self.resolved(node)
        if not isinstance(node, Mapping) or depth > _DEEPEST:
            return {}

        def inner(part: Any) -> Any:
            return self.schema(part, lenient=lenient, depth=depth + 1)

        merged = self._merged(node)
        made = {key: value for key, value in merged.items() if key not in _LEFT_OUT and not key.startswith("x-")}
        for word in ("items", "additionalProperties"):
            if isinstance(made.get(word), Mapping):
                made[word] = inner(made[word])
        if "properties" in made:
            written = {name: one for name, one in made["properties"].items() if lenient or not self._read_only(one)}
            made["properties"] = {name: inner(one) for name, one in written.items()}
        for word in ("oneOf", "anyOf"):
            if word in made:
                made[word] = [inner(one) for one in made[word]]
        return _leniently(made) if lenient else _nullable(made, merged)

    def _read_only(self, node: Any) -> bool:
        return bool(self._merged(self.resolved(node)).get("readOnly"))

    def _merged(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schema whose allOf is one object."""
        merged: dict[str, Any] = {key: value for key, value in node.items() if key != "allOf"}
        for part in node.get("allOf", []):
            for key, value in self._merged(self.resolved(part)).items():
                if key == "properties":
                    merged[key] = {**value, **merged.get(key, {})}
                elif key == "required":
                    merged[key] = list(dict.fromkeys([*merged.get(key, []), *value]))
                else:
                    merged.setdefault(key, value)
        return merged

    def server_url(self) -> str:
        """Return the first server's URL."""
        servers = self.document.get("servers") or [{}]
        return str(servers[0].get("url", "")).rstrip("/")

    def auth(self) -> dict[str, Any]:
        """Return how requests show who asks, for the server, and the connection parameters that it needs."""
        schemes = self.document.get("components", {}).get("securitySchemes", {})
        named = [name for one in self.document.get("security", []) for name in one] or list(schemes)
        scheme = self.resolved(schemes.get(named[0], {})) if named else {}
        return _auth_of(scheme)


def _found(document: Any, reference: str) -> Any:
    """Return what a JSON pointer (RFC 6901) points to."""
    for part in reference.removeprefix("#/").split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(key)] if isinstance(document, list) else document[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise WrongUse(f"The document refers to {reference}, which is not there.") from None
    return document


def _auth_of(scheme: Mapping[str, Any]) -> dict[str, Any]:
    key = {"api_key": {"title": "API Key", "description": "Shows who asks.", "type": "string", "writeOnly": True}}
    if scheme.get("type") == "apiKey":
        found = _TEMPLATE.search(scheme.get("description", ""))
        value = f"{found[1]}{{$.connection.api_key}}" if found and found[1] else "$.connection.api_key"
        kind = "query" if scheme.get("in") == "query" else "header"
        return {"auth": {"type": kind, "name": scheme["name"], "value": value}, "parameters": key}
    if scheme.get("type") == "http" and scheme.get("scheme") == "basic":
        user = {"title": "User", "description": "The user's name.", "type": "string"}
        password = {"title": "Password", "description": "The user's password.", "type": "string", "writeOnly": True}
        auth = {"type": "basic", "username": "$.connection.user", "password": "$.connection.password"}
        return {"auth": auth, "parameters": {"user": user, "password": password}}
    return {"auth": {"type": "bearer", "token": "$.connection.api_key"}, "parameters": key}


def _nullable(made: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    if node.get("nullable") and isinstance(made.get("type"), str):
        return {**made, "type": [made["type"], "null"]}
    return made


def _leniently(made: dict[str, Any]) -> dict[str, Any]:
    kept = ("type", "title", "description", "properties", "items", "oneOf", "anyOf", "additionalProperties")
    made = {key: made[key] for key in kept if key in made}
    if isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if {"oneOf", "anyOf"} & made.keys():
        branches = [*made.pop("oneOf", []), *made.pop("anyOf", [])]
        made = made if "properties" in made else {"anyOf": [*branches, {}], **made}
    return made


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise WrongUse(f"The document {file} can not be read ({error.strerror}).") from error
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except ValueError as error:
        raise WrongUse(f"The document {file} is neither JSON nor YAML: {error}.") from error
    if not isinstance(value, dict) or not str(value.get("openapi", "")).startswith("3"):
        raise WrongUse(f"{file} is no OpenAPI 3 document.")
    return value


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - only a document in YAML pays

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
