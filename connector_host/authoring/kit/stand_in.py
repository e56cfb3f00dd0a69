"""A stand-in API server for any plugin: its own sandbox, or one made of the samples in its manifest."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from connector_host.authoring.kit.exchanges import (
    TOKEN,
    Answer,
    ExpectedExchange,
    ReceivedRequest,
    asks_for_token,
    chosen,
    exchanges,
    failure,
    received,
    told,
)
from connector_host.authoring.kit.values import change_of, connection_values
from connector_host.model.boundary import authors_code, fault_of
from connector_host.model.connection import Change
from connector_host.model.errors import BrokenPlugin, WrongUse
from connector_host.model.extras import require
from connector_host.model.manifest import Manifest
from connector_host.model.requests import Server
from connector_host.running.python import plugin_module


class StandIn(Struct, frozen=True):
    """A plugin's stand-in API server: what can be set, each as JSON Schema, and what makes the ASGI app.

    `connection(base)` gives what a connection to it needs; it raises WrongUse where the servers' URLs are no
    connection parameters.
    """

    options: Mapping[str, Any]
    build: Callable[..., Any]
    connection: Callable[[str], Change]


OPTIONS: Mapping[str, Any] = {
    "latency": {
        "title": "Latency",
        "description": "Milliseconds before each answer.",
        "type": "integer",
        "default": 0,
        "minimum": 0,
    },
    "fail": {
        "title": "Fail",
        "description": "STATUS:COUNT, for example 503:2: the first COUNT requests fail so.",
        "type": "string",
        "pattern": "^[45][0-9][0-9]:[0-9]+$",
    },
}


def stand_in_of(manifest: Manifest) -> StandIn:
    """Return a plugin's stand-in; raises WrongUse where it has neither a sandbox nor samples, or the extra is missing.

    Its own sandbox is its author's code: raises BrokenPlugin where that fails.
    """
    require("cli", "starlette", "A stand-in server")
    if manifest.sandbox is not None:
        return _own(manifest, manifest.sandbox)
    if not any(command.samples for command in manifest.commands.values()):
        raise WrongUse(f"The plugin '{manifest.id}' has no sandbox, and no samples to make one of.")
    return StandIn(OPTIONS, partial(build, manifest), partial(connection_to, manifest))


def _own(manifest: Manifest, file: str) -> StandIn:
    """Return the plugin's own sandbox: a module with OPTIONS, and build(**options) that returns an ASGI app."""

    def broken(error: BaseException) -> BrokenPlugin:
        return BrokenPlugin(f"The sandbox of '{manifest.id}' failed: {fault_of(error)}.")

    def built(**options: Any) -> Any:
        with authors_code(broken):
            app = module.build(**options)
        if not callable(app):
            raise BrokenPlugin(
                f"The sandbox of '{manifest.id}' failed: build() gave {app!r:.60}, which is no ASGI app."
            )
        return app

    with authors_code(broken):
        module = plugin_module(manifest, file.removesuffix(".py"))
        options = dict(module.OPTIONS)
    return StandIn(options, built, partial(connection_to, manifest))


def connection_to(manifest: Manifest, base: str) -> Change:
    """Return a connection to a stand-in, with made-up secrets; raises WrongUse where its URL cannot be given."""
    values, _ = connection_values(manifest)
    for server in manifest.servers.values():
        name = server.url.removeprefix("$.connection.")
        if name not in manifest.connection["properties"]:
            raise WrongUse(
                f"The server '{server.name}' has the URL {server.url}; a stand-in needs one that is a connection "
                f"parameter, as $.connection.server_url."
            )
        values[name] = base
    return change_of(manifest, values)


def build(manifest: Manifest, **options: Any) -> Any:
    """Return the ASGI app that answers as the samples do; `app.state.requests` lists what came, as METHOD PATH."""
    from starlette.applications import Starlette  # noqa: PLC0415 - only a server pays
    from starlette.requests import Request  # noqa: PLC0415 - the same
    from starlette.responses import Response  # noqa: PLC0415 - the same
    from starlette.routing import Route  # noqa: PLC0415 - the same

    answers = Answers(manifest)
    status, _, count = (options.get("fail") or "0:0").partition(":")
    left = [int(count)]
    requests: list[str] = []

    async def answer(request: Request) -> Response:
        target = request.scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
        requests.append(f"{request.method} {target}")
        await asyncio.sleep(options.get("latency", 0) / 1000)
        if left[0] > 0:
            left[0] -= 1
            code, headers, body = failure(int(status), answers.errors, f"{status} on request")
        else:
            came = received(request.method, target, request.headers, await request.body())
            code, headers, body = answers.answer(came)
        return Response(body, code, headers, "application/json" if body else None)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", answer, methods=methods)])
    app.state.requests = requests
    return app


class Answers:
    """Answers requests as a manifest's samples do."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._told: list[ExpectedExchange] = exchanges(manifest)
        servers = list(manifest.servers.values())
        self.errors = servers[0].errors if servers else ()

    def answer(self, request: ReceivedRequest) -> Answer:
        """Answer one request: a token, what a sample tells, 401 without credentials, else 404."""
        if asks_for_token(self._manifest, request.method, request.path):
            return TOKEN
        found = chosen(self._told, request)
        server = self._manifest.servers.get(found.server if found else "")
        if server is not None and not _shows_who_asks(server, request):
            return failure(401, server.errors, "No credentials were sent.")
        if found is None:
            return failure(404, self.errors, f"No sample answers {request.method} {request.path}.")
        return told(found)


def _shows_who_asks(server: Server, request: ReceivedRequest) -> bool:
    """Whether a request carries each credential that the manifest has it carry."""
    headers = [name for name, value in server.headers.items() if "$" in value]
    query = [name for name, value in server.query.items() if "$" in str(value)]
    auth = server.auth
    if auth is not None and auth.type in {"basic", "bearer", "oauth2"}:
        headers.append("Authorization")
    elif auth is not None:
        (headers if auth.type == "header" else query).append(auth.name)
    sent = {name for name, value in request.query if value}
    return all(request.headers.get(name.lower()) for name in headers) and set(query) <= sent
