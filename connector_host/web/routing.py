"""The table of routes: one row for each, from which the server, the OpenAPI document and the tests are made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from starlette.responses import Response

from connector_host.model.token import Scope
from connector_host.web.asking import Ask

Handler = Callable[[Ask], Awaitable[Response]]
Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}


class Route(Struct, frozen=True):
    """One route: what it wants, what it does, what it answers. `scope` is the least that a token must have."""

    method: str
    path: str
    scope: Scope
    handler: Handler
    summary: str
    answers: Schema = field(default_factory=dict)
    asks: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    sends: Mapping[str, Schema] = field(default_factory=dict)
    status: int = 200
    refusals: Sequence[str] = ()

    @property
    def operation(self) -> str:
        """The operation's id: what its handler is called."""
        return self.handler.__name__

    @property
    def group(self) -> str:
        """What it is about: the first part of its path."""
        return self.path.removeprefix("/api/v1/").partition("/")[0]


def up_to(most: int) -> Schema:
    """Return the schema of how many are asked for."""
    return {"type": "integer", "minimum": 1, "maximum": most}


def ref(name: str) -> Schema:
    """Return a reference to a shared schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(schema: Schema, *, cursor: bool = False) -> Schema:
    """Return the schema of a list in an object; with `cursor` one that goes on."""
    more: dict[str, Any] = (
        {"next": {"type": ["string", "null"], "description": "Ask again with after= this."}} if cursor else {}
    )
    items = {"items": {"type": "array", "items": schema}}
    return {"type": "object", "required": ["items", *more], "properties": {**items, **more}}
