"""Lists and intake tell the truth, while the product's records come, go and change between two pages.

The model checker is a server whose truth is known: drift, index lag, skewed clocks, bursts, equal times, updates while
paging, failing pages, and programs that are killed between pages.
"""

import datetime as dt
import json
import os
import random
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from connector_host.authoring.checking import validate
from connector_host.configuration import bundled
from connector_host.model.errors import WrongUse
from connector_host.model.invocation import Options
from connector_host.model.result import Status
from tests.own import HEAD, own, run
from tests.world import FastClock, World, http, raw_server, serving_app

COMMANDS = """
  list_things:
    title: List Things
    read_only: true
    input: {properties: {status: {title: Status, type: string}}}
    request:
      server: api
      path: /things
      query: {status: $.input.status}
      collect: things
      paging: {style: key, by: $.created_at, parameter: until, size: 10, size_parameter: limit, window: 100}
  list_by_offset:
    title: List by Offset
    read_only: true
    input: {properties: {status: {title: Status, type: string}, nameless: {title: Nameless, type: boolean}}}
    request:
      server: api
      path: /things
      query: {status: $.input.status, nameless: $.input.nameless}
      collect: things
      paging: {size: 25}
  list_by_number:
    title: List by Number
    read_only: true
    input: {properties: {status: {title: Status, type: string}}}
    request:
      server: api
      path: /things
      query: {status: $.input.status}
      collect: things
      paging: {style: page, size: 25}
  fetch:
    title: Fetch
    kind: intake
    read_only: true
    input:
      required: [since, until]
      properties:
        since: {title: Since, type: string, format: date-time}
        until: {title: Until, type: string, format: date-time}
        status: {title: Status, type: string}
    request:
      server: api
      path: /things
      query: {since: $.input.since, until: $.input.until, status: $.input.status}
      collect: things
      paging: {style: key, by: $.created_at, parameter: until, size: 10, size_parameter: limit}
    intake:
      cursor: {since: since, until: until, time: .created_at, overlap_minutes: 10}
      incident: {path: $.things, fields: [{field: Title, source: .title}]}
      event: {path: $, unique_key: .id, sources: [{name: Thing, fields: [{field: Status, source: .status}]}]}
"""
SEEDS = int(os.environ.get("INTAKE_SEEDS", "20"))
DAY = 86_400
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def at(seconds: float) -> str:
    return (BEGIN + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Product:
    """Things with a time, newest first; `drift` happens before each page is answered."""

    def __init__(self, seed: int = 0) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.random = random.Random(seed)
        self.pages = 0
        self.fail: set[int] = set()
        self.lag = 0.0  # seconds for which a new thing is not listed
        self.now = 0.0
        self.drift: Any = lambda: None
        self.date: str | None = None  # instead of `now`

    def add(self, seconds: float) -> str:
        name = f"T{len(self.things):05}"
        self.things[name] = {"id": name, "title": name, "status": "open", "created_at": at(seconds), "shown": seconds}
        return name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        self.drift()
        self.pages += 1
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        status, body = (500, {}) if self.pages in self.fail else (200, self._page(query))
        date = self.date or format_datetime(BEGIN + dt.timedelta(seconds=self.now), usegmt=True)
        headers = [(b"content-type", b"application/json"), (b"date", date.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        def moment(name: str, default: str) -> dt.datetime:
            return dt.datetime.fromisoformat(query.get(name, default))

        since, until = moment("since", "2000-01-01T00:00:00Z"), moment("until", "2100-01-01T00:00:00Z")
        found = [
            thing
            for thing in self.things.values()
            if since <= dt.datetime.fromisoformat(thing["created_at"]) < until
            and thing["shown"] + self.lag <= self.now
            and query.get("status", thing["status"]) == thing["status"]
        ]
        found.sort(key=lambda thing: (thing["created_at"], thing["id"]), reverse=True)
        limit = int(query.get("limit", 10))
        offset = int(query.get("offset", (int(query.get("page", 1)) - 1) * limit))
        shown = found[offset : offset + limit]
        if query.get("nameless") == "true":
            shown = [{name: value for name, value in thing.items() if name != "id"} for thing in shown]
        return {"things": shown, "more": offset + limit < len(found)}


@pytest.fixture
def product() -> Product:
    return Product()


@pytest.fixture
def served(product: Product) -> Iterator[str]:
    with serving_app(product, date=False) as base:
        yield base


@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_a_list_whose_members_leave_between_two_pages_lacks_none_that_stayed(
    tmp_path: Path, product: Product, served: str, seed: int
) -> None:
    product.random.seed(seed)
    product.now = 1e9
    names = [product.add(product.random.choice((1, 1, 2, 30)) * number // 3) for number in range(130)]
    left: set[str] = set()

    def drift() -> None:
        for name in product.random.sample(names, 4):
            product.things[name]["status"] = "closed"
            left.add(name)

    product.drift = drift
    result = run(own(tmp_path, COMMANDS, served), "list_things", {"status": "open"})
    got = [thing["id"] for thing in result.raw_data["things"]]
    assert result.status is Status.PASSED
    assert result.completeness is not None
    assert result.completeness.complete
    assert len(got) == len(set(got)), "none twice"
    assert set(names) - left <= set(got), "none that stayed is missing"


@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_a_list_by_offset_whose_members_leave_lacks_none_that_stayed(
    tmp_path: Path, product: Product, served: str, seed: int
) -> None:
    product.random.seed(seed)
    product.now = 1e9
    names = [product.add(product.random.choice((1, 1, 2, 30)) * number // 3) for number in range(700)]
    left: set[str] = set()

    def drift() -> None:
        for name in product.random.sample(names, product.random.choice((0, 1, 9, 60))):
            product.things[name]["status"] = "closed"
            left.add(name)

    product.drift = drift
    result = run(own(tmp_path, COMMANDS, served), "list_by_offset", {"status": "open"})
    got = [thing["id"] for thing in result.raw_data["things"]]
    assert result.status is Status.PASSED, (result.errors, product.pages, len(left))
    assert result.completeness is not None
    assert result.completeness.complete
    assert len(got) == len(set(got)), "none twice"
    assert set(names) - left <= set(got), "none that stayed is missing"
    assert product.pages < 150


@pytest.mark.parametrize(("command", "given"), [("list_by_offset", {"nameless": True}), ("list_by_number", {})])
def test_a_list_that_nothing_tells_apart_and_that_changes_is_not_called_complete(
    tmp_path: Path, product: Product, served: str, command: str, given: dict[str, Any]
) -> None:
    product.now = 1e9
    names = [product.add(number) for number in range(90)]
    world = own(tmp_path, COMMANDS, served)
    whole = run(world, command, {"status": "open", **given})
    assert (whole.status, len(whole.raw_data["things"])) == (Status.PASSED, 90)
    product.drift = lambda: product.things[names[-1 - product.pages % 25]].update(status="closed")
    changed = run(world, command, {"status": "open", **given})
    assert changed.status is Status.PARTIAL
    assert "The list changed while it was read" in changed.errors[0].detail


def test_more_in_one_second_than_a_page_are_read_and_more_than_the_window_is_told(
    tmp_path: Path, product: Product, served: str
) -> None:
    product.now = 1e9
    for _ in range(35):
        product.add(5)
    product.add(1)
    world = own(tmp_path, COMMANDS, served)
    result = run(world, "list_things")
    assert (len(result.raw_data["things"]), result.completeness and result.completeness.complete) == (36, True)
    for _ in range(120):
        product.add(5)
    result = run(world, "list_things")
    assert result.status is Status.PARTIAL
    assert "in one second" in result.errors[0].detail


class SkewedClock(FastClock):
    def __init__(self, product: Product, skew: float) -> None:
        super().__init__()
        self.product, self.skew = product, skew

    def now(self) -> dt.datetime:
        return BEGIN + dt.timedelta(seconds=self.product.now + self.skew)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whoever_polls_without_times_loses_nothing_and_doubles_nothing(
    tmp_path: Path, product: Product, served: str, seed: int
) -> None:
    """INTAKE_SEEDS=2000 runs as many as a release wants; each seed is one life of a product and its poller."""
    chance = product.random
    chance.seed(seed)
    product.lag = chance.choice((0, 0, 30, 400))
    clock = SkewedClock(
        product, chance.choice((0, 0, -1800, 1800, 60, 3 * DAY, -3 * DAY, DAY, DAY / 2, 366 * DAY, -366 * DAY))
    )
    world = own(tmp_path, COMMANDS, served, clock=clock)
    truth: set[str] = set()
    stored: dict[str, Any] = {}
    for _ in range(chance.randint(3, 7)):
        begun = product.now
        product.now += chance.choice((60, 300, 3600, 86_400, 20 * 86_400))
        for _ in range(chance.choice((0, 1, 5, 40))):
            truth.add(product.add(max(begun, product.now - chance.choice((0, 0, 1, 30, 500)))))
        names = list(product.things)
        if names and chance.random() < 0.5:
            product.drift = lambda names=names: product.things[chance.choice(names)].update(title="changed")
        begins = product.pages + 1 + chance.choice((0, 0, 1, 2))  # the first page, or one after it
        product.fail = {begins + number for number in range(chance.choice((0, 0, 5)))}
        result = world.use(lambda host: host.ingest("acme", "fetch", "own", options=Options(deadline_seconds=30)))
        if result.status is Status.PASSED:
            assert result.raw_data["fetched"] == sum(result.raw_data[name] for name in ("new", "updated", "known"))
    product.fail, product.drift = set(), lambda: None
    product.now += product.lag + 60
    result = world.use(lambda host: host.ingest("acme", "fetch", "own"))
    assert result.status is Status.PASSED, result.errors
    records = world.use(lambda host: host.ingested("fetch", "own", 10_000))
    keys = [one.unique_key for one in records]
    assert len(keys) == len(set(keys))
    assert set(keys) == truth
    stored |= {one.unique_key: json.loads(one.raw)["title"] for one in records}
    recent = [name for name, thing in product.things.items() if thing["shown"] > product.now - 500]
    assert {name: stored[name] for name in recent} == {name: product.things[name]["title"] for name in recent}


def test_two_filters_are_two_cursors_and_a_run_with_times_moves_none(
    tmp_path: Path, product: Product, served: str
) -> None:
    product.now = 1000
    world = own(tmp_path, COMMANDS, served, clock=SkewedClock(product, 0))
    product.add(900)

    def ingest(inputs: Any = None) -> Any:
        return world.use(lambda host: host.ingest("acme", "fetch", "own", inputs)).raw_data

    assert ingest()["new"] == 1
    product.now = 90_000
    name = product.add(80_000)
    assert ingest({"since": at(70_000), "until": at(70_001)})["fetched"] == 0
    found = ingest()
    assert (found["new"], found["latest"]) == (1, f"{at(80_000)[:-1]}.000Z"), name
    again = {"fetched": 1, "new": 0, "updated": 0, "known": 1, "latest": found["latest"]}
    assert ingest() == {**again, "product_time": f"{at(90_000)[:-1]}.000Z"}
    closed = product.add(30_000)
    product.things[closed]["status"] = "closed"
    assert ingest({"status": "closed"})["new"] == 1, "another filter begins a day back, not where the first one ended"


def test_the_newest_twenty_of_more_are_passed_and_not_called_complete(prod: World) -> None:
    now = dt.datetime.now(dt.UTC)
    when = {"start_time": (now - dt.timedelta(days=120)).isoformat(), "end_time": now.isoformat()}
    result = prod.run("fetch_incident", {**when, "top_recent_incident_number": 1})
    assert result.status is Status.PASSED
    assert result.completeness is not None
    assert (result.completeness.complete, result.completeness.limited) == (False, True)
    taken = prod.use(
        lambda host: host.ingest("pagerduty", "fetch_incident", "prod", {**when, "top_recent_incident_number": 1})
    )
    assert taken.status is Status.PARTIAL, "an intake that lacks some is never passed"


@pytest.mark.parametrize("paging", ["{style: cursor, next: $.nxt, size: 2}", "{style: offset, more: $.mroe, size: 2}"])
def test_a_path_that_is_in_no_reply_makes_no_list_complete(tmp_path: Path, paging: str) -> None:
    from tests.world import http, raw_server

    commands = f"""
  list_things:
    title: List Things
    read_only: true
    request: {{server: api, path: /things, collect: things, paging: {paging}}}
"""
    full = http("200 OK", b'{"things": [{"id": 1}, {"id": 2}], "next": "2", "more": true}')
    with raw_server(full) as (base, _):
        result = run(own(tmp_path, commands, base), "list_things")
    assert result.status is Status.PARTIAL
    assert "no '$." in result.errors[0].detail


def test_a_path_into_headers_is_refused_when_the_manifest_is_read(tmp_path: Path) -> None:

    (tmp_path / "manifest.yaml").write_text(
        "id: acme\nname: Acme\nversion: 1.0.0\nservers: {api: {url: https://x.example}}\n"
        "connection: {properties: {}}\ncommands:\n  go:\n    title: Go\n    read_only: true\n    request:\n"
        "      {server: api, path: /x, collect: things, paging: {style: cursor, next: $.headers.x-next}}\n"
    )
    rules = [problem.rule for problem in validate(tmp_path, bundled() / "schemas").problems]
    assert "paging-path" in rules


@pytest.mark.parametrize("hours", [1, 30])
def test_a_record_from_the_future_takes_the_cursor_along(tmp_path: Path, hours: int) -> None:
    """What comes between two polls is before the record of the future, or that lies in the past by then."""
    product = Product()
    with serving_app(product, date=False) as base:
        product.now = 100_000
        world = own(tmp_path, COMMANDS, base, clock=SkewedClock(product, 0))
        ahead = product.add(100_000 + 20 * 3600)
        product.things[ahead]["shown"] = 0
        taken = world.use(lambda host: host.ingest("acme", "fetch", "own")).raw_data["new"]
        for _ in range(5):
            product.add(product.now + 1800)
            product.now += 3600 * hours
            taken += world.use(lambda host: host.ingest("acme", "fetch", "own")).raw_data["new"]
    assert taken == len(product.things) == 6


@pytest.mark.parametrize(
    ("wrong", "right", "level"),
    [
        ("{path: $.thing,", "{path: $.things,", "error"),
        ("unique_key: .idd", "unique_key: .id", "error"),
        ("time: .createdat", "time: .created_at", "error"),
        ("source: .titel", "source: .title", "advice"),
    ],
)
def test_a_mistyped_path_of_an_intake_is_told(tmp_path: Path, wrong: str, right: str, level: str) -> None:
    fields = ", ".join(f"{name}: {{type: string}}" for name in ("id", "title", "status", "created_at"))
    output = f"    output: {{type: object, properties: {{things: {{type: array, items: {{type: object, properties: {{{fields}}}}}}}}}}}\n"
    commands = COMMANDS[COMMANDS.index("  fetch:") :] + output
    assert right in commands
    for text, told in ((commands, []), (commands.replace(right, wrong), [level])):
        folder = tmp_path / level / str(len(told))
        folder.mkdir(parents=True)
        (folder / "manifest.yaml").write_text(HEAD + text)
        found = [one for one in validate(folder, bundled() / "schemas").problems if one.rule == "unresolved-path"]
        assert [one.level.value for one in found] == told


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 01 Jan 2400 00:00:00 GMT", "in 400 days"])
def test_a_products_clock_is_wrong_once_and_nothing_is_lost(
    tmp_path: Path, product: Product, served: str, date: str
) -> None:
    clock = SkewedClock(product, 0)
    world = own(tmp_path, COMMANDS, served, clock=clock)
    truth = set()
    for day in range(1, 8):
        product.now = day * DAY / 2
        truth.add(product.add(product.now - 100))
        if day == 4:
            far = format_datetime(BEGIN + dt.timedelta(days=400), usegmt=True) if date == "in 400 days" else date
            product.date = far
        result = world.use(lambda host: host.ingest("acme", "fetch", "own"))
        assert result.status is Status.PASSED
        product.date = None
    records = world.use(lambda host: host.ingested("fetch", "own", 1000))
    assert {one.unique_key for one in records} == truth
    assert product.pages < 40


def test_an_intake_without_times_needs_no_key_and_gives_an_own_id_to_its_first_run(
    tmp_path: Path, product: Product, served: str
) -> None:
    product.now = 1000
    world = own(tmp_path, COMMANDS, served, clock=SkewedClock(product, 400 * DAY))
    key = Options(idempotency_key="k")
    with pytest.raises(WrongUse, match="needs no key"):
        world.use(lambda host: host.ingest("acme", "fetch", "own", options=key))
    mine = Options(invocation_id="43eef49e-5e4b-4a5e-8a1b-0c8f3f6f7a11")
    assert world.use(lambda host: host.ingest("acme", "fetch", "own", options=mine)).status is Status.PASSED
    runs = world.use(lambda host: host.history())
    assert len(runs) == 2, "our clock was ahead, so that it was read twice"
    assert runs[-1].invocation_id == mine.invocation_id, "the newest first, whatever their ids are"


def test_a_list_by_number_that_sends_empty_pages_for_ever_ends(tmp_path: Path) -> None:
    first, second = (
        http("200 OK", json.dumps({"things": [{"id": one}], "more": True}).encode(), "Content-Type: application/json")
        for one in ("1", "2")
    )
    empty = http("200 OK", b'{"things": [], "more": true}', "Content-Type: application/json")
    commands = """
  all:
    title: All
    read_only: true
    request:
      server: api
      path: /all
      collect: things
      paging: {style: page, more: $.more, position_parameter: page, first: 1, size: 100}
"""
    with raw_server(first, second, empty) as (base, received):
        result = run(own(tmp_path, commands, base), "all", seconds=10)
    assert result.status is Status.PARTIAL
    assert "empty page" in result.errors[0].detail
    assert len(received) == 3
