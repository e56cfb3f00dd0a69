"""Makes a Manifest of a plugin's checked folder; what has not changed since the last time is not read again."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from connector_host.manifests.cache import ManifestCache
from connector_host.manifests.parameters import several, size_in_bytes, standard_schema
from connector_host.model.manifest import (
    CODE,
    COMMANDS,
    MANIFEST,
    SAMPLES,
    Command,
    Credential,
    Deprecation,
    EventSource,
    Exemption,
    FieldMapping,
    HttpExchange,
    Intake,
    Manifest,
    Migration,
    Sample,
)
from connector_host.model.requests import (
    Auth,
    ErrorPaths,
    Limit,
    Paging,
    Poll,
    RequestTemplate,
    ResponseRule,
    RetryPolicy,
    Server,
)

_PASSED_ON = ("description", "permissions", "limitations", "setup", "faq", "isolation", "requires_host", "presets")
_SAME_IN_COMMANDS = (
    "description",
    "each",
    "messages",
    "error_example",
    "deadline",
    "read_only",
    "destructive",
    "idempotent",
)


def load_manifest(folder: Path, schemas: Path, memory: ManifestCache | None = None) -> Manifest:
    """Read and check `folder`/manifest.yaml without running any of the plugin's code.

    Raises ManifestError with every problem found, each with file:line:column, its cause and what to do.
    """
    file = folder / MANIFEST
    known = memory.recall(str(file)) if memory is not None else None
    if known is None:
        from connector_host.manifests.reading import read_manifest  # noqa: PLC0415 - what is known needs no YAML

        value, outputs = read_manifest(file, schemas)
        if memory is not None:
            memory.keep(str(file), _sources(value, folder), [value, outputs])
    else:
        value, outputs = known
    return manifest_of(value, folder, outputs)


def _sources(value: Mapping[str, Any], folder: Path) -> list[Path]:
    """Name every file that a check of the manifest reads."""
    outputs = [command.get("output", {}).get("$ref") for command in value["commands"].values()]
    rooms = [folder / COMMANDS, folder / SAMPLES]  # what appears in one changes it
    files = [*rooms, *(file for room in rooms for file in sorted(room.glob("*.yaml")))]
    return [folder / MANIFEST, folder / CODE, *files, *(folder / name for name in outputs if name)]


def manifest_of(value: Mapping[str, Any], folder: Path, outputs: Mapping[str, Any]) -> Manifest:
    """Make a manifest of a checked value and the output schemas by command."""
    errors = error_paths(value.get("errors", {}))
    responses = value.get("responses", ())
    return Manifest(
        id=value["id"],
        name=value["name"],
        version=value["version"],
        root=folder,
        connection=standard_schema(value["connection"]),
        servers={name: server(name, spec, errors, responses) for name, spec in value.get("servers", {}).items()},
        commands={name: _command(name, spec, value, outputs.get(name)) for name, spec in value["commands"].items()},
        retry=RetryPolicy(**value.get("retry", {})),
        paging=Paging(**value["paging"]) if "paging" in value else None,
        migrations=tuple(_migration(one) for one in value.get("migrations", ())),
        sandbox=value.get("sandbox"),
        exemptions=tuple(Exemption(**one) for one in value.get("exemptions", ())),
        **{key: value[key] for key in _PASSED_ON if key in value},
    )


def _migration(spec: Mapping[str, Any]) -> Migration:
    return Migration(spec["version"], spec.get("rename", {}), tuple(spec.get("remove", ())), spec.get("set", {}))


def _command(name: str, spec: Mapping[str, Any], plugin: Mapping[str, Any], output: Any) -> Command:
    request = spec.get("request")

    def merged(key: str) -> dict[str, str]:
        return {kind: str(text) for kind, text in {**plugin.get(key, {}), **spec.get(key, {})}.items()}

    return Command(
        id=name,
        title=spec["title"],
        kind=spec.get("kind", "action"),
        input=standard_schema(spec.get("input", {})),
        notes=tuple(spec.get("notes", ())),
        output=output,
        collect=_last_name((request or spec).get("collect")),
        request=request_template(request, plugin) if request else None,
        key_fields=spec.get("key_fields", {}),
        failure_indicator=spec.get("failure_indicator", f"{spec['title']} failed."),
        failure_codes=merged("failure_codes"),
        assistance=merged("assistance"),
        intake=_intake(spec["intake"]) if "intake" in spec else None,
        credential=Credential(**spec["credential"]) if "credential" in spec else None,
        responses=response_rules(spec.get("responses", ())),
        samples=tuple(sample_of(one) for one in spec.get("samples", ())),
        permissions=tuple(spec.get("permissions", ())),
        deprecated=Deprecation(**spec["deprecated"]) if "deprecated" in spec else None,
        **{key: spec[key] for key in _SAME_IN_COMMANDS if key in spec},
    )


def _last_name(path: str | None) -> str | None:
    """Return the name of a list, given by its name or by a path to it; that of a whole reply is `records`."""
    return None if path is None else path.removeprefix("$").rpartition(".")[2] or "records"


def sample_of(spec: Mapping[str, Any]) -> Sample:
    """Make a sample of a checked value."""
    return Sample(
        tuple(HttpExchange(**one) for one in spec["http"]),
        spec.get("title", ""),
        spec.get("input", {}),
        spec.get("result", {}),
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
        transport=spec.get("transport"),
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
