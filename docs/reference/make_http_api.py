"""Writes http-api.md: every route of the HTTP API, made of its OpenAPI document."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from connector_host.app import App
from connector_host.web.openapi import openapi
from connector_host.web.server import TABLE

PAGE = Path(__file__).with_name("http-api.md")
_HEAD = """# The HTTP API

Made of the table of routes by `python docs/reference/make_http_api.py`; `/openapi.json` says the same to programs, with
an operation for each command of each plugin. How to use it:
[http-api.md](../howto/http-api.md); how to serve it: [serve.md](../howto/serve.md).

Each route wants `Authorization: Bearer TOKEN` with the scope that stands there, or one that grants more. What goes
wrong is a problem document (RFC 9457): 401 who asks is not known, 403 the scope is not granted, 404 there is nothing of
that name that one may see, 409, 412 and 428 as they stand below, 422 what was sent is wrong, 429 too much at once.
"""


def page() -> str:
    """Return the page."""
    document = openapi(App().plugins, TABLE, "http://127.0.0.1:8080", ("pagerduty",))
    return "\n".join([_HEAD, *_lines(document), *_schemas(document["components"]["schemas"])])


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    group = ""
    for route in TABLE:
        if route.group != group:
            group = route.group
            yield f"## {group}\n"
        found = document["paths"].get(route.path, {}).get(route.method.lower(), {})
        yield f"### {route.method} {route.path}\n"
        yield f"{route.summary}. Scope `{route.scope.value}`; answers {', '.join(_answers(route.status, found))}.\n"
        for place, names in (("query", route.query), ("header", route.sends)):
            if names:
                yield f"- {place}: {', '.join(f'`{name}`' for name in names)}"
        if route.asks is not None:
            yield f"- body: {_named(route.asks)}"
        if route.answers:
            yield f"- answer: {_named(route.answers)}"
        yield ""


def _answers(status: int, found: Mapping[str, Any]) -> list[str]:
    return [str(status), *sorted(code for code in found.get("responses", ()) if code != str(status))]


def _named(schema: Mapping[str, Any]) -> str:
    """Return a schema in words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    properties: Mapping[str, Any] = schema.get("properties", {})
    if "items" in properties:
        return f"`items`: {_named(properties['items'].get('items', {}))}{', `next`' if 'next' in properties else ''}"
    return f"object of {', '.join(f'`{name}`' for name in properties)}" if properties else "an object"


def _schemas(schemas: Mapping[str, Any]) -> Iterator[str]:
    yield "## What stands in them\n"
    for name, schema in schemas.items():
        if "." in name or not schema.get("properties"):
            continue
        required = set(schema.get("required", ()))
        fields = [f"`{field}`{' (required)' if field in required else ''}" for field in schema["properties"]]
        yield f"### {name}\n\n{', '.join(fields)}\n"


if __name__ == "__main__":
    PAGE.write_text(page().rstrip() + "\n", "utf-8")
