"""What the operator looks after: sites, tenants, the audit, tokens; and files on their way into commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.responses import Response

from connector_host.host.tokens import document_of
from connector_host.model.errors import UnknownSite
from connector_host.model.result import plain
from connector_host.model.token import Scope, Token
from connector_host.web.asking import Ask, Shape, answer, known_keys, required, texts_in
from connector_host.web.problems import Problem
from connector_host.web.routing import TEXT, Route, listed, ref, up_to

_SITE: Shape = {"name": str, "tenant": str, "internal": bool}
_TENANT: Shape = {"name": str, "master": bool}
_LISTS = ("scopes", "groups", "plugins", "connections", "commands")
_TOKEN: Shape = {
    "name": str,
    "user": str,
    "site": str,
    "tenant": str,
    "days": (int, float),
    **dict.fromkeys(_LISTS, list),
}
MOST = 1000


async def list_sites(ask: Ask) -> Response:
    """List the sites."""
    places = await ask.session.sites.map()
    return answer({"items": [plain(one) for one in places.sites.values()]})


async def put_site(ask: Ask) -> Response:
    """Add a site, or change it."""
    body = await ask.body()
    known_keys(body, _SITE)
    made = await ask.session.sites.put_site(
        required(body, "name"), tenant=body.get("tenant"), internal=body.get("internal", True)
    )
    return answer(plain(made))


async def remove_site(ask: Ask) -> Response:
    """Remove a site that nothing belongs to."""
    with there():
        await ask.session.sites.remove_site(ask.part("name"))
    return Response(status_code=204)


async def list_tenants(ask: Ask) -> Response:
    """List the tenants."""
    places = await ask.session.sites.map()
    return answer({"items": [plain(one) for one in places.tenants.values()]})


async def put_tenant(ask: Ask) -> Response:
    """Add a tenant, or say whether it is the master."""
    body = await ask.body()
    known_keys(body, _TENANT)
    return answer(plain(await ask.session.sites.put_tenant(required(body, "name"), master=body.get("master", False))))


async def remove_tenant(ask: Ask) -> Response:
    """Remove a tenant that nothing belongs to."""
    with there():
        await ask.session.sites.remove_tenant(ask.part("name"))
    return Response(status_code=204)


async def list_audit(ask: Ask) -> Response:
    """List the newest records of the audit."""
    found = await ask.session.audit.newest(ask.number("limit", 100, MOST))
    return answer({"items": [one.document() for one in found]})


async def list_tokens(ask: Ask) -> Response:
    """List the tokens, without what their holders show."""
    return answer({"items": [document_of(one) for one in await ask.session.tokens.list()]})


async def add_token(ask: Ask) -> Response:
    """Make a token; its text is in this answer alone."""
    body = await ask.body()
    known_keys(body, _TOKEN)
    days = body.pop("days", None)
    lists = {name: tuple(texts_in(body, name)) for name in _LISTS}
    given: dict[str, Any] = {**{name: value for name, value in body.items() if value is not None}, **lists}
    token, text = await ask.session.tokens.add(
        Token(**{"scopes": (), **given, "name": required(body, "name")}), days=days
    )
    return answer({**document_of(token), "token": text}, 201)


async def revoke_token(ask: Ask) -> Response:
    """Revoke a token; whoever signed in by it is signed out."""
    known = [one.id for one in await ask.session.tokens.list()]
    if ask.part("id") not in known:
        raise Problem("not-found", "There is no token of that id.")
    await ask.session.tokens.revoke(ask.part("id"))
    return Response(status_code=204)


async def put_file(ask: Ask) -> Response:
    """Keep a file until a command has taken it; give the reference as the parameter's value."""
    name = ask.query("name") or "file"
    media = ask.request.headers.get("content-type", "").partition(";")[0].strip()
    reference = ask.session.uploads.put(name, await ask.request.body(), media)
    return answer({"reference": reference}, 201)


async def remove_file(ask: Ask) -> Response:
    """Forget a file of one's own."""
    if ask.session.uploads.find(ask.part("reference")) is None:
        raise Problem("not-found", "There is no file of that reference.")
    ask.session.uploads.remove(ask.part("reference"))
    return Response(status_code=204)


@contextmanager
def there() -> Iterator[None]:
    """Tell of a place that is not there as of what is not found."""
    try:
        yield
    except UnknownSite as error:
        raise Problem("not-found", str(error)) from None


_LIMIT = up_to(MOST)
_REFERENCE = {"type": "object", "required": ["reference"], "properties": {"reference": TEXT}}
ROUTES = (
    Route("GET", "/api/v1/sites", Scope.ADMIN, list_sites, "List the sites", listed(ref("Site"))),
    Route(
        "POST",
        "/api/v1/sites",
        Scope.ADMIN,
        put_site,
        "Add or change a site",
        ref("Site"),
        ref("Site"),
        refusals=("not-found", "invalid"),
    ),
    Route(
        "DELETE",
        "/api/v1/sites/{name}",
        Scope.ADMIN,
        remove_site,
        "Remove a site",
        status=204,
        refusals=("not-found", "invalid"),
    ),
    Route("GET", "/api/v1/tenants", Scope.ADMIN, list_tenants, "List the tenants", listed(ref("Tenant"))),
    Route(
        "POST",
        "/api/v1/tenants",
        Scope.ADMIN,
        put_tenant,
        "Add or change a tenant",
        ref("Tenant"),
        ref("Tenant"),
        refusals=("invalid",),
    ),
    Route(
        "DELETE",
        "/api/v1/tenants/{name}",
        Scope.ADMIN,
        remove_tenant,
        "Remove a tenant",
        status=204,
        refusals=("not-found", "invalid"),
    ),
    Route(
        "GET",
        "/api/v1/audit",
        Scope.ADMIN,
        list_audit,
        "List the newest records of the audit",
        listed({"type": "object"}),
        query={"limit": _LIMIT},
        refusals=("invalid",),
    ),
    Route("GET", "/api/v1/tokens", Scope.ADMIN, list_tokens, "List the tokens", listed(ref("Token"))),
    Route(
        "POST",
        "/api/v1/tokens",
        Scope.ADMIN,
        add_token,
        "Make a token",
        ref("Token"),
        ref("NewToken"),
        status=201,
        refusals=("invalid",),
    ),
    Route(
        "DELETE",
        "/api/v1/tokens/{id}",
        Scope.ADMIN,
        revoke_token,
        "Revoke a token",
        status=204,
        refusals=("not-found",),
    ),
    Route(
        "POST",
        "/api/v1/files",
        Scope.RUN_READ_ONLY,
        put_file,
        "Keep a file for a command",
        _REFERENCE,
        query={"name": TEXT},
        status=201,
        refusals=("invalid", "too-large"),
    ),
    Route(
        "DELETE",
        "/api/v1/files/{reference}",
        Scope.RUN_READ_ONLY,
        remove_file,
        "Forget a file",
        status=204,
        refusals=("not-found",),
    ),
)
