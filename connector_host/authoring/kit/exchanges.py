"""A manifest's samples as a server: which reply a request gets, and what the other end answers in trouble."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from connector_host.model.guarded import Guarded
from connector_host.model.manifest import HttpExchange, Manifest, Sample
from connector_host.model.requests import ErrorForm


class ReceivedRequest(Guarded, frozen=True):
    """A request as it came: the path below its server's URL, the query's pairs, the body."""

    hidden: ClassVar[frozenset[str]] = frozenset(["headers", "body"])

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""
    server: str | None = None

    @property
    def content(self) -> Any:
        """The body: JSON, a form's fields, or its text."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode("utf-8", "replace")


def received(
    method: str, target: str, headers: Mapping[str, str], body: bytes, server: str | None = None
) -> ReceivedRequest:
    """Make a request of its parts; `target` is the path and query."""
    path, _, query = target.partition("?")
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return ReceivedRequest(
        method, unquote(path), pairs, {name.lower(): value for name, value in headers.items()}, body, server
    )


class ExpectedExchange(Struct, frozen=True):
    """An exchange of a sample, ready to be compared."""

    exchange: HttpExchange
    server: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]

    def fits(self, request: ReceivedRequest) -> bool:
        """Whether a request is this exchange's: the same path, all of its query, all that its body must hold."""
        return (
            (self.method, self.path) == (request.method, request.path)
            and request.server in {None, self.server}
            and all(pair in request.query for pair in self.query)
            and (self.exchange.sends is None or holds(request.content, self.exchange.sends))
        )

    def nearness(self, request: ReceivedRequest) -> tuple[int, bool]:
        """How much of the request the exchange speaks of."""
        return len(self.query) - len(request.query), self.exchange.sends is not None


def exchanges(manifest: Manifest, samples: Iterator[tuple[str, Sample]] | None = None) -> list[ExpectedExchange]:
    """Return all exchanges of a manifest's samples, those that end well first."""
    found = list(samples if samples is not None else all_samples(manifest))
    found.sort(key=lambda pair: pair[1].status != "Passed")
    told = [_told(manifest, command, exchange) for command, sample in found for exchange in sample.http]
    return sorted(told, key=lambda one: one.exchange.status >= 400) if samples is None else told  # noqa: PLR2004 - RFC 9110, 15.5


def all_samples(manifest: Manifest) -> Iterator[tuple[str, Sample]]:
    """Return every sample with its command's id."""
    for name, command in manifest.commands.items():
        for sample in command.samples:
            yield name, sample


def _told(manifest: Manifest, command: str, exchange: HttpExchange) -> ExpectedExchange:
    request = manifest.commands[command].request
    server = exchange.server or (request.server if request else next(iter(manifest.servers), ""))
    method, _, target = exchange.request.partition(" ")
    path, _, query = target.partition("?")
    return ExpectedExchange(exchange, server, method, unquote(path), tuple(parse_qsl(query, keep_blank_values=True)))


def asks_for_token(manifest: Manifest, method: str, target: str) -> bool:
    """Whether a request is one for an access token: the host makes it, and no sample tells of it."""
    auths = [server.auth for server in manifest.servers.values() if server.auth is not None]
    return method == "POST" and any(one.type == "oauth2" and target.endswith(one.path) for one in auths)


def chosen(told: list[ExpectedExchange], request: ReceivedRequest) -> ExpectedExchange | None:
    """Return the exchange that answers a request: of those that fit, the one that speaks of most of it."""
    fitting = [one for one in told if one.fits(request)]
    return max(fitting, key=lambda one: one.nearness(request), default=None)


def holds(value: Any, part: Any) -> bool:
    """Whether `value` is `part`, or an object that holds it; lists must be as long."""
    if isinstance(part, Mapping):
        return isinstance(value, Mapping) and all(key in value and holds(value[key], one) for key, one in part.items())
    if isinstance(part, list):
        return (
            isinstance(value, list)
            and len(value) == len(part)
            and all(holds(one, wanted) for one, wanted in zip(value, part, strict=True))
        )
    return bool(value == part) or (not isinstance(value, Mapping | list) and str(value) == str(part))


def put_at(body: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where a plain path of names leads, making the objects on the way."""
    *way, last = path.removeprefix("$").removeprefix(".").split(".")
    for step in way:
        body = body.setdefault(step, {})
    body[last] = value


Answer = tuple[int, dict[str, str], bytes]  # status, headers, body

_GRANTED = {"access_token": "stand-in-access-token", "token_type": "Bearer", "expires_in": 3600}
TOKEN: Answer = (200, {}, json.dumps(_GRANTED).encode())
_WORDS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class BySamples:
    """Answers as the samples do; a sample that is given answers before all others, or alone.

    `unanswered` lists requests that no sample answers, `unasked` the given sample's exchanges that no request met.
    """

    def __init__(self, manifest: Manifest, sample: tuple[str, Sample] | None = None, *, alone: bool = False) -> None:
        self.unanswered: list[str] = []
        self._manifest = manifest
        self._mine = exchanges(manifest, iter([sample])) if sample else []
        self._rest = [] if alone else exchanges(manifest)
        self._fresh = list(self._mine)

    @property
    def unasked(self) -> list[str]:
        """The given sample's exchanges that are left."""
        return [one.exchange.request for one in self._fresh]

    async def __call__(self, request: ReceivedRequest) -> Answer:
        """Answer one request."""
        if asks_for_token(self._manifest, request.method, request.path):
            return TOKEN
        found = self._in_turn(request) or chosen(self._rest, request)
        if found is not None:
            return told(found)
        self.unanswered.append(f"{request.method} {request.path}")
        server = self._manifest.servers.get(request.server or "")
        return failure(404, server.errors if server else ())

    def _in_turn(self, request: ReceivedRequest) -> ExpectedExchange | None:
        """Return the given sample's exchange for a request: one that was used up gives way to another like it."""
        found = chosen(self._fresh, request) or chosen(self._mine, request)
        if found is not None:
            self._fresh = [one for one in self._fresh if one is not found]
        return found


def told(found: ExpectedExchange) -> Answer:
    """Return the reply of an exchange."""
    exchange = found.exchange
    body = b"" if exchange.body is None else json.dumps(exchange.body, ensure_ascii=False).encode()
    return exchange.status, dict(exchange.headers), body


def failure(status: int, errors: Sequence[ErrorForm], words: str | None = None) -> Answer:
    """Return an error reply in the shape that the manifest says the product's have."""
    message = words or _WORDS.get(status, "Internal Server Error")
    body: dict[str, Any] = {}
    form = next((one for one in errors if one.message), None)
    if form is not None:
        put_at(body, form.message[0], message)
    return status, {}, json.dumps(body or {"message": message}).encode()
