"""Who is signed in at the page: a cookie that says nothing by itself, and a look at where a form comes from."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector_host.host.host import Host
from connector_host.model.token import Token
from connector_host.web.attempts import Attempts
from connector_host.web.problems import Problem

SECONDS = 8 * 3600


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

    async def begin(self, request: Request, shown: str, link: str) -> Response | None:
        """Sign in by a token's text, or by a link that works once; None where neither is good."""
        text: str | None = None
        if link:
            text = await self._host.doorkeeper.by_link(link)
        else:
            token = await self._host.doorkeeper.by_token(shown.strip())
            text = await self._host.doorkeeper.begin(token) if token else None
        if text is None:
            self._attempts.failed(request.client.host if request.client else "")
            return None
        await self.forget(request)
        response = RedirectResponse("/connections", 303)
        response.set_cookie(self.cookie, text, SECONDS, path="/", secure=self._secure, httponly=True, samesite="lax")
        return response

    async def forget(self, request: Request) -> None:
        """Sign the browser out."""
        if text := request.cookies.get(self.cookie):
            await self._host.doorkeeper.end(text)


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
