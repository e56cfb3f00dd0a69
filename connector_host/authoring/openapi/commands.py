"""Makes a command of an operation in an OpenAPI 3 document."""

import re
from collections.abc import Mapping
from typing import Any

from connector_host.authoring.openapi.document import JSON, OpenApi, Operation, is_data, sentence, snake, words
from connector_host.authoring.openapi.inputs import WHOLE, Inputs, body_of, is_a_credential, key_fields, samples_of
from connector_host.authoring.openapi.paging import looks_paged, more_of, paging_of
from connector_host.model.errors import WrongUse

HEADERS_OF_OURS = frozenset({"accept", "content-type", "authorization"})
_PLACE = re.compile(r"\{([^{}]+)\}")


def command_of(api: OpenApi, operation: Operation) -> dict[str, Any]:
    """Return the command of one operation; raises WrongUse for what a declared request cannot send or read."""
    status, reply = _good_reply(api, operation)
    answer, example = _answer(api, operation, reply)
    reads = operation.method == "GET"
    paging, taken = paging_of(api, operation, answer, reply) if reads else ({}, frozenset[str]())
    records = _list_in(operation, answer)
    unclear = records is not None and reads and not paging and looks_paged(operation, answer)
    inputs = Inputs(api)
    request = _request(api, operation, inputs, taken if records is not None else frozenset())
    if unclear:
        api.left_out.append(f"the paging of {operation.id}: how its list goes on is not told.")
        told = more_of(answer)
        paging, unclear = ({"style": "first_page", "more": told}, False) if told else (paging, True)
    if records is not None and reads and not unclear:
        request |= {"collect": records, **({"paging": paging} if paging else {})}
        answer, records = (answer, records) if records != "$" else (_around(answer), WHOLE)
    examples = inputs.examples()
    lacking = [name for name, value in examples.items() if value is None]
    if lacking:
        api.left_out.append(f"the samples of {operation.id}: nothing is known that fits {', '.join(lacking)}.")
    samples = [] if lacking else samples_of(request, examples, status, example, answer)
    keys = _key_fields(operation, answer, records, samples[0]["http"][0].get("body") if samples else None)
    parts = {"input": inputs.schema(), "request": request, "output": answer, "key_fields": keys, "samples": samples}
    return _about(operation) | {name: part for name, part in parts.items() if part or name == "output"}


def _request(api: OpenApi, operation: Operation, inputs: Inputs, taken: frozenset[str]) -> dict[str, Any]:
    request: dict[str, Any] = {"server": "api", "method": operation.method, "path": _path(operation)}
    request |= _placed(api, operation, inputs, taken)
    body = body_of(api, operation, inputs) if operation.method != "GET" else {}
    headers = {**request.get("headers", {}), **body.get("headers", {})}
    return {**request, **body, **({"headers": headers} if headers else {})}


def _key_fields(operation: Operation, answer: Mapping[str, Any], records: str | None, body: Any) -> dict[str, str]:
    resource = next(part for part in reversed(operation.path.split("/")) if "{" not in part)
    return key_fields(resource, answer, records, {WHOLE: body} if records == WHOLE else body)


def _around(records: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {WHOLE: records}}


def _about(operation: Operation) -> dict[str, Any]:
    parts = words(operation.id)
    told = operation.spec.get("summary") or " ".join(parts).capitalize()
    marks = {
        "GET": {"read_only": True},
        "DELETE": {"destructive": True, "idempotent": True},
        "PUT": {"idempotent": True},
    }
    title = " ".join(word.capitalize() for word in parts)
    return {"title": title, "description": sentence(told), **marks.get(operation.method, {})}


def _path(operation: Operation) -> str:
    return _PLACE.sub(lambda found: f"{{$.input.{snake(found[1])}}}", operation.path)


def _placed(api: OpenApi, operation: Operation, inputs: Inputs, taken: frozenset[str]) -> dict[str, Any]:
    """Declare the parameters; returns the request's query and headers. The path's come first: they keep their names."""
    placed: dict[str, dict[str, str]] = {"query": {}, "header": {}, "path": {}}
    for parameter in sorted(operation.parameters, key=lambda one: one["in"] != "path"):
        name, where = parameter["name"], parameter["in"]
        ours = where == "header" and name.lower() in HEADERS_OF_OURS
        if (where == "query" and name in taken) or ours or is_a_credential(api, operation, parameter):
            continue
        if not is_data(name):
            raise WrongUse(f"A manifest has no word for the parameter '{name}' of {operation.id}. Leave it out.")
        if where not in placed or parameter.get("style") == "deepObject":
            _leave_out(api, operation, parameter)
        else:
            placed[where][name] = inputs.of_parameter(parameter)
    return {key: placed[where] for key, where in (("query", "query"), ("headers", "header")) if placed[where]}


def _leave_out(api: OpenApi, operation: Operation, parameter: Mapping[str, Any]) -> None:
    told = f"the {parameter['in']} parameter '{parameter['name']}' of {operation.id}"
    if parameter.get("required"):
        raise WrongUse(f"A declared request cannot send {told}. Leave the operation out, and write it in Python.")
    api.left_out.append(f"{told}.")


def _good_reply(api: OpenApi, operation: Operation) -> tuple[int, Mapping[str, Any]]:
    """Return the status and the description of the reply that means success."""
    replies = {str(code): reply for code, reply in operation.spec.get("responses", {}).items()}
    code = next((code for code in replies if code.startswith("2")), "default")
    return int(code) if code.isdigit() else 200, api.resolved(replies.get(code, replies.get(code.upper(), {})))


def _answer(api: OpenApi, operation: Operation, reply: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the answer's schema, and an example of it."""
    kind, media = api.content(reply)
    if kind and not JSON.fullmatch(kind):
        raise WrongUse(
            f"The operation '{operation.id}' answers in {kind}; commands read JSON. "
            f"Leave it out, or take one that answers in JSON."
        )
    schema = api.schema(media.get("schema", {}), lenient=True)
    examples = [api.resolved(one).get("value") for one in media.get("examples", {}).values()]
    return schema, media.get("example", next(iter(examples), None))


def _list_in(operation: Operation, answer: Mapping[str, Any]) -> str | None:
    """Return the name of the answer's list of records, where that is what it is about; `$` for a list by itself.

    An object that has a list among other fields is one thing, and so is what a path names by its id: to collect its
    list would drop what it is.
    """
    if "array" in (answer.get("type") or []):
        return "$"
    properties = answer.get("properties", {})
    lists = [name for name, one in properties.items() if "array" in (one.get("type") or [])]
    about_paging = all(_ABOUT_PAGING.match(name) for name in properties if name not in lists)
    names_one = operation.path.rstrip("/").endswith("}")
    return lists[0] if len(lists) == 1 and about_paging and not names_one and _NAME.fullmatch(lists[0]) else None


_NAME = re.compile(r"[A-Za-z_][\w-]*")
_ABOUT_PAGING = re.compile(
    r"_?(total|count$|limit|offset|page|paging|pagination|per_?page|size$|more|has_?(more|next)|cursor|links?$|meta|took$|"
    r"request_?id|result_?info|etag|truncated|(next|prev|previous|first|last)($|_?(page|url|link|cursor|token|id)))",
    re.IGNORECASE,
)
