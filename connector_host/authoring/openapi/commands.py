"""Makes a manifest of operations in an OpenAPI 3 document."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import yaml
from jsonschema.exceptions import UnknownType

from connector_host.authoring.openapi.access import access_of, looks_paged, paging_of
from connector_host.authoring.openapi.document import JSON, OpenApi, Operation, sentence, snake, words
from connector_host.authoring.openapi.inputs import WHOLE, Inputs, body_of, key_fields, samples_of
from connector_host.model.errors import WrongUse

_TESTS = (
    re.compile(r"abilit|ping|whoami", re.IGNORECASE),
    re.compile(r"/me$|current|status|health|version", re.IGNORECASE),
)
_HEADERS_OF_OURS = frozenset({"accept", "content-type", "authorization"})
_MARKS = {  # RFC 9110, 9.2
    "GET": {"read_only": True},
    "PUT": {"idempotent": True},
    "DELETE": {"destructive": True, "idempotent": True},
}
_MISREAD = (AttributeError, KeyError, IndexError, RecursionError, TypeError, UnknownType, ValueError)
_PLACE = re.compile(r"\{([^{}]+)\}")


def manifest_from_openapi(plugin: str, source: str) -> tuple[str, dict[str, str]]:
    """Return the manifest's YAML, and the output schemas' files by name; raises WrongUse."""
    file, _, names = source.partition("#")
    with _as_described(f"The document {file}"):
        return _manifest(plugin, file, names)


def _manifest(plugin: str, file: str, names: str) -> tuple[str, dict[str, str]]:
    api = OpenApi(file)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        known = ", ".join(sorted(api.operations))
        raise WrongUse(f"Name the operations to take: {file}#op1,op2. There are: {known}.")
    commands: dict[str, dict[str, Any]] = {}
    for one in api.chosen(wanted):
        with _as_described(f"The operation '{one.id}'"):
            if snake(one.id) in commands:
                raise WrongUse(f"Two operations would be the command '{snake(one.id)}'. Leave '{one.id}' out.")
            commands[snake(one.id)] = command_of(api, one)
    test = next(_tests(api), None)
    if test is not None:
        commands.setdefault("test_connection", test)
    files: dict[str, str] = {}
    for name, command in commands.items():
        output = command["output"]
        files[f"schemas/{name}.schema.json"] = json.dumps(output, indent=1, ensure_ascii=False) + "\n"
        command["output"] = {"$ref": f"schemas/{name}.schema.json"}
    left_out = "".join(f"# Left out: {one}\n" for one in dict.fromkeys(api.left_out))
    return left_out + _yaml({**_head(plugin, api), "commands": commands}), files


@contextmanager
def _as_described(what: str) -> Iterator[None]:
    """Raise WrongUse where a document is not what OpenAPI says it is."""
    try:
        yield
    except _MISREAD as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise WrongUse(
            f"{what} is not described as OpenAPI has it ({type(error).__name__}: {reason}). "
            f"Check the document with a validator, or leave it out."
        ) from error


def _head(plugin: str, api: OpenApi) -> dict[str, Any]:
    info, access = api.document.get("info", {}), access_of(api)
    title = str(info.get("title", plugin)).removesuffix(" API")
    return {
        "id": plugin,
        "name": title,
        "version": "0.1.0",
        "requires_host": ">=1,<2",
        "description": sentence(info.get("summary") or f"Commands of the {title} API"),
        "servers": access.servers,
        "errors": {"code": ["$.error.code", "$.code"], "message": ["$.error.message", "$.message", "$.error"]},
        "connection": {"required": list(access.parameters), "properties": access.parameters},
    }


def _tests(api: OpenApi) -> Iterator[dict[str, Any]]:
    """Return commands that test a connection: of each GET without required parameters, what sounds so first."""
    free = [
        one
        for one in api.operations.values()
        if one.method == "GET" and not any(_demanded(parameter) for parameter in one.parameters)
    ]
    for one in sorted(free, key=lambda one: (*(not sound.search(one.path) for sound in _TESTS), len(one.path))):
        with suppress(WrongUse), _as_described(one.id):
            yield _as_test(command_of(api, one))


def _demanded(parameter: Mapping[str, Any]) -> bool:
    return bool(parameter.get("required")) and parameter["name"].lower() not in _HEADERS_OF_OURS


def _as_test(command: dict[str, Any]) -> dict[str, Any]:
    about = {"title": "Test Connection", "kind": "test_connection"}
    about["description"] = "Checks that the server answers and takes the credentials."
    kept = {key: value for key, value in command.items() if key not in {"title", "description", "input"}}
    for part in ("query", "headers"):
        kept["request"].pop(part, None)
    return {**about, **kept}


def command_of(api: OpenApi, operation: Operation) -> dict[str, Any]:
    """Return the command of one operation; raises WrongUse for what a declared request cannot send or read."""
    status, reply = _good_reply(api, operation)
    answer, example = _answer(api, operation, reply)
    reads = operation.method == "GET"
    paging, taken = paging_of(api, operation, answer, reply) if reads else ({}, frozenset[str]())
    inputs = Inputs(api)
    request = _request(api, operation, inputs, taken)
    records = _list_in(answer)
    if records is not None and reads and (paging or not looks_paged(operation)):
        request |= {"collect": records, **({"paging": paging} if paging else {})}
        answer, records = (answer, records) if records != "$" else (_around(answer), WHOLE)
    samples = samples_of(request, inputs.examples(), status, example, answer)
    keys = _key_fields(operation, answer, records, samples[0]["http"][0].get("body"))
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
        if (where == "query" and name in taken) or (where == "header" and name.lower() in _HEADERS_OF_OURS):
            continue
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
    replies = operation.spec.get("responses", {})
    code = next((str(code) for code in replies if str(code).startswith("2")), "default")
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


def _list_in(answer: Mapping[str, Any]) -> str | None:
    """Return the name of the answer's list of records, where that is what it is about; `$` for a list by itself.

    An object that has a list among other fields is one thing: to collect its list would drop what it is.
    """
    if "array" in (answer.get("type") or []):
        return "$"
    properties = answer.get("properties", {})
    lists = [name for name, one in properties.items() if "array" in (one.get("type") or [])]
    about_paging = all(_ABOUT_PAGING.search(name) for name in properties if name not in lists)
    return lists[0] if len(lists) == 1 and about_paging else None


_ABOUT_PAGING = re.compile(
    r"^_?(total|count|limit|offset|page|paging|pagination|per_?page|size|next|prev|first|last|more|has_?|cursor|links?|"
    r"meta|took|request_?id|result_?info|success|status|errors?|messages?|kind|etag|object|self|href|url|truncated)",
    re.IGNORECASE,
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything out: the strict reader takes no anchors."""
        return True


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
