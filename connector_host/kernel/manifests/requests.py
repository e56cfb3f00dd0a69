"""Makes the nouns of declared requests: servers, requests, paging, polling and what replies mean."""

from collections.abc import Iterable, Mapping
from typing import Any

from connector_host.contract.conditions import several
from connector_host.contract.requests import (
    Auth,
    ErrorPaths,
    Limit,
    Paging,
    Poll,
    RequestTemplate,
    ResponseRule,
    Server,
)
from connector_host.kernel.manifests.forms import size_in_bytes

_SAME_IN_REQUESTS = (
    "method",
    "query",
    "headers",
    "body",
    "form",
    "multipart",
    "idempotent",
    "idempotency_key",
    "transform",
)
_SAME_IN_RULES = ("field", "kind", "indicator", "message", "assistance")


def server(name: str, spec: Mapping[str, Any], errors: ErrorPaths, responses: Iterable[Mapping[str, Any]]) -> Server:
    """Make a declared server; `errors` and `responses` are the plugin's own."""
    return Server(
        name=name,
        url=spec["url"],
        headers=spec.get("headers", {}),
        query=spec.get("query", {}),
        auth=Auth(**spec["auth"]) if "auth" in spec else None,
        limit=Limit(**spec["limit"]) if "limit" in spec else None,
        max_body=size_in_bytes(spec["max_body"]) if "max_body" in spec else None,
        errors=error_paths(spec["errors"]) if "errors" in spec else errors,
        responses=response_rules([*spec.get("responses", ()), *responses]),
    )


def error_paths(spec: Mapping[str, Any]) -> ErrorPaths:
    """Make the paths of an error body."""
    return ErrorPaths(**{key: (paths,) if isinstance(paths, str) else tuple(paths) for key, paths in spec.items()})


def response_rules(specs: Iterable[Mapping[str, Any]]) -> tuple[ResponseRule, ...]:
    """Make what replies mean."""
    return tuple(
        ResponseRule(
            verdict=spec["is"],
            statuses=tuple(map(str, several(spec["status"]))) if "status" in spec else (),
            values=several(spec["equals"]) if "equals" in spec else None,
            code=str(spec["code"]) if "code" in spec else None,
            **{key: spec[key] for key in _SAME_IN_RULES if key in spec},
        )
        for spec in specs
    )


def request_template(spec: Mapping[str, Any], plugin: Mapping[str, Any]) -> RequestTemplate:
    """Make a declared request; paging takes over what the plugin's own says."""
    paging, poll = spec.get("paging"), spec.get("poll")
    own = paging if isinstance(paging, dict) else {}
    return RequestTemplate(
        server=spec["server"],
        path=spec["path"],
        collect=spec.get("collect"),
        paging=None if paging is None else Paging(**{**plugin.get("paging", {}), **own}),
        poll=None if poll is None else _poll(poll),
        **{key: spec[key] for key in _SAME_IN_REQUESTS if key in spec},
    )


def _poll(spec: Mapping[str, Any]) -> Poll:
    rest = {key: spec[key] for key in ("path", "message", "every", "seconds") if key in spec}
    return Poll(spec["until"], several(spec["equals"]), several(spec.get("fails", [])), **rest)
