"""Samples: inputs that the command takes, requests that it makes, results that its output schema describes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.contract.problems import Problem
from connector_host.kernel.manifests.forms import standard_schema
from connector_host.kernel.manifests.places import Where
from connector_host.kernel.manifests.rules.reach import PLACED, Plugin
from connector_host.kernel.schema import Checker, fault_of_schema


def check_samples(plugin: Plugin) -> Iterator[Problem]:
    """Check all samples."""
    for name, command in plugin.commands.items():
        samples = command.get("samples", [])
        if not samples:
            continue
        schema = standard_schema(command.get("input", {}))
        form = Checker(schema) if fault_of_schema(schema) is None else None
        output = plugin.outputs.get(name)
        shape = Checker(output) if output is not None and fault_of_schema(output) is None else None
        for index, sample in enumerate(samples):
            where: Where = ("commands", name, "samples", index)
            yield from _check_input(plugin, where, sample, schema, form)
            yield from _check_exchanges(plugin, where, command, sample)
            raw = sample.get("result", {}).get("raw_data")
            if shape is not None and raw is not None and not shape.accepts(raw):
                fault = next(shape.faults(raw))
                cause = f"The sample's raw data is not what the output schema describes: {fault.reason}"
                place: Where = (*where, "result", "raw_data", *fault.path)
                yield plugin.document.problem(place, "sample-output", cause, "Mend the sample, or the schema.")


def _check_input(
    plugin: Plugin, where: Where, sample: Mapping[str, Any], schema: Mapping[str, Any], form: Checker | None
) -> Iterator[Problem]:
    """Tell of an input that the command would refuse: a sample shows what goes to a server."""
    given = {**_defaults(schema), **sample.get("input", {})}
    if form is None or form.accepts(given):
        return
    fault = next(form.faults(given))
    if not set(map(str, fault.path[:1])) & (sample.get("input", {}).keys() | schema["properties"].keys()):
        return  # what is required and not declared is told where it is required
    if fault.path and fault.given and fault.path[0] not in sample.get("input", {}):
        return  # a default that is wrong is told where it stands
    title = ".".join(map(str, fault.path)) or "input"
    cause = f"The command would refuse the sample's input, at '{title}': {fault.reason}"
    place: Where = (*where, "input", *fault.path)
    yield plugin.document.problem(place, "sample-input", cause, "Mend the sample.", key=fault.rule == "unknown-key")


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: one["default"]
        for name, one in schema["properties"].items()
        if "default" in one and "visible_if" not in one
    }


def _check_exchanges(
    plugin: Plugin, where: Where, command: Mapping[str, Any], sample: Mapping[str, Any]
) -> Iterator[Problem]:
    """Tell of a first exchange that is not the request that the command declares."""
    request = command.get("request")
    for index, exchange in enumerate(sample["http"]):
        place: Where = (*where, "http", index)
        if "server" in exchange:
            yield from plugin.unknown(
                (*place, "server"), "unknown-server", exchange["server"], plugin.servers, "server"
            )
        if request is None or index or exchange.get("server", request["server"]) != request["server"]:
            continue
        method, _, target = exchange["request"].partition(" ")
        wanted = f"{request.get('method', 'GET')} {request['path']}"
        if method != request.get("method", "GET") or not _fits(target.partition("?")[0], request["path"]):
            cause = f"The command sends {wanted}; the sample's first exchange is {exchange['request']}."
            yield plugin.document.problem((*place, "request"), "sample-request", cause, "Make them agree.")


def _fits(path: str, template: str) -> bool:
    pieces = PLACED.split(template)
    pattern = "".join(
        re.escape(piece) if index % 2 == 0 else (".+" if piece.endswith("...") else "[^/]+")
        for index, piece in enumerate(pieces)
    )
    return re.fullmatch(pattern, path) is not None
