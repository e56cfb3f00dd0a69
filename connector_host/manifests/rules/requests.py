"""Servers and declared requests: URLs, authentication, limits, templates, paging, polling, one body at most."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.manifests.parameters import several
from connector_host.manifests.rules.reach import Plugin, paths_in, texts_in
from connector_host.manifests.source_map import Where
from connector_host.model.failure import Problem
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.requests import check_origin

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


_BODIES = ("body", "form", "multipart")
_FILLED = ("path", "query", "headers", *_BODIES)
_PAGED_BY = {
    "offset": {"total", "more", "window", "position_parameter"},
    "page": {"pages", "more", "first", "position_parameter"},
    "cursor": {"next", "position_parameter"},
    "link": {"next"},
    "link_header": set[str](),
    "first_page": {"more"},
    "key": {"by", "id", "parameter", "more", "window", "position_parameter"},
}
_ALL_STYLES = {"style", "size", "size_parameter"}
_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def check_requests(plugin: Plugin) -> Iterator[Problem]:
    """Check the requests of all commands, how lists are paged, and what replies mean."""
    yield from _check_paging(plugin, ("paging",), plugin.value.get("paging", {}))
    for name, command in plugin.commands.items():
        where: Where = ("commands", name)
        yield from check_responses(plugin, (*where, "responses"), command.get("responses", []))
        if "results" in command:
            yield from _check_results(plugin, where, command)
        if "request" in command:
            yield from _check_request(plugin, where, command)


def _check_results(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    """Check verdicts inside an answer: of one declared reply, by paths that parse."""
    results, place = command["results"], (*where, "results")
    request = command.get("request")
    if request is None or "collect" in request:
        cause = "'results' is about the one reply of a declared request; a Python command answers with Items."
        yield plugin.document.problem(place, "useless-key", cause, "Remove it.", key=True)
    for key in {"path", "item", "status", "error"} & results.keys():
        for index, path in enumerate(several(results[key])):
            at = (*place, key, index) if isinstance(results[key], list) else (*place, key)
            yield from plugin.path(at, path)
    if "ok" in results:
        yield from plugin.templates((*place, "ok"), results["ok"], plugin.roots(command))
    if not {"status", "error"} & results.keys():
        cause = "'results' says neither where an item's status stands nor where its error does."
        yield plugin.document.problem(place, "useless-key", cause, "Add 'status:' or 'error:'.", key=True)


def _check_request(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    request, here = command["request"], (*where, "request")
    yield from plugin.unknown((*here, "server"), "unknown-server", request["server"], plugin.servers, "server")
    roots = plugin.roots(command)
    for part in _FILLED:
        if part in request:
            yield from plugin.templates((*here, part), request[part], roots)
    yield from plugin.templates((*here, "moved", "path"), request.get("moved", {}).get("path", ""), roots)
    for index, path in enumerate(request.get("requires", [])):
        yield from plugin.path((*here, "requires", index), path, roots)
    yield from _check_shape(plugin, where, command, request)
    if "transform" in request:
        yield from plugin.templates((*here, "transform"), request["transform"], {**roots, "reply": frozenset()})
    if isinstance(request.get("paging"), Mapping):
        yield from _check_paging(plugin, (*here, "paging"), request["paging"])
    if "poll" in request:
        poll = request["poll"]
        for key in ("until", "message"):
            if key in poll:
                yield from plugin.path((*here, "poll", key), poll[key])
        yield from plugin.templates((*here, "poll", "path"), poll.get("path", ""), {**roots, "reply": frozenset()})
    if command.get("read_only") and request.get("method", "GET") in {"PUT", "PATCH", "DELETE"}:
        cause = f"The command is said to change nothing, and sends a {request['method']} request."
        yield plugin.document.problem((*where, "read_only"), "contradiction", cause, "Remove read_only.", key=True)
    yield from _check_each_used(plugin, where, command)


def _check_shape(
    plugin: Plugin, where: Where, command: Mapping[str, Any], request: Mapping[str, Any]
) -> Iterator[Problem]:
    here: Where = (*where, "request")
    bodies = [name for name in _BODIES if name in request]
    method = request.get("method", "GET")
    if len(bodies) > 1:
        cause = f"A request has one body, not {' and '.join(bodies)}."
        yield plugin.document.problem((*here, bodies[1]), "two-bodies", cause, "Keep one of them.", key=True)
    if bodies and method == "GET":
        cause = f"A GET request has no {bodies[0]}."
        advice = "Add 'method: POST', or send it as 'query:'."
        yield plugin.document.problem((*here, bodies[0]), "body-of-get", cause, advice, key=True)
    if "paging" in request and "collect" not in request:
        cause = "A paged request must say what it collects."
        advice = "Add 'collect': the reply's field that holds the records."
        yield plugin.document.problem((*here, "paging"), "paging-without-collect", cause, advice, key=True)
    if "collect" in command:
        cause = "'collect' of a declared request stands inside 'request'."
        yield plugin.document.problem((*where, "collect"), "misplaced-collect", cause, "Move it there.", key=True)
    if str(request.get("collect", "")).startswith("$"):
        yield from plugin.path((*here, "collect"), request["collect"])
    poll = request.get("poll")
    if poll is not None and "path" not in poll and method in _CHANGING:
        cause = f"Polling would send the {method} again and again."
        yield plugin.document.problem((*here, "poll"), "poll-repeats", cause, "Add 'path:', what to GET.", key=True)
    if poll is not None and "collect" in request:
        cause = "A list cannot be polled."
        yield plugin.document.problem((*here, "poll"), "useless-key", cause, "Remove 'poll' or 'collect'.", key=True)


def _check_paging(plugin: Plugin, where: Where, paging: Mapping[str, Any]) -> Iterator[Problem]:
    """Tell of keys that do nothing: those of other styles, and `more` beside what is surer."""
    style = {**plugin.value.get("paging", {}), **paging}.get("style", "offset")
    if style not in _PAGED_BY:
        return
    for key in {"next", "more", "total", "pages"} & paging.keys():
        if str(paging[key]).startswith(("$.headers", "$.status")):
            cause = f"'{key}' is a path in the reply's body; {paging[key]} would never be there."
            advice = "Use style: link_header for links in a header."
            yield plugin.document.problem((*where, key), "paging-path", cause, advice)
    surer = {"total", "pages"} & paging.keys() & _PAGED_BY[style]
    for key in paging:
        if key not in _PAGED_BY[style] | _ALL_STYLES:
            cause = f"'{key}' does nothing in paging of style {style}."
            styles = [name for name, keys in _PAGED_BY.items() if key in keys]
            advice = f"Remove it, or choose the style {' or '.join(styles)}."
            yield plugin.document.problem((*where, key), "useless-key", cause, advice, key=True)
        elif key == "more" and surer:
            cause = f"'more' does nothing beside '{min(surer)}'."
            yield plugin.document.problem((*where, key), "useless-key", cause, "Keep one of them.", key=True)


def _check_each_used(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    """Tell of a request made once per element that does not say where the element goes."""
    each = command.get("each")
    paths = [path for text in texts_in(command["request"]) for path in paths_in(text)]
    if {path.removeprefix("$.").partition(".")[0] for path in paths} - plugin.roots(command).keys() - {"reply"}:
        return  # the item may be among what begins nowhere
    if each is not None and "$.item" not in str(command["request"]) and each not in plugin.set_aside:
        cause = f"The request is made once for each of '{each}', and is the same each time: nothing is $.item."
        yield plugin.document.problem((*where, "each"), "each-unused", cause, "Place {$.item} in the request.")
