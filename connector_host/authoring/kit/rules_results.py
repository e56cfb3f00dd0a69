"""Rules about results: samples come out as they say, items fail by themselves, and lists end."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from connector_host.authoring.kit.bench import NOT_APPLICABLE, Bench, Run, Seen, rule
from connector_host.authoring.kit.exchanges import Answer, BySamples, ReceivedRequest, failure, holds, put_at
from connector_host.authoring.kit.rules_failures import good_sample
from connector_host.authoring.kit.values import good_inputs
from connector_host.manifests.rules.reach import reaches_of, resolves
from connector_host.manifests.schema import Checker
from connector_host.model.manifest import Command, FieldMapping, Intake, Sample
from connector_host.model.paths import compile_path

READING = frozenset({"GET", "HEAD"})


@rule("sample-present", "bronze", "Each command has a sample that passes.")
async def sample_present(_bench: Bench, command: Command) -> Seen:
    if any(sample.status == "Passed" for sample in command.samples):
        return None
    return f"Add 'samples:' to commands.{command.id}: an input, the HTTP exchange and the result."


@rule("sample-round-trip", "bronze", "Each sample comes out as it says, with just the requests that it tells of.")
async def sample_round_trip(bench: Bench, command: Command) -> Seen:
    for index, sample in enumerate(command.samples):
        answers = BySamples(bench.manifest, (command.id, sample), alone=True)
        run = await bench.run(command, sample.input, answers)
        seen = _difference(sample, run, answers)
        if seen:
            return f"Sample {index + 1}: {seen}"
    return None if command.samples else NOT_APPLICABLE


def _difference(sample: Sample, run: Run, answers: BySamples) -> Seen:
    expected = dict(sample.result)
    status = expected.pop("status", "Passed")
    missing = f" No exchange answers {answers.unanswered[0]}." if answers.unanswered else ""
    if run.result is None or run.status != status:
        return f"the status is not {status}. {run.words}{missing}"
    document: dict[str, Any] = run.result.document()
    for part, wanted in expected.items():
        if not holds(document[part], wanted):
            return f"{part} is {document[part]!r}, not {wanted!r}.{missing}"
    if missing:
        return missing.strip()
    return f"nothing asked for {answers.unasked[0]}." if answers.unasked else None


@rule("output-declared", "gold", "Each command has an output schema, and its passing samples fit it.")
async def output_declared(bench: Bench, command: Command) -> Seen:
    if command.output is None:
        return f"Add 'output:' to commands.{command.id}: the JSON Schema of its raw data."
    checker = Checker(command.output)
    for sample in command.samples:
        if sample.status == "Passed":
            run = await bench.run(command, sample.input, BySamples(bench.manifest, (command.id, sample)))
            raw = run.result.raw_data if run.result else None
            if raw is not None and not checker.accepts(raw):
                return next(checker.faults(raw)).reason
    return None


@rule("key-fields-resolve", "gold", "Each key field's path finds something in a passing sample.")
async def key_fields_resolve(bench: Bench, command: Command) -> Seen:
    left = dict(command.key_fields)
    for sample in command.samples:
        if sample.status == "Passed" and left:
            run = await bench.run(command, sample.input, BySamples(bench.manifest, (command.id, sample)))
            raw = run.result.raw_data if run.result else None
            left = {name: path for name, path in left.items() if not compile_path(path).find(raw)}
    if left:
        name, path = next(iter(left.items()))
        return f"The key field {name} finds nothing at {path} in any sample."
    return None if command.key_fields else NOT_APPLICABLE


@rule("intake-resolves", "gold", "Each path of an intake finds something in a passing sample, or in the output schema.")
async def intake_resolves(bench: Bench, command: Command) -> Seen:
    if command.intake is None:
        return NOT_APPLICABLE
    left = {path: demanded for _, path, demanded in reaches_of(_as_written(command.intake))}
    for sample in command.samples:
        if sample.status == "Passed" and left:
            run = await bench.run(command, sample.input, BySamples(bench.manifest, (command.id, sample)))
            raw = run.result.raw_data if run.result else None
            left = {path: demanded for path, demanded in left.items() if not compile_path(path).find(raw)}
    missing = [path for path, demanded in left.items() if demanded or not resolves(path, command.output)]
    return f"The intake finds nothing at {missing[0]} in any sample." if missing else None


def _as_written(intake: Intake) -> Mapping[str, Any]:
    """Return an intake as a manifest has it."""

    def rows(fields: Iterable[FieldMapping]) -> list[dict[str, str]]:
        return [{} if one.source is None else {"source": one.source} for one in fields]

    sources = [{"fields": rows(source.fields)} for source in intake.event_sources]
    return {
        "incident": {"path": intake.incident_path, "fields": rows(intake.incident_fields)},
        "event": {"path": intake.event_path, "unique_key": intake.unique_key, "sources": sources},
        "cursor": {} if intake.cursor is None else {"time": intake.cursor.time},
    }


@rule("error-sample", "platinum", "Each command has a sample that fails, for the error tab of its documentation.")
async def error_sample(_bench: Bench, command: Command) -> Seen:
    if any(sample.status != "Passed" for sample in command.samples):
        return None
    return f"Add a sample with 'result: {{status: Failed, …}}' to commands.{command.id}."


@rule("read-only-told", "platinum", "What only reads is marked read_only, and nothing else is.")
async def read_only_told(bench: Bench, command: Command) -> Seen:
    if not command.samples:
        return NOT_APPLICABLE
    methods: set[str] = set()
    for sample in command.samples:
        run = await bench.run(command, sample.input, BySamples(bench.manifest, (command.id, sample)))
        methods |= {one.method for one in run.requests if not bench.asks_for_token(one)}
    reads = methods <= READING
    if reads and not command.read_only:
        return "It sends GET requests alone: mark it 'read_only: true'."
    if command.read_only and methods - READING - {"POST"}:
        return f"It is marked read_only, and sends {', '.join(sorted(methods - READING))}."
    return None


MOST_PAGES = 12


@rule("partial-success", "gold", "Of several items those that fail are told one by one; the others are not harmed.")
async def partial_success(bench: Bench, command: Command) -> Seen:
    if command.each is None or good_sample(command) is None:
        return NOT_APPLICABLE
    inputs = good_inputs(command)
    good = inputs[command.each][0]
    bad = f"{good}NOTHERE"
    both = {**inputs, command.each: [good, bad]}
    if not isinstance(good, str) or not Checker(command.input).accepts(both):
        return NOT_APPLICABLE
    by_samples = BySamples(bench.manifest)

    async def missing(request: ReceivedRequest) -> Answer:
        if "NOTHERE" in f"{request.path} {request.query} {request.content}":
            server = bench.manifest.servers[request.server or ""]
            return failure(404, server.errors)
        return await by_samples(request)

    run = await bench.run(command, both, missing)
    entries = run.result.errors if run.result else ()
    if run.status != "Partially Successful" or [entry.item for entry in entries] != [bad]:
        return f"With one good and one missing item it ended so: {run.words} (items {[one.item for one in entries]})"
    return None


@rule("pagination-ends", "gold", "A server that always says that there is more ends in an incomplete list, soon.")
async def pagination_ends(bench: Bench, command: Command) -> Seen:
    template = command.request
    paging = bench.manifest.paging if template is None else template.paging
    sample = good_sample(command)
    if command.collect is None or paging is None or sample is None:
        return NOT_APPLICABLE
    page = next((one for one in sample.http if isinstance(one.body, dict | list)), None)
    if page is None:
        return NOT_APPLICABLE
    run = await bench.run(command, sample.input, bench.always(_endless(paging, page.body)))
    pages = len(run.requests)
    if pages > MOST_PAGES:
        return f"It asked for {pages} pages that were all the same."
    completeness = run.result.completeness if run.result else None
    if run.status == "Passed" and completeness is not None and pages > 1:
        return "It is Passed, although the list never ended."
    return None


def _endless(paging: Any, body: Any) -> Answer:
    told: Any = json.loads(json.dumps(body))
    headers: dict[str, str] = {}
    if isinstance(told, dict):
        wanted = {"offset": (paging.more, True), "page": (paging.more, True), "cursor": (paging.next, "again")}
        if paging.style in wanted:
            put_at(told, *wanted[paging.style])
        elif paging.style == "link":
            put_at(told, paging.next, "/again?page=again")
        if paging.total:
            put_at(told, paging.total, 10**6)
        if paging.pages:
            put_at(told, paging.pages, 10**6)
    if paging.style == "link_header":
        headers["link"] = '</again?page=again>; rel="next"'
    return 200, headers, json.dumps(told).encode()
