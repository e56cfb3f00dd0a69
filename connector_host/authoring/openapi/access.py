"""How an OpenAPI document's requests show who asks, and how its lists are paged."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from connector_host.authoring.openapi.document import OpenApi, Operation, sentence

_TEMPLATE = re.compile(r"[`'\"]?([^`'\"<]*)<[^>]+>")
_URL = {"type": "string", "format": "uri"}


class Access(Struct):
    """The manifest's servers, and the connection parameters that they need, each with its schema."""

    servers: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)


def access_of(api: OpenApi) -> Access:
    """Return how the API is reached: by the first server, with the first authentication that a manifest can say."""
    url = _server_url(api)
    server: dict[str, Any] = {"url": "$.connection.server_url"}
    access = Access({"api": server})
    access.parameters["server_url"] = {
        "title": "Server URL",
        "description": "The API's base URL.",
        **_URL,
        **_given(url),
    }
    accept = {one["schema"]["default"] for one in _accepts(api)}
    if len(accept) == 1:
        server["headers"] = {"Accept": accept.pop()}
    for scopes, scheme in _schemes(api):
        if _AUTH.get(_kind(scheme), _token)(access, scheme, scopes):
            break
    return access


def _server_url(api: OpenApi) -> str:
    first = (api.document.get("servers") or [{}])[0]
    url = str(first.get("url", "")).rstrip("/")
    for name, variable in first.get("variables", {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    return url


def _given(url: str) -> dict[str, Any]:
    """Return the URL as a default; where it is not one that the host would call, as an example."""
    if url.startswith("https://"):
        return {"default": url}
    return {"examples": [f"https://api.example.com{urlsplit(url).path}"]}


def _accepts(api: OpenApi) -> list[Mapping[str, Any]]:
    found = [one for operation in api.operations.values() for one in operation.parameters]
    return [one for one in found if one["name"].lower() == "accept" and "default" in one.get("schema", {})]


def _schemes(api: OpenApi) -> Iterator[tuple[list[str], Mapping[str, Any]]]:
    """Return the security schemes with their scopes: those of the whole document, of operations, then all others."""
    known = api.document.get("components", {}).get("securitySchemes", {})
    asked = [*api.document.get("security", [])]
    asked += [one for operation in api.operations.values() for one in operation.spec.get("security", [])]
    named = [(name, list(scopes or [])) for one in asked for name, scopes in one.items()]
    for name, scopes in [*named, *((name, []) for name in known)]:
        if name in known:
            yield scopes, api.resolved(known[name])


def _kind(scheme: Mapping[str, Any]) -> str:
    if scheme.get("type") == "http":
        return str(scheme.get("scheme", "")).lower()
    return str(scheme.get("type"))


def _secret(title: str, description: str) -> dict[str, Any]:
    return {"title": title, "description": description, "type": "string", "writeOnly": True}


def _api_key(access: Access, scheme: Mapping[str, Any], _scopes: list[str]) -> bool:
    found = _TEMPLATE.search(scheme.get("description", ""))
    value = f"{found[1]}{{$.connection.api_key}}" if found and found[1] else "$.connection.api_key"
    auth = {"type": "header", "name": scheme["name"], "value": value}
    if scheme.get("in") == "query":
        auth["type"] = "query"
    elif scheme.get("in") == "cookie":
        auth |= {"name": "Cookie", "value": f"{scheme['name']}={{$.connection.api_key}}"}
    access.servers["api"]["auth"] = auth
    access.parameters["api_key"] = _secret("API Key", "Shows who asks.")
    return True


def _basic(access: Access, _scheme: Mapping[str, Any], _scopes: list[str]) -> bool:
    access.servers["api"]["auth"] = {
        "type": "basic",
        "username": "$.connection.user",
        "password": "$.connection.password",
    }
    access.parameters["user"] = {"title": "User", "description": "The user's name.", "type": "string"}
    access.parameters["password"] = _secret("Password", "The user's password.")
    return True


def _token(access: Access, scheme: Mapping[str, Any], _scopes: list[str]) -> bool:
    if _kind(scheme) == "mutualtls":
        return False
    access.servers["api"]["auth"] = {"type": "bearer", "token": "$.connection.api_key"}
    access.parameters["api_key"] = _secret(
        "API Key", sentence(scheme.get("description") or "The token that shows who asks")
    )
    return True


def _oauth2(access: Access, scheme: Mapping[str, Any], scopes: list[str]) -> bool:
    """Client credentials (RFC 6749, 4.4); for the flows with a person, the token itself is asked for."""
    flow = scheme.get("flows", {}).get("clientCredentials")
    if flow is None:
        return _token(access, scheme, scopes)
    place = urlsplit(str(flow.get("tokenUrl", "/token")))
    server = "api"
    if place.netloc:
        server, origin = "login", f"{place.scheme}://{place.netloc}"
        access.servers["login"] = {"url": "$.connection.login_url"}
        about = {"title": "Login URL", "description": "The server that gives access tokens."}
        access.parameters["login_url"] = {**about, **_URL, **_given(origin)}
    scope = {"scope": " ".join(scopes)} if scopes else {}
    client = {"client_id": "$.connection.client_id", "client_secret": "$.connection.client_secret"}
    path = f"/{place.path.lstrip('/')}"
    access.servers["api"]["auth"] = {"type": "oauth2", "server": server, "path": path, **client, **scope}
    access.parameters["client_id"] = {"title": "Client ID", "description": "The client's id.", "type": "string"}
    access.parameters["client_secret"] = _secret("Client Secret", "The client's secret.")
    return True


_AUTH = {"apiKey": _api_key, "basic": _basic, "bearer": _token, "oauth2": _oauth2}

_SIZES = ("limit", "per_page", "perPage", "page_size", "pageSize", "page[size]", "max_results", "maxResults", "size")
_OFFSETS = ("offset", "startAt", "start_at", "skip")
_NUMBERS = ("page", "page_number", "pageNumber", "page[number]")
_CURSORS = ("cursor", "after", "page_token", "pageToken", "next_token", "nextToken", "starting_after", "page[after]")
_KEYS = {*_SIZES, *_OFFSETS, *_NUMBERS, *_CURSORS}
_MORE = ("more", "has_more", "hasMore", "isMore")
_TOTALS = ("total", "total_count", "totalCount")  # not `count`: with some that is the page's
_PAGES = ("total_pages", "totalPages", "pages", "pageCount", "page_count")
_MARKS = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token", "nextToken")
_AROUND = ("", "meta", "pagination", "paging", "links", "_links", "response_metadata", "metadata")
_MOST = 100


def paging_of(
    api: OpenApi, operation: Operation, answer: Mapping[str, Any], reply: Mapping[str, Any]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the manifest's `paging` and the query keys that it takes care of; nothing where the names do not tell."""
    free = [one for one in operation.parameters if "enum" not in api.schema(one.get("schema", {}))]  # not `size: small`
    queries = {one["name"]: one for one in free if one["in"] == "query"}
    size = _first(_SIZES, queries)
    found = _style(queries, answer, "link" in {name.lower() for name in reply.get("headers", {})})
    if not found:
        return {}, frozenset()
    most = api.schema(queries[size].get("schema", {})).get("maximum", _MOST) if size else _MOST
    sized = {"size": min(most, _MOST), "size_parameter": size} if size else {"size_parameter": ""}
    taken = frozenset(_KEYS & queries.keys())
    if found.get("position_parameter") == found["style"]:
        del found["position_parameter"]
    return {**found, **sized}, taken


def looks_paged(operation: Operation) -> bool:
    """Whether an operation can be asked for a part of its list: without knowing how, the rest would be missed."""
    return any(one["name"] in _KEYS for one in operation.parameters)


def _style(queries: Iterable[str], answer: Mapping[str, Any], link_header: bool) -> dict[str, Any]:  # noqa: FBT001 - one room
    fields = _fields(answer)
    number, offset, cursor = (_first(names, queries) for names in (_NUMBERS, _OFFSETS, _CURSORS))
    more, total, pages = (_first(names, fields) for names in (_MORE, _TOTALS, _PAGES))
    mark = _first((*_MARKS, "next"), fields)
    if cursor and mark:
        return {"style": "cursor", "position_parameter": cursor, "next": fields[mark]}
    if offset and (more or total):
        end = {"more": fields[more]} if more else {"total": fields[total or ""]}
        return {"style": "offset", "position_parameter": offset, **end}
    if link_header:
        return {"style": "link_header"}
    if number:
        end = {"pages": fields[pages]} if pages else {"more": fields[more]} if more else {}
        return {"style": "page", "position_parameter": number, **end}
    following = _fields(answer, "string").get("next")
    return {"style": "link", "next": following} if following else {}


def _first(names: Iterable[str], among: Iterable[str]) -> str | None:
    known = set(among)
    return next((name for name in names if name in known), None)


def _fields(answer: Mapping[str, Any], kind: str | None = None) -> dict[str, str]:
    """Return the paths of an answer's fields by name, of all or one kind: at the top, and where paging is told of."""
    found: dict[str, str] = {}
    for place in _AROUND:
        part = answer.get("properties", {}).get(place, {}) if place else answer
        for name, one in part.get("properties", {}).items():
            told = one.get("type") or []
            kinds = {told} if isinstance(told, str) else set(told)
            if not {"object", "array"} & kinds and (kind is None or kind in kinds):
                found.setdefault(name, f"$.{place}.{name}" if place else f"$.{name}")
    return found
