"""A declared server as one connection fills it in: makes requests that cannot leave it, and reads its replies."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlencode

from msgspec.structs import fields, replace

from connector_host.http.outgoing import OutgoingRequest, encoded, query_pairs
from connector_host.http.refusals import Refusals
from connector_host.http.replies import json_of
from connector_host.http.response_rules import ResponseRules
from connector_host.model.effects import EFFECTS, SAFE, Effects
from connector_host.model.invocation_errors import InvocationError, RequestRefused, RequestTooLarge
from connector_host.model.paths import ABSENT, compile_path
from connector_host.model.requests import Auth, Limit, ResponseRule, Server, check_origin
from connector_host.model.template import compile_value
from connector_host.ports.parts import Allowance, OpenConnection, Reply, Request

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_ILLEGAL_IN_PATH = re.compile(r"[?#\\\s\x00-\x1f\x7f]")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_-]*)*")


class ServerClient:
    """One declared server of one connection: its URL, credentials and rate limit, and what its replies mean."""

    def __init__(self, server: Server, opened: OpenConnection, rules: Sequence[ResponseRule] = ()) -> None:
        roots = {"connection": opened.values}
        base = compile_value(server.url)(roots)
        if base is ABSENT or not isinstance(base, str):
            raise RequestRefused(f"The connection gives no URL for the server '{server.name}'.")
        self.server = server
        self.opened = opened
        self._base = check_origin(base)
        self._headers = {
            "Accept-Encoding": "gzip",
            "User-Agent": "connector-host/1",
            **{name: _header(name, value) for name, value in compile_value(server.headers)(roots).items()},
        }
        self._query = dict(compile_value(server.query)(roots))
        if server.auth is not None:
            self._show_who_asks(filled_auth(server.auth, roots))
        self.refusals = Refusals(server, self._base)
        self._rules = ResponseRules([*rules, *server.responses], self.refusals)
        self._allowance_of = _allowances(server, self._base, opened.values)

    async def send(self, outgoing: OutgoingRequest) -> Reply:
        """Send; raises ApiError for a reply that a declared rule calls failed."""
        return self._rules.judged(await self.send_once(outgoing))

    async def value(self, outgoing: OutgoingRequest) -> Any:
        """Send, and return the reply's JSON; raises InvocationError, which says what the request did all the same."""
        if outgoing.method in SAFE or EFFECTS.get() is None:
            return json_of(await self.send(outgoing), self.refusals)
        effects = Effects(EFFECTS.get())
        token = EFFECTS.set(effects)
        try:
            reply = await self.send_once(outgoing)
            return json_of(self._judged(reply, effects), self.refusals)
        except InvocationError as error:
            error.failure = replace(error.failure, effect=effects.verdict)
            raise
        finally:
            EFFECTS.reset(token)

    def _judged(self, reply: Reply, effects: Effects) -> Reply:
        try:
            return self._rules.judged(reply)
        except InvocationError:
            effects.refused()
            raise

    async def send_once(self, outgoing: OutgoingRequest) -> Reply:
        """Send, and return whatever comes back."""
        return await self.opened.send(self.request(outgoing))

    def request(self, outgoing: OutgoingRequest) -> Request:
        """Return the complete request; raises RequestRefused, RequestTooLarge."""
        server, headers = self.server, self._headers
        body, content_type = encoded(outgoing)
        if outgoing.headers or body is not None:
            headers = {**headers, **{name: _header(name, value) for name, value in outgoing.headers.items()}}
        if body is not None:
            if server.max_body is not None and len(body) > server.max_body:
                raise RequestTooLarge(
                    f"The request has {len(body)} bytes; the server '{server.name}' accepts {server.max_body}.",
                    assistance="Send less at once.",
                )
            _set_type(headers, content_type, declared_holds=outgoing.parts is None)
        query = _query({**outgoing.query, **self._query}) if outgoing.query or self._query else ""
        return Request(
            method=outgoing.method,
            url=f"{self._base}{_checked_path(outgoing.path)}{'?' if query else ''}{query}",
            server=server.name,
            headers=headers,
            body=body,
            idempotent=outgoing.method in _IDEMPOTENT if outgoing.idempotent is None else outgoing.idempotent,
            allowance=self._allowance_of(outgoing.json) if self._allowance_of else None,
            retry=self.opened.manifest.retry,
            deadline=outgoing.deadline,
            again=self._rules.again,
            transport=server.transport,
        )

    def _show_who_asks(self, auth: Auth) -> None:
        """Put fixed credentials into the headers or the query; oauth2 tokens come with each request."""
        if auth.type == "basic":
            self._headers["Authorization"] = _header("Authorization", _basic(auth.username, auth.password))
        elif auth.type == "bearer":
            self._headers["Authorization"] = _header("Authorization", f"Bearer {auth.token}")
        elif auth.type == "header":
            self._headers[auth.name] = _header(auth.name, auth.value)
        elif auth.type == "query":
            self._query[auth.name] = auth.value

    def path_of(self, url: str) -> str | None:
        """Return the path and query of an absolute or relative URL on this server, or None where it leads elsewhere."""
        if url.startswith(self._base + "/"):
            return url[len(self._base) :]
        return url if url.startswith("/") and not url.startswith("//") else None


class TokenClient(ServerClient):
    """A server that wants an OAuth 2 token with each request, and a new one where it refuses the old."""

    def __init__(self, server: Server, opened: OpenConnection, rules: Sequence[ResponseRule], tokens: Any) -> None:
        super().__init__(server, opened, rules)
        self._tokens = tokens

    async def send_once(self, outgoing: OutgoingRequest) -> Reply:
        """Send with a token that holds."""
        token = await self._tokens.current(outgoing.deadline)
        reply = await super().send_once(_signed(outgoing, token))
        if reply.status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2: it may have been withdrawn before its time
            token = await self._tokens.current(outgoing.deadline, instead_of=token)
            reply = await super().send_once(_signed(outgoing, token))
        return reply


def _signed(outgoing: OutgoingRequest, token: str) -> OutgoingRequest:
    return replace(outgoing, headers={**outgoing.headers, "Authorization": f"Bearer {token}"})


def _allowances(server: Server, base: str, values: Mapping[str, Any]) -> Any:
    """Return what tells the rate window of a request by its body, or None where there is no limit.

    A key is counted under a fingerprint of itself, made once.
    """
    limit = server.limit
    if limit is None:
        return None
    requests = limit.requests
    if isinstance(requests, str):
        requests = compile_path(requests).first({"connection": values})
    if not isinstance(requests, int):
        return None
    known: dict[Any, Allowance] = {}
    count, seconds = requests, limit.seconds

    def allowance(body: Any) -> Allowance:
        per = path.first({"connection": values, "body": body}) if path is not None else fixed
        found = known.get(per)
        if found is None:
            text = f"{server.name}\0{base}\0{per}".encode("utf-8", "surrogatepass")
            found = known[per] = Allowance(hashlib.sha256(text).hexdigest(), count, seconds)
        return found

    path = compile_path(limit.per) if limit.per.startswith("$.body") else None
    fixed = _key_of(limit, values)
    return allowance


def _key_of(limit: Limit, values: Mapping[str, Any]) -> Any:
    if limit.per.startswith("$"):
        return compile_path(limit.per).first({"connection": values, "body": None})
    return values.get(limit.per, ABSENT)


def filled_auth(auth: Auth, roots: Mapping[str, Any]) -> Auth:
    """Return the authentication with the connection's values in it; what is not there is empty."""
    filled: dict[str, Any] = {one.name: compile_value(getattr(auth, one.name))(roots) for one in fields(auth)}
    return Auth(**{name: value for name, value in filled.items() if value is not ABSENT and value is not None})


def _header(name: str, value: Any) -> str:
    text = str(value).strip(" \t")
    if not _HEADER_NAME.fullmatch(name) or not text.isascii() or not (text.isprintable() or not text):
        raise RequestRefused(
            f"The value for the header {name} holds characters that a header cannot carry.",
            assistance="Use printable ASCII characters, without line breaks.",
        )
    return text


def _set_type(headers: dict[str, str], content_type: str, *, declared_holds: bool) -> None:
    """Give headers the body's type, unless one is declared and holds: a multipart body's has a boundary in it."""
    declared = next((name for name in headers if name.lower() == "content-type"), None)
    if declared is None or not declared_holds:
        headers.pop(declared or "", None)
        headers["Content-Type"] = content_type


def _checked_path(path: str) -> str:
    """Return a path that stays below the server's URL, whoever reads it; the query has a place of its own."""
    if _PLAIN_PATH.fullmatch(path) and path:
        return path
    if not path.startswith("/") or _ILLEGAL_IN_PATH.search(path):
        raise RequestRefused(
            "The path is not one: it must begin with '/' and carry no '?', '#', backslash or space.",
            assistance="Build paths with url(), and give the query by itself.",
        )
    if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        raise RequestRefused("The path climbs ('.' or '..' as a segment).", assistance="Build paths with url().")
    return path


def _query(query: Mapping[str, Any]) -> str:
    try:
        return urlencode(query_pairs(query))
    except UnicodeEncodeError:
        raise RequestRefused("The query is not valid Unicode text.") from None


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
