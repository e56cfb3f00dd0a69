"""A manifest's samples as a server: which reply a request gets, and what the request should have held."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from connector_host.contract.manifest import Exchange, Manifest, Sample


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it came: the path below its server's URL, the query's pairs, the body."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(repr=False)
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


def arrived(method: str, target: str, headers: Mapping[str, str], body: bytes, server: str | None = None) -> Arrived:
    """Make a request of its parts; `target` is the path and query."""
    path, _, query = target.partition("?")
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return Arrived(method, unquote(path), pairs, {name.lower(): value for name, value in headers.items()}, body, server)


@dataclass(frozen=True, slots=True)
class Told:
    """An exchange of a sample, ready to be compared."""

    exchange: Exchange
    server: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]

    def fits(self, request: Arrived) -> bool:
        """Whether a request is this exchange's: the same path, all of its query, all that its body must hold."""
        return (
            (self.method, self.path) == (request.method, request.path)
            and request.server in {None, self.server}
            and all(pair in request.query for pair in self.query)
            and (self.exchange.sends is None or holds(request.content, self.exchange.sends))
        )

    def nearness(self, request: Arrived) -> tuple[int, bool]:
        """How much of the request the exchange speaks of."""
        return len(self.query) - len(request.query), self.exchange.sends is not None


def exchanges(manifest: Manifest, samples: Iterator[tuple[str, Sample]] | None = None) -> list[Told]:
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


def _told(manifest: Manifest, command: str, exchange: Exchange) -> Told:
    request = manifest.commands[command].request
    server = exchange.server or (request.server if request else next(iter(manifest.servers), ""))
    method, _, target = exchange.request.partition(" ")
    path, _, query = target.partition("?")
    return Told(exchange, server, method, unquote(path), tuple(parse_qsl(query, keep_blank_values=True)))


def asks_for_token(manifest: Manifest, method: str, target: str) -> bool:
    """Whether a request is one for an access token: the host makes it, and no sample tells of it."""
    auths = [server.auth for server in manifest.servers.values() if server.auth is not None]
    return method == "POST" and any(one.type == "oauth2" and target.endswith(one.path) for one in auths)


def chosen(told: list[Told], request: Arrived) -> Told | None:
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
