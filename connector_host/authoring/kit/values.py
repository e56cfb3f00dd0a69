"""Values for the conformance kit: a connection made of canaries, inputs that fit a schema, and inputs that do not."""

import random
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.manifests.schema import Checker
from connector_host.model.connection import Change
from connector_host.model.manifest import Command, Manifest

ODD: tuple[Any, ...] = (
    None, "", " ", "a\0b", "é\u202e\U0001f600", "../../etc/passwd", "{$.connection}", "x" * 5000, "\ud800",
    0, -1, 10**20, 1.5, float("nan"), True, [], [[]], {}, {"a": {"b": []}}, ["", None], "2026-13-45", b"bytes",
)  # fmt: skip


def connection_values(manifest: Manifest) -> tuple[dict[str, Any], dict[str, str]]:
    """Return values for every parameter, and the canaries among them by the secrets' names."""
    values: dict[str, Any] = {}
    canaries: dict[str, str] = {}
    required = manifest.connection.get("required", [])
    preset = {key: one for options in manifest.presets.values() for key, one in next(iter(options.values())).items()}
    for name, schema in manifest.connection["properties"].items():
        if name in {"ca_bundle", "client_certificate", "client_key"}:
            continue
        if schema.get("writeOnly"):
            canary = f"kitx{secrets.token_hex(14)}"
            value: Any = canary if Checker(schema).accepts(canary) else fitting(schema, name)
            if isinstance(value, str):
                values[name] = canaries[name] = value
            elif name in required:
                values[name] = value
        else:
            value = preset.get(name, fitting(schema, name))
            if value is not None and (name in required or "default" not in schema):
                values[name] = value
    return _without_hidden(manifest, values), canaries


def change_of(manifest: Manifest, values: Mapping[str, Any]) -> Change:
    """Return a connection's values as what adds it: the parameters, and the secrets apart."""
    secrets = {name: value for name, value in values.items() if name in manifest.secret_names}
    return Change(parameters={name: value for name, value in values.items() if name not in secrets}, secrets=secrets)


def _without_hidden(manifest: Manifest, values: dict[str, Any]) -> dict[str, Any]:
    checker = Checker(manifest.connection)
    for name in [name for name, one in manifest.connection["properties"].items() if "visible_if" in one]:
        if not checker.accepts(values):
            values.pop(name, None)
    return values


def fitting(schema: Mapping[str, Any], name: str = "value") -> Any:
    """Return a value that fits a parameter's schema, as far as it can be told; None where it cannot."""
    branches = [one["const"] for one in schema.get("oneOf", []) if isinstance(one, Mapping) and "const" in one]
    candidates = [schema[key] for key in ("default", "const") if key in schema]
    candidates += [*schema.get("examples", []), *schema.get("enum", []), *branches]
    candidates += [_by_format(schema, name), "bench", "bench@example.com", "2026-01-31T08:00:00Z", 1, True]
    candidates += [[fitting(schema.get("items", {}), name)] if schema.get("type") == "array" else {}, []]
    candidates.append(_object_of(schema))
    checker = Checker(schema)
    return next((one for one in candidates if one is not None and checker.accepts(one)), None)


def _object_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of what a schema demands."""
    properties = schema.get("properties", {})
    return {name: fitting(properties.get(name, {}), name) for name in schema.get("required", [])}


def _by_format(schema: Mapping[str, Any], name: str) -> Any:
    host = name.replace("_", "-")
    by_format = {"uri": f"https://{host}.bench.example", "email": "bench@example.com"}
    by_format["date-time"] = "2026-01-31T08:00:00Z"
    return by_format.get(schema.get("format", ""))


def good_inputs(command: Command) -> dict[str, Any]:
    """Return inputs that the command takes: those of its first passing sample, else what its schema allows."""
    for sample in sorted(command.samples, key=lambda one: one.status != "Passed"):
        return dict(sample.input)
    properties = command.input.get("properties", {})
    return {name: fitting(properties[name], name) for name in command.input.get("required", [])}


def fuzzed(command: Command, count: int, seed: int = 20261123) -> Iterator[dict[str, Any]]:
    """Return inputs made of the schema: good ones with parts left out, replaced or added; the same for a seed."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, no secret
    properties = command.input.get("properties", {})
    good = good_inputs(command)
    yield {}
    for odd in ODD:
        if properties:
            yield {**good, dice.choice(list(properties)): odd}
    for _ in range(count):
        made = {name: fitting(schema, name) for name, schema in properties.items() if dice.random() < 0.7}  # noqa: PLR2004 - most
        for name in properties:
            if dice.random() < 0.2:  # noqa: PLR2004 - some
                made[name] = dice.choice(ODD)
        yield made
