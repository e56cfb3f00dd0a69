"""Reads a plugin's manifest.yaml: strict YAML, the published schema, the checks no schema can make, one Manifest."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from connector_host.contract.errors import ManifestError, Problem
from connector_host.contract.manifest import (
    Command,
    ErrorPaths,
    EventSource,
    FieldMapping,
    Intake,
    Limit,
    Manifest,
    Paging,
    RequestTemplate,
    RetryPolicy,
    Server,
)
from connector_host.kernel.manifest_checks import check_manifest
from connector_host.kernel.schema import Checker
from connector_host.kernel.strict_yaml import Document, read_yaml

FILE = "manifest.yaml"
_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}


@cache
def manifest_schema(schemas: Path) -> Checker:
    """Return the published schema of plugin manifests, from the folder that holds the schemas."""
    return Checker(json.loads((schemas / "plugin-manifest.schema.json").read_text("utf-8")))


def load_manifest(folder: Path, schemas: Path) -> Manifest:
    """Read and check `folder`/manifest.yaml without running any of the plugin's code.

    Raises ManifestError with every problem found, each with file:line, what is wrong and what to do.
    """
    document = read_yaml(folder / FILE)
    checker = manifest_schema(schemas)
    if not checker.accepts(document.value):
        raise ManifestError(
            [_schema_problem(document, fault.path, fault.reason) for fault in checker.faults(document.value)]
        )
    references, problems = _load_references(document, folder)
    problems += check_manifest(document, references)
    if problems:
        raise ManifestError(sorted(problems, key=lambda problem: (problem.path, problem.line)))
    return _manifest(document.value, folder, references)


def _schema_problem(document: Document, path: tuple[str | int, ...], reason: str) -> Problem:
    place = ".".join(map(str, path)) or "The manifest"
    return document.problem(path, f"'{place}' is wrong.", reason)


def _load_references(document: Document, folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Return the output schemas by command, those in files of their own among them."""
    outputs: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, command in document.value["commands"].items():
        output = command.get("output")
        if output is None:
            continue
        try:
            outputs[name] = _read_schema(folder, str(output["$ref"])) if "$ref" in output else output
        except (OSError, ValueError) as error:
            what = f"The schema '{output['$ref']}' can not be used."
            reason = error.strerror if isinstance(error, OSError) else error
            problems.append(document.problem(("commands", name, "output", "$ref"), what, f"Reason: {reason}."))
    return outputs, problems


def _read_schema(folder: Path, name: str) -> Any:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise OSError(1, "it lies outside the plugin's folder")
    return json.loads(file.read_text("utf-8"))


def _manifest(value: Mapping[str, Any], folder: Path, outputs: Mapping[str, Any]) -> Manifest:
    paging = Paging(**value["paging"]) if "paging" in value else None
    errors = _error_paths(value.get("errors", {}))
    documentation = {
        key: value[key] for key in ("description", "permissions", "limitations", "setup", "faq") if key in value
    }
    return Manifest(
        id=value["id"],
        name=value["name"],
        version=value["version"],
        root=folder,
        requires_host=value.get("requires_host", ""),
        connection={"type": "object", "additionalProperties": False, **value["connection"]},
        servers={name: _server(name, server, errors) for name, server in value.get("servers", {}).items()},
        commands={name: _command(name, spec, value, outputs.get(name)) for name, spec in value["commands"].items()},
        retry=RetryPolicy(**value.get("retry", {})),
        paging=paging,
        presets=value.get("presets", {}),
        sandbox=value.get("sandbox"),
        **documentation,
    )


def _server(name: str, spec: Mapping[str, Any], errors: ErrorPaths) -> Server:
    return Server(
        name=name,
        url=spec["url"],
        headers=spec.get("headers", {}),
        limit=Limit(**spec["limit"]) if "limit" in spec else None,
        max_body=_size(spec["max_body"]) if "max_body" in spec else None,
        errors=_error_paths(spec["errors"]) if "errors" in spec else errors,
    )


def _error_paths(spec: Mapping[str, Any]) -> ErrorPaths:
    return ErrorPaths(**{key: (paths,) if isinstance(paths, str) else tuple(paths) for key, paths in spec.items()})


def _size(value: int | str) -> int:
    if isinstance(value, int):
        return value
    number = value.rstrip("BKM ")
    return int(number) * _UNITS[value[len(number) :].strip()]


def _command(name: str, spec: Mapping[str, Any], plugin: Mapping[str, Any], output: Any) -> Command:
    request = spec.get("request")

    def merged(key: str) -> dict[str, str]:
        return {kind: str(text) for kind, text in {**plugin.get(key, {}), **spec.get(key, {})}.items()}

    return Command(
        id=name,
        title=spec["title"],
        kind=spec.get("kind", "action"),
        input={"type": "object", "additionalProperties": False, "properties": {}, **spec.get("input", {})},
        description=spec.get("description", ""),
        notes=tuple(spec.get("notes", ())),
        output=output,
        collect=(request or spec).get("collect"),
        each=spec.get("each"),
        request=_request(request, plugin) if request else None,
        key_fields=spec.get("key_fields", {}),
        failure_indicator=spec.get("failure_indicator", f"{spec['title']} failed."),
        failure_codes=merged("failure_codes"),
        messages=spec.get("messages", {}),
        assistance=merged("assistance"),
        error_example=spec.get("error_example", ""),
        intake=_intake(spec["intake"]) if "intake" in spec else None,
        deadline=spec.get("deadline"),
    )


def _request(spec: Mapping[str, Any], plugin: Mapping[str, Any]) -> RequestTemplate:
    paging = spec.get("paging")
    return RequestTemplate(
        server=spec["server"],
        path=spec["path"],
        method=spec.get("method", "GET"),
        query=spec.get("query", {}),
        headers=spec.get("headers", {}),
        body=spec.get("body"),
        idempotent=spec.get("idempotent"),
        paging=None if paging is None else Paging(**{**plugin.get("paging", {}), **({} if paging is True else paging)}),
    )


def _intake(spec: Mapping[str, Any]) -> Intake:
    event = spec["event"]
    sources = [
        EventSource(source["name"], source.get("search"), source.get("priority", 100), _fields(source["fields"]))
        for source in event["sources"]
    ]
    return Intake(
        incident_path=spec["incident"]["path"],
        event_path=event["path"],
        incident_fields=_fields(spec["incident"]["fields"]),
        event_sources=tuple(sorted(sources, key=lambda source: source.priority)),
        unique_key=event["unique_key"],
    )


def _fields(rows: list[Mapping[str, Any]]) -> tuple[FieldMapping, ...]:
    return tuple(FieldMapping(**row) for row in rows)
