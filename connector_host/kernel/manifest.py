"""Makes a Manifest of a plugin's folder; what has not changed since the last time is not read and checked again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector_host.contract.manifest import (
    Command,
    Credential,
    ErrorPaths,
    EventSource,
    FieldMapping,
    Intake,
    Limit,
    Manifest,
    Migration,
    Paging,
    RequestTemplate,
    RetryPolicy,
    Server,
)
from connector_host.contract.modules import CODE, MANIFEST
from connector_host.kernel.memory import Memory

_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}


def load_manifest(folder: Path, schemas: Path, memory: Memory | None = None) -> Manifest:
    """Read and check `folder`/manifest.yaml without running any of the plugin's code.

    Raises ManifestError with every problem found, each with file:line, what is wrong and what to do.
    """
    file = folder / MANIFEST
    known = memory.recall(str(file)) if memory is not None else None
    if known is None:
        from connector_host.kernel.manifest_reading import read_manifest  # noqa: PLC0415 - what is known needs no YAML

        value, outputs = read_manifest(file, schemas)
        if memory is not None:
            memory.keep(str(file), _sources(value, folder), [value, outputs])
    else:
        value, outputs = known
    return _manifest(value, folder, outputs)


def _sources(value: Mapping[str, Any], folder: Path) -> list[Path]:
    """Name every file that a check of the manifest reads."""
    outputs = [command.get("output", {}).get("$ref") for command in value["commands"].values()]
    return [folder / MANIFEST, folder / CODE, *(folder / name for name in outputs if name)]


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
        migrations=tuple(_migration(one) for one in value.get("migrations", ())),
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


def _migration(spec: Mapping[str, Any]) -> Migration:
    return Migration(spec["version"], spec.get("rename", {}), tuple(spec.get("remove", ())), spec.get("set", {}))


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
        credential=Credential(**spec["credential"]) if "credential" in spec else None,
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
