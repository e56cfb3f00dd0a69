"""Declared requests: their server, their templates, how they page and poll, and one body at most."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.contract.problems import Problem
from connector_host.kernel.manifests.places import Where
from connector_host.kernel.manifests.rules.reach import Plugin, paths_in, texts_in
from connector_host.kernel.manifests.rules.servers import check_responses

_BODIES = ("body", "form", "multipart")
_FILLED = ("path", "query", "headers", *_BODIES)
_PAGED_BY = {
    "offset": {"total", "more", "window", "position_parameter"},
    "page": {"pages", "more", "first", "position_parameter"},
    "cursor": {"next", "position_parameter"},
    "link": {"next"},
    "link_header": set[str](),
}
_ALL_STYLES = {"style", "size", "size_parameter"}
_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def check_requests(plugin: Plugin) -> Iterator[Problem]:
    """Check the requests of all commands, how lists are paged, and what replies mean."""
    yield from _check_paging(plugin, ("paging",), plugin.value.get("paging", {}))
    for name, command in plugin.commands.items():
        where: Where = ("commands", name)
        yield from check_responses(plugin, (*where, "responses"), command.get("responses", []))
        if "request" in command:
            yield from _check_request(plugin, where, command)


def _check_request(plugin: Plugin, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    request, here = command["request"], (*where, "request")
    yield from plugin.unknown((*here, "server"), "unknown-server", request["server"], plugin.servers, "server")
    roots = plugin.roots(command)
    for part in _FILLED:
        if part in request:
            yield from plugin.templates((*here, part), request[part], roots)
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
        cause = "A list can not be polled."
        yield plugin.document.problem((*here, "poll"), "useless-key", cause, "Remove 'poll' or 'collect'.", key=True)


def _check_paging(plugin: Plugin, where: Where, paging: Mapping[str, Any]) -> Iterator[Problem]:
    """Tell of keys that do nothing: those of other styles, and `more` beside what is surer."""
    style = {**plugin.value.get("paging", {}), **paging}.get("style", "offset")
    if style not in _PAGED_BY:
        return
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
