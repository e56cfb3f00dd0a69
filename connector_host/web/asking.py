"""One request, as its handler sees it: who asks, what they may do, and what they sent."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from connector_host.host.host import Host
from connector_host.host.session import Session
from connector_host.model.json_text import parse_json
from connector_host.model.manifest import Command, Manifest
from connector_host.model.result import json_text
from connector_host.model.times import in_utc
from connector_host.model.token import Scope, Token
from connector_host.web.guard import part_of
from connector_host.web.problems import Problem
from connector_host.web.runs import Runs

_VERSION = re.compile(r'"(\d{1,18})"')
Shape = Mapping[str, type | tuple[type, ...]]  # the keys of an object, each with what its value may be
_NO_CACHE = {"Cache-Control": "no-store"}


class Ask(Struct, frozen=True):
    """A request with the token of whoever asks, and the host as they see it."""

    request: Request
    host: Host
    runs: Runs
    token: Token
    session: Session

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return part_of(self.request.path_params, name)

    async def body(self) -> dict[str, Any]:
        """Return the body, a JSON object; raises Problem."""
        media = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            raise Problem("media")
        try:
            found = parse_json((await self.request.body()).decode())
        except (ValueError, RecursionError) as error:
            raise wrong("", f"The body is not JSON: {error}.") from None
        if not isinstance(found, dict):
            raise wrong("", "The body must be a JSON object.")
        return found

    def query(self, name: str) -> str | None:
        """Return a value of the query; raises Problem where it stands twice."""
        values = self.request.query_params.getlist(name)
        if len(values) > 1:
            raise wrong(f"/query/{name}", "It stands twice.")
        return values[0] if values and values[0] else None

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number of the query, from 1 to `most`; raises Problem."""
        text = self.query(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
            raise wrong(f"/query/{name}", f"It must be a whole number from 1 to {most}.")
        return int(text)

    def time(self, name: str) -> datetime | None:
        """Return a time of the query (ISO 8601; without an offset in UTC); raises Problem."""
        text = self.query(name)
        try:
            return in_utc(datetime.fromisoformat(text)).astimezone(UTC) if text else None
        except (ValueError, OverflowError):
            raise wrong(f"/query/{name}", "It is a time, as 2026-01-31T08:00:00Z.") from None

    def version(self) -> int:
        """Return the version that a change is made for; raises Problem where If-Match does not say it."""
        given = self.request.headers.get("if-match")
        if given is None:
            raise Problem("precondition")
        found = _VERSION.fullmatch(given.strip())
        if found is None:
            raise Problem("changed", "If-Match is no ETag of this server's.")
        return int(found[1])

    def may_run(self, manifest: Manifest, command: Command, connection: str) -> None:
        """Raise Problem where the token is not good for running this."""
        self.may_see(plugin=manifest.id, connection=connection, command=command.id)
        wanted = scope_of(command)
        if not self.token.allows(wanted):
            raise Problem("forbidden", f"The token lacks the scope '{wanted}'.")

    def may_see(self, *, plugin: str = "", connection: str = "", command: str = "") -> None:
        """Raise Problem where what is asked for lies outside what the token is narrowed to."""
        if not self.token.covers(plugin=plugin, connection=connection, command=command):
            raise Problem("not-found", "There is nothing of that name that you may use.")


def scope_of(command: Command) -> Scope:
    """Return the scope that running a command wants."""
    reads = command.read_only or command.kind == "test_connection"
    return Scope.RUN_READ_ONLY if reads else Scope.RUN


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document as JSON, which nobody keeps."""
    return Response(json_text(document), status, {**_NO_CACHE, **(headers or {})}, "application/json")


def answer_of(text: str, headers: Mapping[str, str]) -> Response:
    """Return JSON that is text already."""
    return Response(text, 200, {**_NO_CACHE, **headers}, "application/json")


def wrong(pointer: str, detail: str, assistance: str = "") -> Problem:
    """Return the problem of one thing that is wrong in a request."""
    return Problem("invalid", detail, [{"pointer": pointer, "detail": detail, "assistance": assistance}])


def known_keys(document: Mapping[str, Any], known: Shape, place: str = "") -> None:
    """Raise Problem for a key that is none, or whose value is of another type; null is left to who reads it."""
    faults = [
        {
            "pointer": f"{place}/{_escaped(key)}",
            "detail": f"There is no '{key}'.",
            "assistance": f"There are: {', '.join(known)}.",
        }
        for key in document
        if key not in known
    ]
    faults += [
        {"pointer": f"{place}/{_escaped(key)}", "detail": f"'{key}' is of another type.", "assistance": ""}
        for key, kinds in known.items()
        if document.get(key) is not None and not _is(document[key], kinds)
    ]
    if faults:
        raise Problem("invalid", faults[0]["detail"], faults)


def required(body: Mapping[str, Any], name: str, place: str = "") -> str:
    """Return a text that must be there; raises Problem."""
    if not body.get(name):
        raise wrong(f"{place}/{name}", f"'{name}' is required.")
    return str(body[name])


def texts_in(body: Mapping[str, Any], name: str, place: str = "") -> list[str]:
    """Return a list of texts, empty where it is not there; raises Problem for one that holds something else."""
    found = body.get(name) or []
    if not all(isinstance(one, str) for one in found):
        raise wrong(f"{place}/{name}", "It is a list of texts.")
    return list(found)


def _is(value: Any, kinds: type | tuple[type, ...]) -> bool:
    plain = kinds if isinstance(kinds, tuple) else (kinds,)
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in plain)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
