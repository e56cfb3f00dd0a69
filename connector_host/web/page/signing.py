"""Who is signed in at the page: a cookie that says nothing by itself, and a look at where a form comes from."""

import re
import secrets
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector_host.host.host import Host
from connector_host.model.boundary import outcome_of
from connector_host.model.errors import NotAllowed
from connector_host.model.token import Token
from connector_host.web.attempts import Attempts
from connector_host.web.problems import Problem

if TYPE_CHECKING:
    from connector_host.web.page.openid import OpenId

SECONDS = 8 * 3600
_OWN = re.compile(r"/(?!sign-|static|api/)[a-z][\w%.~-]*(/[\w%.~-]+)*(\?[\w%.~=&+-]*)?", re.ASCII)


class SignIn:
    """Knows the token by which a browser is signed in."""

    def __init__(self, host: Host, attempts: Attempts, base: str) -> None:
        self._host, self._attempts = host, attempts
        self._secure = base.startswith("https:")
        self.cookie = "__Host-connector-host" if self._secure else "connector-host"

    async def token(self, request: Request) -> Token | None:
        """Return the token; None where nobody is signed in."""
        text = request.cookies.get(self.cookie, "")
        return await self._host.doorkeeper.by_session(text) if text else None

    async def begin(self, request: Request, shown: str, link: str, to: str = "") -> Response | None:
        """Sign in by a token's text, or by a link that works once, and lead on; None where neither is good."""
        text: str | None = None
        if link:
            text = await self._host.doorkeeper.by_link(link)
        else:
            token = await self._host.doorkeeper.by_token(shown.strip())
            text = await self._host.doorkeeper.begin(token) if token else None
        if text is None:
            self._attempts.failed(request.client.host if request.client else "")
            return None
        return await self._signed_in(request, text, to)

    async def _signed_in(self, request: Request, text: str, to: str = "") -> Response:
        await self.forget(request)
        response = RedirectResponse(own_path(to), 303)
        response.set_cookie(self.cookie, text, SECONDS, path="/", secure=self._secure, httponly=True, samesite="lax")
        return response

    async def leave(self, provider: "OpenId") -> Response:
        """Send a browser to a provider; what it comes back with is good in it alone."""
        browser = secrets.token_urlsafe(32)
        response = RedirectResponse(await provider.leave(browser), 303, {"Cache-Control": "no-store"})
        name = f"{self.cookie}-openid"
        response.set_cookie(name, browser, 600, path="/", secure=self._secure, httponly=True, samesite="lax")
        return response

    async def came_back(self, provider: "OpenId", request: Request) -> Response:
        """Sign in whoever comes back from a provider, for as long as a session lasts; raises NotAllowed."""
        address = request.client.host if request.client else ""
        browser = request.cookies.get(f"{self.cookie}-openid", "")
        wanted, error = await outcome_of(provider.came_back(browser, request.query_params))
        if wanted is None:
            self._attempts.failed(address)
            raise error or NotAllowed("Begin anew.")
        tokens = self._host.as_operator().tokens
        for old in await tokens.list():
            if old.name == wanted.name and old.expires_at is not None and old.expires_at <= self._host.clock.now():
                await tokens.revoke(old.id)
        token, _ = await tokens.add(wanted, days=SECONDS / 86_400)
        response = await self._signed_in(request, await self._host.doorkeeper.begin(token))
        response.delete_cookie(f"{self.cookie}-openid", path="/")
        return response

    async def forget(self, request: Request) -> None:
        """Sign the browser out."""
        if text := request.cookies.get(self.cookie):
            await self._host.doorkeeper.end(text)


def own_path(text: str) -> str:
    """Return a window's own address, as it was asked for; that of the connections for anything else."""
    return text if _OWN.fullmatch(text) else "/connections"


def refuse_foreign(request: Request) -> None:
    """Raise Problem for a form that comes from elsewhere, or does not say where from: nobody else's page posts here.

    By `Sec-Fetch-Site`, which browsers add themselves, else by `Origin` (as OWASP's and Go's guidance has it).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise Problem("forbidden", "The form comes from another site.")
        return
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if not origin or origin != f"{request.url.scheme}://{host}":
        raise Problem("forbidden", "The form does not say that it comes from here.")
