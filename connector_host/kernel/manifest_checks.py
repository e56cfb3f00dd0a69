"""The checks of a manifest that no schema can make: references, paths, schemas, secrets and the author's functions."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.contract.errors import Problem
from connector_host.contract.paths import ABSENT, PathSyntaxError, compile_path
from connector_host.kernel.functions import check_functions
from connector_host.kernel.schema import did_you_mean, fault_of_schema
from connector_host.kernel.strict_yaml import Document, Where

_PLACED = re.compile(r"\{(\$[^{}]*)\}")


def check_manifest(document: Document, outputs: Mapping[str, Any]) -> list[Problem]:
    """Every problem that the schema of manifests can not see."""
    value = document.value
    problems = list(_check_connection(document, value))
    problems += _check_servers(document, value)
    for name, command in value["commands"].items():
        problems += _check_command(document, ("commands", name), command, outputs.get(name, ABSENT))
    return problems + check_functions(document)


def _check_connection(document: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    connection = value["connection"]
    yield from _check_schema(document, ("connection",), {"type": "object", **connection})
    yield from _check_required(document, ("connection",), connection)
    for name, schema in connection["properties"].items():
        where: Where = ("connection", "properties", name)
        if schema.get("writeOnly") and "default" in schema:
            yield document.problem(
                (*where, "default"),
                f"The secret '{name}' has a default.",
                "A secret must be given with each connection: remove the default.",
            )
    for index, migration in enumerate(value.get("migrations", [])):
        for name in [*migration.get("rename", {}).values(), *migration.get("set", {})]:
            if name not in connection["properties"]:
                yield document.problem(
                    ("migrations", index),
                    f"'{name}' is no connection parameter.",
                    did_you_mean(name, list(connection["properties"])).strip(),
                )
    for name in value.get("presets", {}):
        if name not in connection["properties"]:
            yield document.problem(
                ("presets", name),
                f"'{name}' is no connection parameter.",
                did_you_mean(name, list(connection["properties"])).strip(),
            )


def _check_servers(document: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    roots = {"connection": set(value["connection"]["properties"])}
    for name, server in value.get("servers", {}).items():
        where: Where = ("servers", name)
        yield from _check_templates(document, (*where, "url"), server["url"], roots)
        yield from _check_templates(document, (*where, "headers"), server.get("headers", {}), roots)
        per = server.get("limit", {}).get("per", "$")
        if not per.startswith("$") and per not in roots["connection"]:
            yield document.problem(
                (*where, "limit", "per"),
                f"'{per}' is no connection parameter.",
                did_you_mean(per, sorted(roots["connection"])).strip(),
            )


def _check_command(document: Document, where: Where, command: Mapping[str, Any], output: Any) -> Iterator[Problem]:
    schema = command.get("input", {})
    properties = schema.get("properties", {})
    yield from _check_schema(document, (*where, "input"), {"type": "object", **schema})
    yield from _check_required(document, (*where, "input"), schema)
    if output is not ABSENT:
        yield from _check_schema(document, (*where, "output"), output)
    each = command.get("each")
    if each is not None and properties.get(each, {}).get("type") != "array":
        yield document.problem(
            (*where, "each"),
            f"'{each}' is no parameter of type array.",
            did_you_mean(each, list(properties)).strip(),
        )
    for field, path in command.get("key_fields", {}).items():
        yield from _check_path(document, (*where, "key_fields", field), path)
    if command.get("kind") == "credential" or "credential" in command:
        yield from _check_credential(document, where, command)
    if "intake" in command:
        yield from _check_intake(document, (*where, "intake"), command["intake"])
    if "request" in command:
        yield from _check_request(document, where, command)


def _check_credential(document: Document, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    """Check that a vault can be asked by path and field, and where in its reply the fields stand."""
    properties = command.get("input", {}).get("properties", {})
    for name in ("path", "field"):
        if name not in properties:
            yield document.problem(
                (*where, "input"), f"A credential command needs the input '{name}'.", "The host asks by path and field."
            )
    spec = command.get("credential", {})
    if ("request" in command) != bool(spec) or command.get("kind") != "credential":
        yield document.problem(
            where,
            "'credential' belongs to a declared request of kind credential, and each of those needs it.",
            "Write kind: credential, request: … and credential: {fields: $.data}.",
        )
    for key, path in spec.items():
        yield from _check_path(document, (*where, "credential", key), path)
        if path.startswith("$.connection."):
            roots = {"connection": set(document.value["connection"]["properties"])}
            yield from _check_root(document, (*where, "credential", key), path, roots)


def _check_request(document: Document, where: Where, command: Mapping[str, Any]) -> Iterator[Problem]:
    request, value = command["request"], document.value
    servers = value.get("servers", {})
    if request["server"] not in servers:
        yield document.problem(
            (*where, "request", "server"),
            f"There is no server '{request['server']}'.",
            did_you_mean(request["server"], list(servers)).strip(),
        )
    if "paging" in request and "collect" not in request:
        yield document.problem(
            (*where, "request", "paging"),
            "A paged request must say what it collects.",
            "Add 'collect': the reply's field that holds the records.",
        )
    if "collect" in command:
        yield document.problem(
            (*where, "collect"), "'collect' of a declared request stands inside 'request'.", "Move it there."
        )
    roots = {
        "connection": set(value["connection"]["properties"]),
        "input": set(command.get("input", {}).get("properties", {})),
    }
    if command.get("each"):
        roots["item"] = set()
    for part in ("path", "query", "headers", "body"):
        if part in request:
            yield from _check_templates(document, (*where, "request", part), request[part], roots)


def _check_templates(document: Document, where: Where, value: Any, roots: Mapping[str, set[str]]) -> Iterator[Problem]:
    """Each `$.path` in a template must parse and begin at something that exists."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _check_templates(document, (*where, key), child, roots)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _check_templates(document, (*where, index), child, roots)
    elif isinstance(value, str):
        for placed in [value] if value.startswith("$.") else _PLACED.findall(value):
            path = placed.removesuffix("...") if where[-1] == "path" else placed
            yield from _check_path(document, where, path)
            yield from _check_root(document, where, path, roots)


def _check_root(document: Document, where: Where, path: str, roots: Mapping[str, set[str]]) -> Iterator[Problem]:
    root, _, rest = path.removeprefix("$.").partition(".")
    name = re.split(r"[.\[]", rest)[0]
    if root.partition("[")[0] not in roots:
        yield document.problem(
            where,
            f"'{path}' begins at '{root}', which is not there.",
            f"Begin with {', '.join(f'$.{known}' for known in sorted(roots))}.",
        )
    elif roots.get(root) and name and name not in roots[root]:
        yield document.problem(
            where,
            f"'{path}' names '{name}', which is not declared.",
            did_you_mean(name, sorted(roots[root])).strip(),
        )


def _check_intake(document: Document, where: Where, intake: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _check_path(document, (*where, "incident", "path"), intake["incident"]["path"])
    yield from _check_path(document, (*where, "event", "path"), intake["event"]["path"])
    yield from _check_path(document, (*where, "event", "unique_key"), intake["event"]["unique_key"])
    tables = [((*where, "incident", "fields"), intake["incident"]["fields"])]
    for index, source in enumerate(intake["event"]["sources"]):
        here = (*where, "event", "sources", index)
        tables.append(((*here, "fields"), source["fields"]))
        if "search" in source:
            yield from _check_path(document, (*here, "search"), source["search"][1 : source["search"].index("}")])
    for place, rows in tables:
        for index, row in enumerate(rows):
            if "source" in row:
                yield from _check_path(document, (*place, index, "source"), row["source"])


def _check_path(document: Document, where: Where, path: str) -> Iterator[Problem]:
    try:
        compile_path(path)
    except PathSyntaxError as error:
        yield document.problem(
            where, f"The JSONPath '{path}' can not be parsed: {error}.", "Write it as $.incidents[*].id."
        )


def _check_schema(document: Document, where: Where, schema: Mapping[str, Any]) -> Iterator[Problem]:
    fault = fault_of_schema(schema)
    if fault is not None:
        place = ".".join(map(str, fault.path))
        yield document.problem((*where, *fault.path), f"This is not a valid JSON Schema, at '{place}'.", fault.reason)


def _check_required(document: Document, where: Where, schema: Mapping[str, Any]) -> Iterator[Problem]:
    known = list(schema.get("properties", {}))
    for index, name in enumerate(schema.get("required", [])):
        if name not in known:
            yield document.problem(
                (*where, "required", index),
                f"'{name}' is required, but not declared.",
                did_you_mean(name, known).strip(),
            )
