"""PagerDuty's published OpenAPI documents as the judge of every exchange between plugin and stand-in."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from connector_host.app import App
from connector_host.cli.sandbox import serving
from connector_host.running.python import plugin_module
from tests.world import SHARED

DOCUMENTS = Path(os.environ.get("PAGERDUTY_OPENAPI") or SHARED / "pagerduty")
present = pytest.mark.skipif(
    not (DOCUMENTS / "rest-openapi.json").exists(),
    reason="PagerDuty's OpenAPI documents are not here; PAGERDUTY_OPENAPI names their folder",
)
# PagerDuty sends null for these; its published documents do not allow it.
NULLED = ("priority", "resolved_at", "html_url", "self", "job_title", "description")
# Their answers' schemas are a choice of kinds that fit one another, so that no answer fits just one.
AMBIGUOUS = ("/log_entries", "/incidents/{id}/log_entries")


@dataclass
class HttpExchange:
    """One request, and its answer."""

    scope: dict[str, Any]
    body: bytes
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""


@contextmanager
def recorded(**options: Any) -> Iterator[tuple[str, list[HttpExchange]]]:
    """Serve the stand-in, and keep all that is exchanged."""
    exchanges: list[HttpExchange] = []
    app = plugin_module(App().plugins.plugin("pagerduty"), "sandbox").build(**options)

    async def recorder(scope: Any, receive: Any, send: Any) -> None:
        body = await Request(scope, receive).body()
        exchange = HttpExchange(dict(scope), body)
        exchanges.append(exchange)

        async def replay() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def listen(message: Any) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                exchange.answer += message.get("body", b"")
            await send(message)

        await app(scope, replay, listen)

    with serving(recorder) as base:
        yield base, exchanges


def judged(exchange: HttpExchange) -> tuple[str, str]:
    """Return method and documented path; fails where request or answer are not as the documents say."""
    from openapi_core.contrib.starlette import StarletteOpenAPIRequest, StarletteOpenAPIResponse

    document, judge = _judge("events" if exchange.scope["path"].startswith("/v2/") else "rest")
    headers = [(name, b"judge.test" if name == b"host" else value) for name, value in exchange.scope["headers"]]
    moved = {**exchange.scope, "headers": headers, "server": ("judge.test", 80)}
    request = StarletteOpenAPIRequest(Request(moved), exchange.body)
    judge.validate_request(request)
    place = exchange.scope["method"], template_of(document, exchange.scope)
    if 200 <= exchange.status < 300 and exchange.answer and place[1] not in AMBIGUOUS:
        media = {name: value for name, value in exchange.headers.items() if name != "content-length"}
        said = json.dumps(without_nulls(json.loads(exchange.answer))).encode()
        judge.validate_response(request, StarletteOpenAPIResponse(Response(said, exchange.status, media), said))
    return place


@cache
def _judge(name: str) -> tuple[dict[str, Any], Any]:
    """Return a document and its judge, without what the document's own examples do not keep to."""
    from openapi_core import OpenAPI

    text = (DOCUMENTS / f"{name}-openapi.json").read_text("utf-8")
    document = json.loads(text, object_hook=lambda one: {key: part for key, part in one.items() if key != "readOnly"})
    document["servers"] = [{"url": "http://judge.test/v2" if name == "events" else "http://judge.test"}]
    if name == "rest":
        document["components"]["schemas"]["IncidentBody"]["properties"]["details"] = {}  # an object, it says: a text
        answers = document["paths"]["/schedules/{id}/overrides"]["get"]["responses"]
        answers["200"] = answers["201"]  # a GET that creates nothing
    return document, OpenAPI.from_dict(document)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None or key not in NULLED}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def template_of(document: dict[str, Any], scope: dict[str, Any]) -> str:
    """Return the documented path that a request's path is an instance of; raises LookupError for one that is none."""
    parts = scope["path"].removeprefix("/v2").split("/")
    for template in document["paths"]:
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(
            want.startswith("{") or want == part for want, part in zip(wanted, parts, strict=True)
        ):
            return str(template)
    raise LookupError(scope["path"])
