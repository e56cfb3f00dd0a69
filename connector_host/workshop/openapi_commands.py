"""Makes a manifest of operations in an OpenAPI 3 document: inputs, requests, outputs, paging and samples."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from connector_host.contract.errors import WrongUse
from connector_host.testing.values import fitting
from connector_host.workshop.openapi import OpenApi, Operation
from connector_host.workshop.openapi_samples import key_fields, plain, samples_of
from connector_host.workshop.openapi_words import sentence, snake, words

_TESTS = (
    re.compile(r"abilit|ping|whoami", re.IGNORECASE),
    re.compile(r"/me$|current|status|health|version", re.IGNORECASE),
)
_PAGING_KEYS = frozenset({"limit", "offset", "page", "per_page", "page_size", "cursor", "after", "total"})
_HEADERS_OF_OURS = frozenset({"accept", "content-type", "authorization"})


def manifest_from_openapi(plugin: str, source: str) -> tuple[str, dict[str, str]]:
    """Return the manifest's YAML, and the output schemas' files by name; raises WrongUse."""
    file, _, names = source.partition("#")
    api = OpenApi(file)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        known = ", ".join(sorted(api.operations))
        raise WrongUse(f"Name the operations to take: {file}#op1,op2. There are: {known}.")
    operations = api.chosen(wanted)
    commands = {snake(one.id): _Maker(api, one).command() for one in operations}
    test = _test_operation(api)
    if test is not None:
        commands["test_connection"] = _as_test(_Maker(api, test).command())
    files: dict[str, str] = {}
    for name, command in commands.items():
        output = command["output"]
        files[f"schemas/{name}.schema.json"] = json.dumps(output, indent=1, ensure_ascii=False) + "\n"
        command["output"] = {"$ref": f"schemas/{name}.schema.json"}
    return _yaml({**_head(plugin, api), "commands": commands}), files


def _head(plugin: str, api: OpenApi) -> dict[str, Any]:
    info, auth = api.document.get("info", {}), api.auth()
    title = str(info.get("title", plugin)).removesuffix(" API")
    accept = {one["schema"]["default"] for one in _accepts(api)}
    server = {"url": "$.connection.server_url", "auth": auth["auth"]}
    if len(accept) == 1:
        server["headers"] = {"Accept": accept.pop()}
    url = {"title": "Server URL", "description": "The API's base URL.", "type": "string", "format": "uri"}
    url["default"] = api.server_url() or "https://api.example.com"
    return {
        "id": plugin,
        "name": title,
        "version": "0.1.0",
        "requires_host": ">=1,<2",
        "description": sentence(info.get("summary") or f"Commands of the {title} API"),
        "servers": {"api": server},
        "errors": {"code": ["$.error.code", "$.code"], "message": ["$.error.message", "$.message", "$.error"]},
        "connection": {
            "required": ["server_url", *auth["parameters"]],
            "properties": {"server_url": url, **auth["parameters"]},
        },
    }


def _accepts(api: OpenApi) -> list[Mapping[str, Any]]:
    found = [one for operation in api.operations.values() for one in operation.parameters]
    return [one for one in found if one["name"].lower() == "accept" and "default" in one.get("schema", {})]


def _test_operation(api: OpenApi) -> Operation | None:
    """Return a GET without required parameters, that sounds like a check if there is one."""
    free = [
        one
        for one in api.operations.values()
        if one.method == "GET" and not any(_demanded(parameter) for parameter in one.parameters)
    ]
    return min(free, key=lambda one: (*(not words.search(one.path) for words in _TESTS), len(one.path)), default=None)


def _demanded(parameter: Mapping[str, Any]) -> bool:
    return bool(parameter.get("required")) and parameter["name"].lower() not in _HEADERS_OF_OURS


def _as_test(command: dict[str, Any]) -> dict[str, Any]:
    about = {"title": "Test Connection", "kind": "test_connection"}
    about["description"] = "Checks that the server answers and takes the credentials."
    kept = {key: value for key, value in command.items() if key not in {"title", "description", "input"}}
    kept["request"].pop("query", None)
    return {**about, **kept}


class _Maker:
    """Makes the command of one operation."""

    def __init__(self, api: OpenApi, operation: Operation) -> None:
        self._api = api
        self._operation = operation
        self._inputs: dict[str, Any] = {}
        self._required: list[str] = []

    def command(self) -> dict[str, Any]:
        operation = self._operation
        request = self._request()
        answer, example = self._answer()
        collect = _list_in(answer)
        if collect is not None and operation.method == "GET":
            request["collect"] = collect
            paging = self._paging(answer)
            if paging:
                request["paging"] = paging
        parts = words(operation.id)
        made: dict[str, Any] = {
            "title": " ".join(word.capitalize() for word in parts),
            "description": sentence(operation.spec.get("summary") or " ".join(parts)),
        }
        if operation.method == "GET":
            made["read_only"] = True
        if self._inputs:
            required = {"required": self._required} if self._required else {}
            made["input"] = {**required, "properties": self._inputs}
        made |= {"request": request, "output": answer}
        inputs = {name: fitting(self._inputs[name], name) for name in self._required}
        samples = samples_of(request, inputs, example, answer)
        keys = key_fields(answer, collect, samples[0]["http"][0]["body"])
        if keys:
            made["key_fields"] = keys
        made["samples"] = samples
        return made

    def _request(self) -> dict[str, Any]:
        operation = self._operation
        path = re.sub(r"\{(\w+)\}", lambda found: f"{{$.input.{snake(found[1])}}}", operation.path)
        request: dict[str, Any] = {"server": "api", "method": operation.method, "path": path}
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        for parameter in operation.parameters:
            name, where = parameter["name"], parameter["in"]
            if where == "query" and name not in _PAGING_KEYS:
                query[name] = f"$.input.{self._input(parameter)}"
            elif where == "path":
                self._input(parameter)
            elif where == "header" and name.lower() not in _HEADERS_OF_OURS:
                headers[name] = f"$.input.{self._input(parameter)}"
        request |= {key: value for key, value in (("query", query), ("headers", headers)) if value}
        body = self._body()
        return {**request, "body": body} if body is not None else request

    def _input(self, parameter: Mapping[str, Any]) -> str:
        name = snake(parameter["name"])
        self._declare(
            name, parameter.get("schema", {}), parameter.get("description", ""), bool(parameter.get("required"))
        )
        if "example" in parameter and _keepable(parameter["example"]):
            self._inputs[name]["examples"] = [parameter["example"]]
        return name

    def _declare(self, name: str, schema: Any, description: str, required: bool) -> None:  # noqa: FBT001 - one room
        plain = self._api.schema(schema)
        kept = {key: value for key, value in plain.items() if _keepable(value) and key not in {"title", "description"}}
        told = description or plain.get("description") or f"The {name.replace('_', ' ')}"
        title = re.sub(r"\bIds?\b", lambda found: found[0].replace("Id", "ID"), name.replace("_", " ").title())
        made = self._inputs[name] = {"title": title, "description": sentence(told), **kept}
        if not {"examples", "default", "enum"} & made.keys() and made.get("type") != "boolean":
            example = fitting(made, name)
            made |= {"examples": [example]} if example is not None else {}
        if required and name not in self._required:
            self._required.append(name)

    def _body(self) -> Any:
        """Return the body's template; objects at the top, and one around them, are taken apart into inputs."""
        content = self._api.resolved(self._operation.spec.get("requestBody", {})).get("content", {})
        schema = self._api.schema(content.get("application/json", {}).get("schema", {})) if content else {}
        if not schema:
            return None
        properties = schema.get("properties", {})
        wrapped = next(iter(properties), "")
        if len(properties) == 1 and properties[wrapped].get("properties"):
            return {wrapped: self._parts(properties[wrapped])}
        return self._parts(schema) if properties else self._whole(schema)

    def _whole(self, schema: Mapping[str, Any]) -> str:
        self._declare("body", schema, "The request's body", True)  # noqa: FBT003 - what a body is
        return "$.input.body"

    def _parts(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        template: dict[str, Any] = {}
        for name, one in schema["properties"].items():
            options = one.get("enum", [])
            if len(options) == 1 and name in schema.get("required", []):
                template[name] = options[0]
            else:
                key = snake(name) if snake(name) not in self._inputs else f"body_{snake(name)}"
                self._declare(key, one, "", name in schema.get("required", []))
                template[name] = f"$.input.{key}"
        return template

    def _answer(self) -> tuple[dict[str, Any], Any]:
        """Return the answer's schema, and an example of it."""
        responses = self._operation.spec.get("responses", {})
        good: Mapping[str, Any] = next(
            (self._api.resolved(one) for code, one in responses.items() if str(code).startswith("2")), {}
        )
        content = good.get("content", {}).get("application/json", {})
        schema = self._api.schema(content.get("schema", {}), lenient=True)
        examples = [self._api.resolved(one).get("value") for one in content.get("examples", {}).values()]
        return schema, content.get("example", next(iter(examples), None))

    def _paging(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        names = {one["name"] for one in self._operation.parameters if one["in"] == "query"}
        fields = set(answer.get("properties", {}))
        if {"limit", "offset"} <= names:
            end = {"more": "$.more"} if "more" in fields else {"total": "$.total"}
            return {"style": "offset", "size": 100, **end}
        if "cursor" in names and "next_cursor" in fields:
            size = {"size_parameter": "limit"} if "limit" in names else {"size_parameter": ""}
            return {"style": "cursor", **size, "next": "$.next_cursor"}
        if "page" in names:
            key = next((one for one in ("per_page", "page_size", "limit") if one in names), "")
            return {"style": "page", "size_parameter": key}
        return {}


def _list_in(answer: Mapping[str, Any]) -> str | None:
    """Return the name of the answer's list of records, where there is just one."""
    lists = [name for name, one in answer.get("properties", {}).items() if "array" in (one.get("type") or [])]
    return lists[0] if len(lists) == 1 else None


def _keepable(value: Any) -> bool:
    return plain(value) == value and not isinstance(value, float)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything out: the strict reader takes no anchors."""
        return True


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
