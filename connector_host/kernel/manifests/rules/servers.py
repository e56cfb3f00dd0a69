"""Servers: URLs, headers and authentication that can be filled in, rate limits that make sense."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.contract.errors import RequestRefused
from connector_host.contract.origin import check_origin
from connector_host.contract.problems import Problem
from connector_host.kernel.manifests.places import Where
from connector_host.kernel.manifests.rules.reach import Plugin

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_BODY_ROOTS = ("body", "connection")
_MOST_A_SECOND = 10_000


def check_servers(plugin: Plugin) -> Iterator[Problem]:
    """Check all servers, and what replies mean."""
    roots = plugin.roots()
    for name, server in plugin.servers.items():
        where: Where = ("servers", name)
        for part in ("url", "headers", "query", "auth"):
            yield from plugin.templates((*where, part), server.get(part, ""), roots)
        yield from _check_url(plugin, (*where, "url"), server["url"])
        if "auth" in server and server["auth"]["type"] == "oauth2":
            place: Where = (*where, "auth", "server")
            yield from plugin.unknown(place, "unknown-server", server["auth"]["server"], plugin.servers, "server")
        if "limit" in server:
            yield from _check_limit(plugin, (*where, "limit"), server["limit"])
        yield from check_responses(plugin, (*where, "responses"), server.get("responses", []))
    yield from check_responses(plugin, ("responses",), plugin.value.get("responses", []))


def _check_url(plugin: Plugin, where: Where, url: str) -> Iterator[Problem]:
    """Tell of a URL, written out, that the host would not call."""
    if "$" in url:
        return
    try:
        check_origin(url)
    except RequestRefused as error:
        advice = error.failure.assistance or "Write it as https://api.example.com."
        yield plugin.document.problem(where, "bad-url", str(error), advice)


def _check_limit(plugin: Plugin, where: Where, limit: Mapping[str, Any]) -> Iterator[Problem]:
    per = limit["per"]
    if per.startswith("$"):
        root = per.removeprefix("$.").partition(".")[0]
        roots = {**plugin.roots(), "body": frozenset[str]()}
        yield from plugin.path((*where, "per"), per, roots if root in _BODY_ROOTS else plugin.roots())
    elif per.rstrip("s") in _UNITS and per not in plugin.connection:
        unit = per.rstrip("s")
        cause = f"'per: {per}' is a unit of time; per names the connection parameter whose requests are counted."
        advice = f"Write seconds: {_UNITS[unit]}, and per: the key's parameter."
        yield plugin.document.problem((*where, "per"), "rate-unit", cause, advice)
    else:
        yield from plugin.unknown((*where, "per"), "unknown-parameter", per, plugin.connection, "connection parameter")
    requests = limit["requests"]
    if isinstance(requests, str):
        yield from plugin.path((*where, "requests"), requests, plugin.roots())
    elif requests / limit["seconds"] > _MOST_A_SECOND:
        cause = f"{requests} requests in {limit['seconds']} seconds is no limit that a service sets."
        yield plugin.document.problem((*where, "requests"), "rate-unit", cause, "Check both numbers' units.")


def check_responses(plugin: Plugin, where: Where, rules: list[Mapping[str, Any]]) -> Iterator[Problem]:
    """Check what replies mean: paths that parse, and rules that can be reached."""
    for index, rule in enumerate(rules):
        place: Where = (*where, index)
        if "field" in rule:
            yield from plugin.path((*place, "field"), rule["field"])
        if "status" not in rule and "field" not in rule:
            cause = "A rule about replies must say which: it has neither status nor field."
            yield plugin.document.problem(place, "unreachable-rule", cause, "Add 'status:' or 'field:'.")
        if "equals" in rule and "field" not in rule:
            cause = "'equals' needs the field whose value it is."
            yield plugin.document.problem((*place, "equals"), "unreachable-rule", cause, "Add 'field: $.…'.", key=True)
        earlier = next((one for one in rules[:index] if _covers(one, rule)), None)
        if earlier is not None:
            cause = f"This rule is never reached: the rule number {rules.index(earlier) + 1} fits all that it fits."
            yield plugin.document.problem(place, "unreachable-rule", cause, "Put the narrower rule first.")


def _covers(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    same_status = "status" not in first or first["status"] == second.get("status")
    same_field = "field" not in first or (
        first["field"] == second.get("field") and ("equals" not in first or first["equals"] == second.get("equals"))
    )
    return same_status and same_field
