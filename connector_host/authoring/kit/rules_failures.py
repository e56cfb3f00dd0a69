"""Rules about what goes wrong at the other end: each trouble has its status, its kind, its indicator and its code."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.authoring.kit.bench import NOT_APPLICABLE, Bench, Run, Seen, rule
from connector_host.authoring.kit.exchanges import Answer, BySamples, ReceivedRequest, failure, put_at
from connector_host.authoring.kit.values import good_inputs
from connector_host.configuration import bundled
from connector_host.manifests.reading import examine
from connector_host.model.errors import ManifestError
from connector_host.model.failure import Level
from connector_host.model.invocation_errors import TimedOut
from connector_host.model.manifest import MANIFEST, Command, Sample

GARBAGE = b'\x00\xff{"half": ['
TROUBLES: Mapping[str, tuple[int, Mapping[str, str], frozenset[str]]] = {
    "401": (401, {}, frozenset({"unauthorized"})),
    "403": (403, {}, frozenset({"access_denied"})),
    "404": (404, {}, frozenset({"not_found"})),
    "429": (429, {}, frozenset({"rate_limited"})),
    "429-with-headers": (429, {"retry-after": "2"}, frozenset({"rate_limited"})),
    "500": (500, {}, frozenset({"server_error"})),
}


def _rules_speak_of(bench: Bench, command: Command, status: int) -> bool:
    """Whether a declared rule about replies says what this status means."""
    rules = [*command.responses, *(one for server in bench.manifest.servers.values() for one in server.responses)]
    words = {str(status), f"{status // 100}xx"}
    return any(not one.statuses or words & set(one.statuses) for one in rules)


async def _in_trouble(bench: Bench, command: Command, answer: Any) -> Run:
    return await bench.run(command, good_inputs(command), bench.always(answer))


def _judged(command: Command, run: Run, kinds: frozenset[str], status_code: str | None) -> Seen:
    """Hold a failed run against what it should say."""
    first = next(iter(run.result.errors), None) if run.result else None
    if run.status != "Failed" or first is None or first.kind not in kinds:
        return f"It ended so: {run.words} (kind {', '.join(run.kinds) or 'none'}, not {' or '.join(sorted(kinds))})"
    if first.failure_indicator != command.failure_indicator:
        return f"The failure indicator is {first.failure_indicator!r}, not {command.failure_indicator!r}."
    if status_code is not None and first.status_code != status_code:
        return f"The status code is {first.status_code}, not {status_code}."
    return None


@rule("http-failures", "silver", "401, 403, 404, 429 and 500 fail with their kind, code and failure indicator.")
async def http_failures(bench: Bench, command: Command) -> Seen:
    if good_sample(command) is None:
        return NOT_APPLICABLE
    for name, (status, headers, kinds) in TROUBLES.items():
        if _rules_speak_of(bench, command, status):
            continue
        shaped = await _in_trouble(bench, command, lambda request, s=status, h=headers: _shaped(bench, request, s, h))
        bare = await _in_trouble(bench, command, (status, dict(headers), b""))
        for run in (shaped, bare):
            seen = _judged(command, run, kinds, str(status))
            if seen:
                return f"{name}: {seen}"
    return None


def _shaped(bench: Bench, request: ReceivedRequest, status: int, headers: Mapping[str, str]) -> Answer:
    server = bench.manifest.servers.get(request.server or "")
    code, _, body = failure(status, server.errors if server else ())
    return code, dict(headers), body


def good_sample(command: Command) -> Sample | None:
    """Return the first passing sample that asks a server; None where there is none to begin with."""
    return next((sample for sample in command.samples if sample.status == "Passed" and sample.http), None)


@rule("timeout", "silver", "A server that does not answer in time fails the command as a time-out.")
async def timeout(bench: Bench, command: Command) -> Seen:
    if good_sample(command) is None:
        return NOT_APPLICABLE
    return _judged(command, await _in_trouble(bench, command, TimedOut()), frozenset({"timeout"}), None)


@rule("malformed-reply", "silver", "A reply that is not JSON fails the command, and says so.")
async def malformed_reply(bench: Bench, command: Command) -> Seen:
    if good_sample(command) is None:
        return NOT_APPLICABLE
    run = await _in_trouble(bench, command, (200, {}, GARBAGE))
    return _judged(command, run, frozenset({"unexpected_reply"}), "502")


@rule("empty-reply", "silver", "An empty reply passes where nothing is promised, and fails where something is.")
async def empty_reply(bench: Bench, command: Command) -> Seen:
    if good_sample(command) is None:
        return NOT_APPLICABLE
    run = await _in_trouble(bench, command, (200, {}, b""))
    if run.result is None or "internal" in run.kinds:
        return f"It ended so: {run.words}"
    promised = command.collect is not None
    if promised and run.status == "Passed" and not run.result.completeness:
        return "It promises a list, got nothing, and is Passed."
    return None


@rule("rules-reached", "gold", "Each declared rule about replies is reached, and does what it says.")
async def rules_reached(bench: Bench, command: Command) -> Seen:
    for index, one in enumerate(command.responses):
        status = _status_of(one.statuses)
        body: dict[str, Any] = {}
        if one.field:
            put_at(body, one.field, one.values[0] if one.values else "there")
        run = await _in_trouble(bench, command, (status, {}, json.dumps(body).encode()))
        first = next(iter(run.result.errors), None) if run.result else None
        sent = len(run.requests)
        seen = {
            "passed": None if "rejected" not in run.kinds and run.result is not None else run.words,
            "failed": None if first is not None and run.status == "Failed" else run.words,
            "needs_attention": None if first is not None and run.status == "Failed" else run.words,
            "retry": None if sent > 1 or not run.requests or not run.requests[0].idempotent else "It is not retried.",
        }[one.verdict]
        if first is not None and one.verdict in {"failed", "needs_attention"}:
            if one.indicator and first.failure_indicator != one.indicator:
                seen = f"the failure indicator is {first.failure_indicator!r}."
            elif one.code and first.status_code != one.code:
                seen = f"the status code is {first.status_code}."
        if seen:
            return f"responses[{index}] ({one.verdict}): {seen}"
    return None if command.responses else NOT_APPLICABLE


def _status_of(statuses: tuple[str, ...]) -> int:
    first = statuses[0] if statuses else "200"
    return int(first.replace("xx", "00"))


@rule("retries-harmless", "gold", "What may be repeated is; what a repeat could do twice is sent once.")
async def retries_harmless(bench: Bench, command: Command) -> Seen:
    sample = good_sample(command)
    if sample is None:
        return NOT_APPLICABLE
    by_sample = BySamples(bench.manifest, (command.id, sample))
    times: dict[str, int] = {}

    async def first_lost(request: ReceivedRequest) -> Answer:
        times[f"{request.method} {request.path} {request.query}"] = count = (
            times.get(f"{request.method} {request.path} {request.query}", 0) + 1
        )
        if count == 1:
            raise TimedOut
        return await by_sample(request)

    run = await bench.run(command, sample.input, first_lost)
    sent: dict[tuple[str, str, bytes | None], int] = {}
    for one in run.requests:
        if not one.idempotent:
            key = (one.method, one.url, one.body)
            sent[key] = sent.get(key, 0) + 1
    twice = next((key for key, count in sent.items() if count > 1), None)
    if twice:
        return f"{twice[0]} {twice[1]} is not idempotent, and was sent {sent[twice]} times."
    if all(one.idempotent for one in run.requests) and run.status != sample.status:
        return f"After one lost answer to each request it ended so: {run.words}"
    return None


@rule("no-advice", "gold", "The validator has no advice left.", each_command=False)
async def no_advice(bench: Bench, _command: Command) -> Seen:
    try:
        examination = examine(bench.manifest.root / MANIFEST, bundled() / "schemas")
    except ManifestError as error:
        return str(error.problems[0])
    advice = [one for one in examination.problems if one.level is Level.ADVICE]
    return str(advice[0]) if advice else None


@rule("plugin-described", "platinum", "The plugin says what it is for, needs and cannot do.", each_command=False)
async def plugin_described(bench: Bench, _command: Command) -> Seen:
    manifest = bench.manifest
    told = {"description": manifest.description, "permissions": manifest.permissions, "setup": manifest.setup}
    told |= {"limitations": manifest.limitations, "faq": manifest.faq, "requires_host": manifest.requires_host}
    missing = [name for name, value in told.items() if not value]
    return f"Add {', '.join(missing)}." if missing else None


@rule("connection-described", "platinum", "Each connection parameter has a description.", each_command=False)
async def connection_described(bench: Bench, _command: Command) -> Seen:
    missing = list(_undescribed(bench.manifest.connection["properties"]))
    return f"Add a description to {', '.join(missing)}." if missing else None


@rule("command-described", "platinum", "Each command, and each of its parameters, has a description and an example.")
async def command_described(_bench: Bench, command: Command) -> Seen:
    if not command.description.endswith("."):
        return "Add a description: a sentence, with its full stop."
    properties: Mapping[str, Any] = command.input.get("properties", {})
    missing = list(_undescribed(properties))
    if missing:
        return f"Add a description to {', '.join(missing)}."
    bare = [name for name, one in properties.items() if not {"examples", "default", "enum", "oneOf"} & one.keys()]
    unclear = [name for name in bare if properties[name].get("type") != "boolean"]
    return f"Add an example to {', '.join(unclear)}." if unclear else None


def _undescribed(properties: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in properties.items():
        if not schema.get("description"):
            yield name
