"""A server that answers each request with what it was: method, path, query, headers, body."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.world import serving_app


@contextmanager
def echo_server() -> Iterator[str]:
    """Serve it; gives its base URL."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def echo(request: Request) -> JSONResponse:
        facts = {"method": request.method, "path": request.url.path, "query": request.url.query}
        return JSONResponse({**facts, "headers": dict(request.headers), "body": (await request.body()).decode()})

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    with serving_app(Starlette(routes=[Route("/{path:path}", echo, methods=methods)])) as base:
        yield base
