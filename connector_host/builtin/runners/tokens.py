"""OAuth 2: access tokens by client credentials or a refresh token (RFC 6749, 4.4 and 6), kept until they run out."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from connector_host.builtin.runners.orders import Order
from connector_host.builtin.runners.origins import Origin, filled_auth
from connector_host.builtin.runners.replies import json_of
from connector_host.contract.errors import ApiError, UnexpectedReply
from connector_host.contract.model import Kind
from connector_host.contract.ports import Job, Reply, Request
from connector_host.contract.requests import Auth

EARLY = 30.0  # seconds before its end in which a token is not used any more
UNKNOWN_LIFE = 300.0  # seconds that a token is kept where the server does not say how long it lives
Send = Callable[[Request], Awaitable[Reply]]


@dataclass(slots=True)
class _Kept:
    """A server's token in a connection's memory."""

    lock: anyio.Lock
    token: str = ""
    until: float = 0.0
    refresh_token: str = ""


class Tokens:
    """The access token of one server, for one connection."""

    def __init__(self, job: Job, auth: Auth, server: str, endpoint: Origin) -> None:
        self._job = job
        self._auth = filled_auth(auth, {"connection": job.opened.values})
        self._server = server
        self._endpoint = endpoint

    async def current(self, *, instead_of: str | None = None) -> str:
        """Return a token that holds; a new one in place of one that was refused. Raises InvocationError."""
        kept: _Kept = self._job.opened.memory.setdefault(f"oauth2 {self._server}", _Kept(anyio.Lock()))
        async with kept.lock:
            if kept.until <= self._job.clock.monotonic() or kept.token == instead_of:
                await self._fetch(kept)
        return kept.token

    async def _fetch(self, kept: _Kept) -> None:
        request = self._endpoint.request(self._order(kept))
        try:
            answer = json_of(await self._job.send(request), self._endpoint.server.errors)
        except ApiError as error:
            raise _refused(error) from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise UnexpectedReply(
                "The token endpoint's answer has no access_token.",
                assistance="Check the connection's OAuth settings and the server's URL.",
            )
        self._job.opened.conceal(token)
        life = answer.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) or str(life).isdigit() else UNKNOWN_LIFE
        kept.token, kept.until = token, self._job.clock.monotonic() + max(seconds - EARLY, seconds / 2)
        await self._keep_refresh_token(kept, answer.get("refresh_token"))

    async def _keep_refresh_token(self, kept: _Kept, fresh: Any) -> None:
        """Store a refresh token that took the old one's place: the old one may hold no more (RFC 6749, 6)."""
        old = kept.refresh_token or self._auth.refresh_token
        if self._auth.grant != "refresh_token" or not isinstance(fresh, str) or fresh in {"", old}:
            return
        self._job.opened.conceal(fresh)
        kept.refresh_token = fresh
        for name, value in self._job.opened.values.items():
            if value == self._auth.refresh_token:
                await self._job.opened.renew(name, fresh)

    def _order(self, kept: _Kept) -> Order:
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
        return Order("POST", auth.path, {}, headers, None, repeatable, self._job.deadline, form=form)


def _refused(error: ApiError) -> ApiError:
    """Return a refusal to give a token: whatever its status, it is the credentials that a person must look at."""
    failure = error.failure
    if failure.http_status is None or failure.http_status >= 500 or failure.kind is Kind.RATE_LIMITED:  # noqa: PLR2004 - RFC 9110, 15.6
        return error
    return ApiError(
        f"The server gives no access token: {failure.message}",
        kind=Kind.UNAUTHORIZED,
        code=failure.code,
        detail=failure.detail,
        assistance="Check the client id, the client secret (or refresh token) and the scope of the connection.",
        http_status=failure.http_status,
    )
