"""Rules about many: some of several items fail by themselves, and lists end."""

import json
from typing import Any

from connector_host.contract.manifest import Command
from connector_host.kernel.schema import Checker
from connector_host.testing.answers import Answer, BySamples, failure
from connector_host.testing.bench import Bench
from connector_host.testing.rules.failures import good_sample
from connector_host.testing.rules.ruling import NOT_APPLICABLE, Seen, rule
from connector_host.testing.samples import Arrived, put_at
from connector_host.testing.values import good_inputs

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

    async def missing(request: Arrived) -> Answer:
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
