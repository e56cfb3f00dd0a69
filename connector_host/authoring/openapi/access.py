"""How an OpenAPI document's requests show who asks."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct, field

from connector_host.authoring.openapi.document import OpenApi, Operation, is_data, sentence, snake, titled
from connector_host.model.errors import WrongUse

# `Authorization: Token <your key>`: what stands before the key, and is no HTML.
_PREFIX = re.compile(
    r"(?:[`'\"](?P<quoted>[A-Za-z][\w-]*(?: [\w-]+)?[ =])|\b(?P<word>Bearer|Token|ApiKey|Key) )"
    r"<[\w -]*(?:key|token|secret)[\w -]*>",
    re.IGNORECASE,
)
_URL = {"type": "string", "format": "uri"}


class Access(Struct):
    """The manifest's servers, and the connection parameters that they need, each with its schema."""

    servers: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    base: str = ""


def access_of(api: OpenApi, operations: Sequence[Operation]) -> Access:
    """Return how the operations are reached: by one server, with credentials that a manifest can say for all of them.

    Raises WrongUse for what it cannot say, or what holds for some of them alone.
    """
    url = _server_url(api, operations)
    server: dict[str, Any] = {"url": "$.connection.server_url"}
    access = Access({"api": server}, base=url)
    access.parameters["server_url"] = {
        "title": "Server URL",
        "description": "The API's base URL.",
        **_URL,
        **_given(url),
    }
    accept = {one["schema"]["default"] for one in _accepts(api) if is_data(one["schema"]["default"])}
    if len(accept) == 1:
        server["headers"] = {"Accept": accept.pop()}
    _sign(api, operations, access)
    return access


def _sign(api: OpenApi, operations: Sequence[Operation], access: Access) -> None:
    """Declare the first way to show who asks that can be said, of those that the document offers."""
    offered = _offered(api, operations)
    for schemes in offered:
        fresh = Access({"api": dict(access.servers["api"])}, dict(access.parameters), access.base)
        if _takes(fresh, schemes):
            access.servers, access.parameters = fresh.servers, fresh.parameters
            return
    if offered:
        named = " or ".join(" with ".join(_kind(scheme) for scheme, _ in schemes) or "nothing" for schemes in offered)
        raise WrongUse(f"The document wants {named} to show who asks, which a manifest cannot say. Write it in Python.")


def _takes(access: Access, schemes: Sequence[tuple[Mapping[str, Any], list[str]]]) -> bool:
    """Declare schemes that are wanted together; return whether all of them can be said."""
    for number, (scheme, scopes) in enumerate(schemes):
        declare = _AUTH.get(_kind(scheme))
        if declare is None or not is_data(scheme.get("name", "")) or not all(map(is_data, scopes)):
            return False
        if not (declare(access, scheme, scopes) if number == 0 else _another_key(access, scheme, number)):
            return False
    return True


def _another_key(access: Access, scheme: Mapping[str, Any], number: int) -> bool:
    """Declare a key that is sent beside the first credentials."""
    where = {"header": "headers", "query": "query"}.get(scheme.get("in", ""))
    if _kind(scheme) == "mutualTLS":
        return _client_certificate(access, scheme, [])
    if _kind(scheme) != "apiKey" or where is None:
        return False
    name = snake(str(scheme["name"])) or f"key_{number}"
    name = name if name not in access.parameters else f"{name}_{number}"
    access.servers["api"].setdefault(where, {})
    access.servers["api"][where] = {**access.servers["api"][where], scheme["name"]: f"$.connection.{name}"}
    access.parameters[name] = _secret(titled(name), "Shows who asks, beside the other credentials.")
    return True


def _offered(api: OpenApi, operations: Sequence[Operation]) -> list[list[tuple[Mapping[str, Any], list[str]]]]:
    """Return the ways to show who asks, each a list of schemes with their scopes, that serve all the operations."""
    schemes = api.document.get("components", {}).get("securitySchemes", {})
    known = {name: api.resolved(one) for name, one in schemes.items()}
    whole = api.document.get("security", [])
    wanted = [one for one in operations if one.spec.get("security", whole)]
    if not wanted:
        unsaid = not whole and not all(one.spec.get("security") == [] for one in operations)
        return [[(scheme, [])] for scheme in known.values()] if unsaid else []
    first = _by_names(wanted[0].spec.get("security", whole))
    shared = {names for names in first if all(names in _by_names(one.spec.get("security", whole)) for one in wanted)}
    if not shared:
        odd = next(one for one in wanted if not set(first) & set(_by_names(one.spec.get("security", whole))))
        raise WrongUse(f"The operation '{odd.id}' shows who asks in another way than '{wanted[0].id}'. Leave one out.")
    missing = sorted({name for names in shared for name in names} - set(known))
    if missing:
        raise WrongUse(f"The document asks for '{missing[0]}' to show who asks, and does not say what that is.")
    return [
        sorted(
            ((known[name], _scopes(name, wanted, whole)) for name in names), key=lambda one: _kind(one[0]) == "apiKey"
        )
        for names in first
        if names in shared
    ]


def _by_names(requirements: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [tuple(one) for one in requirements if one]


def _scopes(name: str, operations: Sequence[Operation], whole: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the scopes that the operations need of a scheme, all together."""
    asked = [one for operation in operations for one in operation.spec.get("security", whole)]
    return list(dict.fromkeys(scope for one in asked for scope in one.get(name) or []))


def _server_url(api: OpenApi, operations: Sequence[Operation]) -> str:
    """Return the one server of the operations; raises WrongUse where they have several."""
    whole = _first_url(api.document.get("servers"))
    found = {_first_url(one.spec.get("servers")) or whole: one.id for one in operations}
    if len(found) > 1:
        named = ", ".join(f"'{name}' at {url or 'none'}" for url, name in found.items())
        raise WrongUse(f"The operations stand on several servers: {named}. Make a plugin of each.")
    return next(iter(found), whole)


def _first_url(servers: Any) -> str:
    first = (servers or [{}])[0]
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


def _kind(scheme: Mapping[str, Any]) -> str:
    if scheme.get("type") == "http":
        return str(scheme.get("scheme", "")).lower()
    return str(scheme.get("type"))


def _secret(title: str, description: str) -> dict[str, Any]:
    return {"title": title, "description": description, "type": "string", "writeOnly": True}


def _api_key(access: Access, scheme: Mapping[str, Any], _scopes: list[str]) -> bool:
    found = _PREFIX.search(str(scheme.get("description", "")))
    prefix = (found["quoted"] or f"{found['word']} ") if found else ""
    value = f"{prefix}{{$.connection.api_key}}" if prefix else "$.connection.api_key"
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
    place = urlsplit(urljoin(f"{access.base}/", str(flow.get("tokenUrl", "/token"))))
    path = f"/{place.path.lstrip('/')}"
    if not is_data(path):
        return False
    server, base = "api", urlsplit(access.base)
    if place.netloc and (place[:2] != base[:2] or base.path.strip("/")):
        server, origin = "login", f"{place.scheme}://{place.netloc}"
        access.servers["login"] = {"url": "$.connection.login_url"}
        about = {"title": "Login URL", "description": "The server that gives access tokens."}
        access.parameters["login_url"] = {**about, **_URL, **_given(origin)}
    scope = {"scope": " ".join(scopes)} if scopes else {}
    client = {"client_id": "$.connection.client_id", "client_secret": "$.connection.client_secret"}
    access.servers["api"]["auth"] = {"type": "oauth2", "server": server, "path": path, **client, **scope}
    access.parameters["client_id"] = {"title": "Client ID", "description": "The client's id.", "type": "string"}
    access.parameters["client_secret"] = _secret("Client Secret", "The client's secret.")
    return True


def _client_certificate(access: Access, _scheme: Mapping[str, Any], _scopes: list[str]) -> bool:
    """Declare a certificate that the host's wire shows, by the names that it looks for."""
    for name, title in (("client_certificate", "Client Certificate"), ("client_key", "Client Key")):
        access.parameters[name] = {**_secret(title, "PEM text that shows who asks."), "multiline": True}
    return True


_AUTH = {
    "apiKey": _api_key,
    "basic": _basic,
    "bearer": _token,
    "oauth2": _oauth2,
    "mutualTLS": _client_certificate,
}


def needs_credentials(api: OpenApi, operation: Operation) -> bool:
    """Whether the document says that an operation is for those alone who show who they are."""
    wanted = operation.spec.get("security", api.document.get("security", []))
    return bool(wanted) and {} not in wanted
