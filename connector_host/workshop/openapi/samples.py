"""Makes a command's samples of an OpenAPI document's examples: one that passes, and one that is refused."""

from collections.abc import Mapping
from typing import Any

from connector_host.builtin.runners.template import compile_path_template, compile_value
from connector_host.contract.paths import ABSENT, compile_path
from connector_host.kernel.schema import Checker
from connector_host.workshop.openapi.words import joined

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
