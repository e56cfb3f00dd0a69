"""What the other end answers: what samples tell, a failure in the product's own shape, an access token."""

import json
from typing import Any

from connector_host.contract.manifest import Manifest, Sample
from connector_host.contract.requests import ErrorPaths
from connector_host.testing.samples import Arrived, Told, asks_for_token, chosen, exchanges, put_at

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

    async def __call__(self, request: Arrived) -> Answer:
        """Answer one request."""
        if asks_for_token(self._manifest, request.method, request.path):
            return TOKEN
        found = self._in_turn(request) or chosen(self._rest, request)
        if found is not None:
            return told(found)
        self.unanswered.append(f"{request.method} {request.path}")
        server = self._manifest.servers.get(request.server or "")
        return failure(404, server.errors if server else ErrorPaths())

    def _in_turn(self, request: Arrived) -> Told | None:
        """Return the given sample's exchange for a request: one that was used up gives way to another like it."""
        found = chosen(self._fresh, request) or chosen(self._mine, request)
        if found is not None:
            self._fresh = [one for one in self._fresh if one is not found]
        return found


def told(found: Told) -> Answer:
    """Return the reply of an exchange."""
    exchange = found.exchange
    body = b"" if exchange.body is None else json.dumps(exchange.body, ensure_ascii=False).encode()
    return exchange.status, dict(exchange.headers), body


def failure(status: int, errors: ErrorPaths, words: str | None = None) -> Answer:
    """Return an error reply in the shape that the manifest says the product's have."""
    message = words or _WORDS.get(status, "Internal Server Error")
    body: dict[str, Any] = {}
    if errors.message:
        put_at(body, errors.message[0], message)
    return status, {}, json.dumps(body or {"message": message}).encode()
