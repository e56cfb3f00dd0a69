"""Inputs, bodies and samples of an OpenAPI document's operations."""

import re
from collections.abc import Mapping
from typing import Any

from connector_host.authoring.kit.values import fitting
from connector_host.authoring.openapi.document import (
    FORM,
    JSON,
    PARTS,
    OpenApi,
    Operation,
    is_data,
    joined,
    sentence,
    snake,
    titled,
)
from connector_host.manifests.schema import Checker
from connector_host.model.errors import WrongUse
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.template import compile_path_template, compile_value

_BINARY = ("binary", "byte")


class Inputs:
    """The inputs of one command, each declared once: `properties` and `required` of its schema."""

    def __init__(self, api: OpenApi) -> None:
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self._api = api

    def of_parameter(self, parameter: Mapping[str, Any]) -> str:
        """Declare a parameter; returns the path to its value."""
        schema = parameter.get("schema") or self._api.content(parameter)[1].get("schema", {})
        description = str(parameter.get("description", ""))
        if parameter["in"] == "query" and self._api.schema(schema).get("type") == "array" and _in_one_text(parameter):
            schema, description = {"type": "string"}, f"{sentence(description or 'Values')[:-1]}, separated by commas."
        required = bool(parameter.get("required"))
        path = self.declare(parameter["name"], schema, description, required=required, place=parameter["in"])
        declared, example = self.properties[path.rpartition(".")[2]], parameter.get("example")
        if example is not None and keepable(example) and Checker(declared).accepts(example):
            declared["examples"] = [example]
        return path

    def declare(self, name: str, schema: Any, description: str, *, required: bool, place: str = "body") -> str:
        """Declare an input; returns the path to its value. A name that is taken gets its place before it."""
        key = snake(name) if snake(name) not in self.properties else f"{place}_{snake(name)}"
        told = self._api.schema(schema)
        kept = {word: value for word, value in told.items() if keepable(value) and word not in {"title", "description"}}
        if kept.get("type") == "string" and kept.get("format") in _BINARY:
            kept = {"type": "string", "format": "file"}
        if "default" in kept and not Checker(kept).accepts(kept["default"]):
            del kept["default"]
        words = description or told.get("description") or f"The {key.replace('_', ' ')}"
        made = self.properties[key] = {"title": titled(key), "description": sentence(words), **kept}
        if not {"examples", "default", "enum"} & made.keys() and made.get("type") != "boolean":
            example = fitting(made, key)
            made |= {"examples": [example]} if example is not None else {}
        if required:
            self.required.append(key)
        return f"$.input.{key}"

    def schema(self) -> dict[str, Any]:
        """Return the schema of all inputs; empty where there are none."""
        if not self.properties:
            return {}
        return {**({"required": self.required} if self.required else {}), "properties": self.properties}

    def examples(self) -> dict[str, Any]:
        """Return a value for each input that must be given."""
        return {name: fitting(self.properties[name], name) for name in self.required}


_CREDENTIALS = re.compile(r"(x[-_])?(api[-_]?key|auth[-_]?token|access[-_]?token|token|authorization)", re.IGNORECASE)
_TELLS_SO = re.compile(r"\b(authenticat|authoriz|api key|access token|oauth|bearer)", re.IGNORECASE)


def is_a_credential(api: OpenApi, operation: Operation, parameter: Mapping[str, Any]) -> bool:
    """Whether a parameter shows who asks, which the connection does: a security scheme's own, or one that says so."""
    schemes = api.document.get("components", {}).get("securitySchemes", {}).values()
    keys = [one for one in map(api.resolved, schemes) if one.get("type") == "apiKey"]
    if any((one.get("name"), one.get("in")) == (parameter["name"], parameter["in"]) for one in keys):
        return True
    secured = bool(operation.spec.get("security", api.document.get("security", [])))
    told = f"{parameter.get('description', '')}"
    return secured and bool(_CREDENTIALS.fullmatch(parameter["name"])) and bool(_TELLS_SO.search(told))


def keepable(value: Any) -> bool:
    """Whether strict YAML has words for a value."""
    return bool(plain(value) == value) and not isinstance(value, float)


def _in_one_text(parameter: Mapping[str, Any]) -> bool:
    """Whether a query's list travels as one text, and not as a key for each (OpenAPI 3.1, 4.8.12)."""
    return parameter.get("style", "form") != "form" or parameter.get("explode") is False


def body_of(api: OpenApi, operation: Operation, inputs: Inputs) -> dict[str, Any]:
    """Return a request's `body`, `form` or `multipart`, and the header of a JSON type that is not JSON's own.

    Raises WrongUse for a body that a declared request cannot write.
    """
    kind, media = api.content(operation.spec.get("requestBody"))
    if not kind:
        return {}
    schema = api.schema(media.get("schema", {}))
    if JSON.fullmatch(kind):
        headers = {} if kind in {"application/json", "*/*"} else {"headers": {"Content-Type": kind}}
        return {"body": _json(schema, inputs), **headers} if schema else {}
    part = next((part for pattern, part in ((FORM, "form"), (PARTS, "multipart")) if pattern.fullmatch(kind)), None)
    if part is None or not schema.get("properties"):
        raise WrongUse(
            f"The operation '{operation.id}' sends {kind}, which a declared request cannot. "
            f"Leave it out, and write the command in Python."
        )
    return {part: _parts(schema, inputs)}


def _json(schema: Mapping[str, Any], inputs: Inputs) -> Any:
    """Objects at the top, and one around them, are taken apart; anything else is one input."""
    properties = schema.get("properties", {})
    wrapped = next(iter(properties), "")
    if len(properties) == 1 and properties[wrapped].get("properties"):
        return {wrapped: _parts(properties[wrapped], inputs)}
    if properties:
        return _parts(schema, inputs)
    return inputs.declare("body", schema, "The request's body", required=True)


def _parts(schema: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    template: dict[str, Any] = {}
    required = schema.get("required", [])
    for name, one in schema["properties"].items():
        options = one.get("enum", [one["const"]] if "const" in one else [])
        if not is_data(name):
            raise WrongUse(f"A manifest has no word for the field '{name}' of a body. Leave the operation out.")
        if len(options) == 1 and name in required and is_data(options[0]):
            template[name] = options[0]
        else:
            template[name] = inputs.declare(snake(name), one, "", required=name in required)
    return template


OK, NO_CONTENT = 200, 204
SHOWN, DEEPEST = 8, 1  # fields of an example object, and objects within it
WHOLE = "records"  # what the host calls a list that is the whole reply


def samples_of(
    request: Mapping[str, Any], inputs: Mapping[str, Any], status: int, example: Any, answer: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the samples of a command; without an example one is made of the answer's schema."""
    line = f"{request['method']} {compile_path_template(request['path'])({'input': inputs})}"
    schema = answer["properties"][WHOLE] if request.get("collect") == "$" else answer
    body = example if example is not None else _example_of(schema)
    body = _fitting_part(_whole_page(plain(body)), schema)
    exchange = {"request": line, **_sent(request, inputs), **({"status": status} if status != OK else {})}
    exchange |= {} if status == NO_CONTENT or not (schema or example) else {"body": body}
    refused = {"request": line, "status": 403, "body": {"error": {"code": 403, "message": "Forbidden"}}}
    given = {"input": dict(inputs)} if inputs else {}
    failed = {"status": "Failed", "error": {"status_code": "403", "message": "Forbidden."}}
    return [{**given, "http": [exchange]}, {**given, "http": [refused], "result": failed}]


def _sent(request: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the request's body must hold, with these inputs; files are not shown."""
    template = request.get("body", request.get("form"))
    value = ABSENT if template is None else compile_value(template)({"input": inputs})
    return {} if value is ABSENT or value in ({}, None) else {"sends": value}


def plain(value: Any) -> Any:
    """Return a value without what strict YAML has no word for: decimal numbers."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if not isinstance(one, float)}
    return [plain(one) for one in value] if isinstance(value, list) else value


def _whole_page(body: Any) -> Any:
    """Return an example page that is the last one."""
    if not isinstance(body, dict):
        return body
    last = {"more": False, "next_cursor": None}
    return {key: last.get(key, value) for key, value in body.items()}


def _fitting_part(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return an example without what its own schema refuses: documents are not always of one mind."""
    checker = Checker(schema)
    for _ in range(50):
        fault = next(checker.faults(value), None)
        if fault is None:
            break
        *way, last = fault.path or ("",)
        part: Any = value
        for step in way:
            part = part[step]
        if not isinstance(part, dict | list) or (isinstance(part, dict) and last not in part):
            return None
        part.pop(last)  # type: ignore[arg-type]  # a list's index, or a key that is there
    return value


def _example_of(schema: Any, depth: int = 0) -> Any:
    kinds = schema.get("type", "string") if isinstance(schema, Mapping) else "string"
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        shown = list(schema.get("properties", {}).items())[:SHOWN] if depth <= DEEPEST else []
        return {name: _example_of(one, depth + 1) for name, one in shown}
    return {"array": [], "string": "text", "integer": 1, "number": 1, "boolean": True}.get(kind)


def key_fields(resource: str, answer: Mapping[str, Any], collect: str | None, raw: Any) -> dict[str, str]:
    """Return the key fields of a command on `resource`: the ids of what it answers, where its sample has them."""
    properties = answer.get("properties", {})
    name = joined(resource).removesuffix("s")
    inner = [key for key, one in properties.items() if "id" in one.get("properties", {})]
    found: dict[str, str] = {}
    records = properties.get(collect, {}).get("items", {}).get("properties", {})
    if "id" in records:
        found = {f"{name if collect == WHOLE else joined(str(collect)).removesuffix('s')}IDs": f"$.{collect}[*].id"}
    elif "id" in properties:
        found = {f"{name}ID": "$.id"}
    elif len(inner) == 1:
        found = {f"{joined(inner[0])}ID": f"$.{inner[0]}.id"}
    return {name: path for name, path in found.items() if compile_path(path).find(raw)}
