"""Makes a command's samples of an OpenAPI document's examples: one that passes, and one that is refused."""

import re
from collections.abc import Mapping
from typing import Any

from connector_host.contract.paths import compile_path
from connector_host.kernel.schema import Checker
from connector_host.workshop.openapi_words import joined


def samples_of(
    request: Mapping[str, Any], inputs: Mapping[str, Any], example: Any, answer: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the samples of a command; without an example one is made of the answer's schema."""
    path = re.sub(r"\{\$\.input\.(\w+)\}", lambda found: str(inputs.get(found[1], "x")), request["path"])
    body = example if example is not None else _example_of(answer)
    body = _fitting_part(_whole_page(plain(body)), answer)
    exchange = {"request": f"{request['method']} {path}", "status": 200, "body": body}
    forbidden = {"error": {"code": 403, "message": "Forbidden"}}
    refused = {"request": exchange["request"], "status": 403, "body": forbidden}
    given = {"input": dict(inputs)} if inputs else {}
    failed = {"status": "Failed", "error": {"status_code": "403", "message": "Forbidden."}}
    return [{**given, "http": [exchange]}, {**given, "http": [refused], "result": failed}]


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


def _example_of(schema: Any) -> Any:
    kinds = schema.get("type", "object") if isinstance(schema, Mapping) else "object"
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        return {name: _example_of(one) for name, one in list(schema.get("properties", {}).items())[:8]}
    return {"array": [], "string": "text", "integer": 1, "boolean": True}.get(kind)


def key_fields(answer: Mapping[str, Any], collect: str | None, example: Any) -> dict[str, str]:
    """Return the key fields of a command: the ids of what it answers, where its sample has them."""
    properties = answer.get("properties", {})
    found: dict[str, str] = {}
    if collect is not None and "id" in properties[collect].get("items", {}).get("properties", {}):
        found = {f"{joined(collect).removesuffix('s')}IDs": f"$.{collect}[*].id"}
    inner = [name for name, one in properties.items() if "id" in one.get("properties", {})]
    if not found and len(inner) == 1:
        found = {f"{joined(inner[0])}ID": f"$.{inner[0]}.id"}
    return {name: path for name, path in found.items() if compile_path(path).find(example)}
