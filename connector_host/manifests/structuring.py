"""Makes a Manifest of a plugin's checked folder; what has not changed since the last time is not read again."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import convert

from connector_host.manifests.cache import ManifestCache
from connector_host.manifests.parameters import several, size_in_bytes, standard_schema
from connector_host.model.manifest import CODE, COMMANDS, MANIFEST, SAMPLES, Manifest

_SEVERAL = ("error", "ok")  # of `results`
_BY_KIND = ("failure_codes", "assistance")  # words of the whole plugin, laid under each command's own


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
    """Make a manifest of a checked value and the output schemas by command.

    What an author may write in two ways is brought into one, and what holds for the whole plugin is laid under its
    servers and commands; the Structs of model/manifest.py say the rest. A failure to convert is a fault of the host.
    """
    spec = {
        **value,
        "root": folder,
        "connection": standard_schema(value["connection"]),
        "servers": {name: {"name": name, **_server(one, value)} for name, one in value.get("servers", {}).items()},
        "commands": {
            name: {"id": name, **_command(one, value), "output": outputs.get(name)}
            for name, one in value["commands"].items()
        },
    }
    return convert(spec, Manifest, dec_hook=lambda _, given: given)


def _server(spec: Mapping[str, Any], plugin: Mapping[str, Any]) -> dict[str, Any]:
    written = {**spec, "errors": _error_forms(spec.get("errors", plugin.get("errors", [])))}
    if "max_body" in spec:
        written["max_body"] = size_in_bytes(spec["max_body"])
    return {**written, "responses": _response_rules([*spec.get("responses", ()), *plugin.get("responses", ())])}


_EVERY_FORM = ({"body": "json"}, {"body": "string"}, {"body": "text"}, {"body": "empty"})


def _error_forms(spec: Any) -> list[dict[str, Any]]:
    """Write forms in full; whoever gives one alone leaves open in which others the product refuses."""
    forms = spec if isinstance(spec, list) else [spec, *_EVERY_FORM]
    return [{key: one if key == "body" else several(one) for key, one in form.items()} for form in forms]


def _response_rules(specs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write statuses and codes as texts, and one value as a list of one."""
    rules = []
    for spec in specs:
        rule = {**spec, **{key: several(spec[key]) for key in ("status", "equals") if key in spec}}
        rule["status"] = [str(status) for status in rule.get("status", ())]
        rules.append(rule | ({"code": str(spec["code"])} if "code" in spec else {}))
    return rules


def _command(spec: Mapping[str, Any], plugin: Mapping[str, Any]) -> dict[str, Any]:
    by_kind = {
        key: {kind: str(text) for kind, text in {**plugin.get(key, {}), **spec.get(key, {})}.items()}
        for key in _BY_KIND
    }
    written = {
        **spec,
        **by_kind,
        "input": standard_schema(spec.get("input", {})),
        "failure_indicator": spec.get("failure_indicator", f"{spec['title']} failed."),
        "responses": _response_rules(spec.get("responses", ())),
        "collect": _last_name((spec.get("request") or spec).get("collect")),
    }
    if "results" in spec:
        written["results"] = {key: several(one) if key in _SEVERAL else one for key, one in spec["results"].items()}
    if "request" in spec:
        written["request"] = _request(spec["request"], plugin)
    if "intake" in spec:
        written["intake"] = _intake(spec["intake"])
    return written


def _last_name(path: str | None) -> str | None:
    """Return the name of a list, given by its name or by a path to it; that of a whole reply is `records`."""
    return None if path is None else path.removeprefix("$").rpartition(".")[2] or "records"


def _request(spec: Mapping[str, Any], plugin: Mapping[str, Any]) -> dict[str, Any]:
    """Write a request in full; its paging takes over what the plugin's own says."""
    written = dict(spec)
    if "paging" in spec:
        own = spec["paging"] if isinstance(spec["paging"], dict) else {}
        written["paging"] = {**plugin.get("paging", {}), **own}
    if "poll" in spec:
        poll = spec["poll"]
        written["poll"] = {**poll, "equals": several(poll["equals"]), "fails": several(poll.get("fails", []))}
    return written


def _intake(spec: Mapping[str, Any]) -> dict[str, Any]:
    incident, event = spec["incident"], spec["event"]
    return {
        "incident_path": incident["path"],
        "incident_fields": incident["fields"],
        "event_path": event["path"],
        "event_sources": sorted(event["sources"], key=lambda source: source.get("priority", 100)),
        "unique_key": event["unique_key"],
        "cursor": spec.get("cursor"),
    }
