"""OAuth 2: access tokens by client credentials or a refresh token (RFC 6749, 4.4 and 6), kept until they run out."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from msgspec import Struct

from connector_host.http.outgoing import OutgoingRequest
from connector_host.http.server import ServerClient, TokenClient, filled_auth
from connector_host.model.effects import EFFECTS
from connector_host.model.failure import Kind
from connector_host.model.invocation_errors import ApiError, RequestRefused, UnexpectedReply
from connector_host.model.requests import Auth, ResponseRule
from connector_host.ports.parts import OpenConnection, Reply, Request

EARLY = 30.0  # seconds before its end in which a token is not used any more
UNKNOWN_LIFE = 300.0  # seconds that a token is kept where the server does not say how long it lives
LONGEST_LIFE = 365 * 24 * 3600.0
_DIGITS = 20
Send = Callable[[Request], Awaitable[Reply]]


class _Token(Struct):
    """A server's token in a connection's memory."""

    lock: anyio.Lock
    token: str = ""
    until: float = 0.0
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "_Token()"


class Tokens:
    """The access token of one server, for one connection; `endpoint` is the server that gives them."""

    def __init__(self, auth: Auth, server: str, endpoint: ServerClient) -> None:
        self._auth = filled_auth(auth, {"connection": endpoint.opened.values})
        self._server = server
        self._endpoint = endpoint
        self._opened = endpoint.opened

    async def current(self, deadline: float, *, instead_of: str | None = None) -> str:
        """Return a token that holds; a new one in place of one that was refused. Raises InvocationError."""
        kept: _Token = self._opened.memory.setdefault(f"oauth2 {self._server}", _Token(anyio.Lock()))
        async with kept.lock:
            if kept.until <= self._opened.clock.monotonic() or kept.token == instead_of:
                await self._fetch(kept, deadline)
        return kept.token

    async def _fetch(self, kept: _Token, deadline: float) -> None:
        effects = EFFECTS.set(None)  # to be given a token changes nothing at the product
        try:
            answer = await self._endpoint.value(self._outgoing(kept, deadline))
        except ApiError as error:
            raise _refused(error) from None
        finally:
            EFFECTS.reset(effects)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise UnexpectedReply(
                "The token endpoint's answer has no access_token.",
                assistance="Check the connection's OAuth settings and the server's URL.",
            )
        self._opened.conceal(token)
        seconds = _life(answer.get("expires_in"))
        kept.token, kept.until = token, self._opened.clock.monotonic() + max(seconds - EARLY, seconds / 2)
        await self._keep_refresh_token(kept, answer.get("refresh_token"))

    async def _keep_refresh_token(self, kept: _Token, fresh: Any) -> None:
        """Store a refresh token that took the old one's place: the old one may hold no more (RFC 6749, 6)."""
        old = kept.refresh_token or self._auth.refresh_token
        if self._auth.grant != "refresh_token" or not isinstance(fresh, str) or fresh in {"", old}:
            return
        self._opened.conceal(fresh)
        kept.refresh_token = fresh
        for name, value in self._opened.values.items():
            if value == self._auth.refresh_token:
                await self._opened.renew(name, fresh)

    def _outgoing(self, kept: _Token, deadline: float) -> OutgoingRequest:
        auth = self._auth
        form: dict[str, Any] = {"grant_type": auth.grant, **auth.parameters}
        if auth.grant == "refresh_token":
            form["refresh_token"] = kept.refresh_token or auth.refresh_token
        if auth.scope:
            form["scope"] = auth.scope
        headers = {"Accept": "application/json"}
        if auth.client_auth == "basic":
            pair = base64.b64encode(f"{auth.client_id}:{auth.client_secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        else:
            form |= {
                "client_id": auth.client_id,
                **({"client_secret": auth.client_secret} if auth.client_secret else {}),
            }
        repeatable = auth.grant == "client_credentials"
        return OutgoingRequest("POST", auth.path, {}, headers, None, repeatable, deadline, form=form)


def _refused(error: ApiError) -> ApiError:
    """Return a refusal to give a token: whatever its status, it is the credentials that a person must look at."""
    failure = error.failure
    if failure.http_status is None or failure.http_status >= 500 or failure.kind in {Kind.RATE_LIMITED, Kind.GATEWAY}:  # noqa: PLR2004 - RFC 9110, 15.6
        return error
    return ApiError(
        f"The server gives no access token: {failure.message}",
        kind=Kind.UNAUTHORIZED,
        code=failure.code,
        detail=failure.detail,
        assistance="Check the client id, the client secret (or refresh token) and the scope of the connection.",
        http_status=failure.http_status,
    )


def _life(told: Any) -> float:
    """Return for how many seconds a token says that it holds; a year at most."""
    text = str(told) if isinstance(told, int | float | str) and not isinstance(told, bool) else ""
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= _DIGITS
    return min(float(text), LONGEST_LIFE) if plain else UNKNOWN_LIFE


def client_of(opened: OpenConnection, name: str, rules: Sequence[ResponseRule] = ()) -> ServerClient:
    """Return the client of a declared server, signed in where it wants that; raises RequestRefused for any other."""
    servers = opened.manifest.servers
    server = servers.get(name)
    if server is None:
        raise RequestRefused(f"The plugin declares no server '{name}'. It has: {', '.join(servers)}.")
    if server.auth is None or server.auth.type != "oauth2":
        return ServerClient(server, opened, rules)
    endpoint = ServerClient(servers[server.auth.server], opened)
    return TokenClient(server, opened, rules, Tokens(server.auth, name, endpoint))
