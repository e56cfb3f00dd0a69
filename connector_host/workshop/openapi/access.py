"""Where the API of an OpenAPI document is, and how requests show who asks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from connector_host.workshop.openapi.document import OpenApi
from connector_host.workshop.openapi.words import sentence

_TEMPLATE = re.compile(r"[`'\"]?([^`'\"<]*)<[^>]+>")
_URL = {"type": "string", "format": "uri"}


@dataclass(slots=True)
class Access:
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
