"""A deed done is told as done, a deed refused as refused: verdicts inside answers, looks after, ids of a bulk."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector_host import Status
from connector_host.model.connection import Change
from tests.own import own, run
from tests.world import INTEGRATION_KEY, FastClock, Sandbox, World, http, pagerduty_sandbox, raw_server, serving_app

JSON = "Content-Type: application/json"
EVENT = {"summary": "s", "severity": "Info", "source": "s"}
BETA = "b" * 32

# Verdicts inside a good answer


def overrides(*items: dict[str, Any]) -> bytes:
    return http("201 Created", json.dumps(list(items)).encode(), JSON)


BAD = {"status": 400, "errors": ["Override must end in the future"], "override": {"start": "x", "end": "y"}}
GOOD = {"status": 201, "override": {"id": "O1", "start": "x", "end": "y"}}
OVERRIDE = {"schedule_id": "S1", "user_id": "P1", "start_time": "2020-01-10 00:00", "end_time": "2020-01-11 00:00"}


def test_a_refused_override_is_failed_though_the_answer_is_201(world: World) -> None:
    with raw_server(overrides(BAD)) as (base, _):
        world.add(base)
        result = world.run("create_schedule_override", OVERRIDE)
    (entry,) = result.errors
    assert (result.status, entry.status_code) == (Status.FAILED, "400")
    assert entry.message == "Override must end in the future."
    assert result.key_fields == {"OverrideIDs": []}


def test_the_sandbox_refuses_an_override_of_the_past_as_pagerduty_does(prod: World, sandbox: Sandbox) -> None:
    schedule = next(iter(sandbox.account.schedules))
    user = next(iter(sandbox.account.users))
    result = prod.run("create_schedule_override", {**OVERRIDE, "schedule_id": schedule, "user_id": user})
    assert (result.status, result.errors[0].message) == (Status.FAILED, "Override must end in the future.")


ITEMS = """\
  go:
    title: Go
    request: {server: api, method: POST, path: /go}
    results: RESULTS
"""


@pytest.mark.parametrize(
    ("results", "answer", "failed"),
    [
        (
            "{path: $.items, item: $.id, status: $.status, error: $.error}",
            {"items": [{"id": "a", "status": 200}, {"id": "b", "status": 409, "error": "is there"}]},
            [("b", "409", "is there.")],
        ),
        (
            "{path: $.items, item: $.id, status: $.state, ok: [done, queued]}",
            {"items": [{"id": 1, "state": "done"}, {"id": 2, "state": "lost"}, {"id": 3}]},
            [("2", "202", "The answer says 'lost', not 'done' or 'queued'."),
             ("3", "502", "The answer does not say what became of it.")],
        ),
        (
            "{path: '$.items[*]', item: $.id, error: [$.fault.text, $.why]}",
            {"items": [{"id": "a", "fault": {"text": ["x", "y"]}}, {"id": "b", "why": ""}, {"id": "c"}]},
            [("a", "400", "x; y.")],
        ),
        (
            "{path: $.items, status: $.code, ok: 2xx, error: $.text}",
            {"items": [{"code": 204}, {"code": 500, "text": "oops"}, {"code": 301}]},
            [("2", "500", "oops."), ("3", "400", "The answer says '301', not '2xx'.")],
        ),
    ],
)  # fmt: skip
def test_a_manifest_says_where_items_have_verdicts(tmp_path: Any, results: str, answer: Any, failed: Any) -> None:
    with raw_server(http("200 OK", json.dumps(answer).encode(), JSON)) as (base, _):
        result = run(own(tmp_path, ITEMS.replace("RESULTS", results), base), "go")
    assert result.status is Status.PARTIAL
    assert [(entry.item, entry.status_code, entry.message) for entry in result.errors] == failed
    assert result.raw_data == answer


def test_a_change_that_the_answer_does_not_show_is_not_passed(world: World) -> None:
    told = {"incident": {"id": "Q1", "status": "triggered"}}
    with raw_server(http("200 OK", json.dumps(told).encode(), JSON)) as (base, _):
        world.add(base)
        result = world.run("update_incident", {"incident_id": "Q1", "status": "resolved"})
        other = world.run("update_incident", {"incident_id": "Q1", "title": "t"})
    assert (result.status, result.errors[0].kind) == (Status.FAILED, "not_confirmed")
    assert "'triggered', not 'resolved'" in result.errors[0].message
    assert other.status is Status.PASSED


# Verify


Route = Callable[[str, str], tuple[int, Any]]


def judged(world: World, route: Route, command: str = "resolve_event", timeout: float | None = None) -> Any:
    """Run a verified change against answers by method and path."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route as Path

    async def answer(request: Request) -> Response:
        status, body = route(request.method, request.url.path)
        return HTMLResponse(body, status) if isinstance(body, str) else JSONResponse(body, status)

    with serving_app(Starlette(routes=[Path("/{path:path}", answer, methods=["GET", "POST"])])) as base:
        world.add(base)
        return world.run(command, {"dedup_key": "k", "verify": True, "verify_seconds": 1}, timeout=timeout)


def accepted(method: str, _path: str) -> tuple[int, Any] | None:
    return (202, {"status": "success", "dedup_key": "k"}) if method == "POST" else None


@pytest.mark.parametrize(
    "look", [(403, {"error": {"code": 2010, "message": "No"}}), (404, "<html><title>Log in</title></html>"), (401, {}),
             (429, {}), (500, {}), (200, "<html><title>Log in</title></html>"), (200, {"other": 1})]
)  # fmt: skip
@pytest.mark.parametrize("command", ["resolve_event", "acknowledge_event"])
def test_what_was_accepted_stays_where_the_look_fails(world: World, look: tuple[int, Any], command: str) -> None:
    result = judged(world, lambda method, path: accepted(method, path) or look, command)
    assert result.status is Status.PARTIAL
    assert result.raw_data == {"status": "success", "dedup_key": "k", "confirmed": False}
    (entry,) = result.errors
    assert entry.message.startswith("The event was accepted; its effect was not seen")
    assert (result.effect, entry.effect) == ("done", "done")


def test_what_was_accepted_stays_where_the_deadline_ends_the_look(tmp_path: Any) -> None:
    with pagerduty_sandbox() as sandbox:
        world = World(tmp_path / "home")
        world.add(sandbox.base)
        sandbox.options["api_key"] = None
        world.run("create_event", {**EVENT, "dedup_key": "k"})
        sandbox.account.open_alerts.clear()  # PagerDuty has not handled the event yet
        result = world.run("resolve_event", {"dedup_key": "k", "verify": True, "verify_seconds": 60}, timeout=2)
    assert result.status is Status.PARTIAL
    assert result.raw_data["dedup_key"] == "k"
    assert "accepted" in result.errors[0].message


@pytest.fixture
def twins(world: World, sandbox: Sandbox) -> World:
    """Two services, each with an integration key; the dedup key `k` was triggered through both."""
    world.add(sandbox.base, secrets={"integration_key": None, "integration_keys": {"a": "a" * 32, "b": BETA}})
    for name in ("a", "b"):
        assert world.run("create_event", {**EVENT, "dedup_key": "k", "integration_key_name": name}).status == "Passed"
    return world


def service_of(sandbox: Sandbox, number: int) -> str:
    return str(list(sandbox.account.services)[number])


VERIFY = {"dedup_key": "k", "verify": True, "verify_seconds": 1}


def test_another_services_alert_confirms_nothing(twins: World, sandbox: Sandbox) -> None:
    lost = {place: one for place, one in sandbox.account.open_alerts.items() if place[0] != BETA}
    sandbox.account.open_alerts = lost  # what goes through b has no effect
    sandbox.account.take({"routing_key": "a" * 32, "dedup_key": "k", "event_action": "resolve"})
    result = twins.run("resolve_event", {**VERIFY, "integration_key_name": "b"})
    assert result.status is Status.PARTIAL
    assert result.raw_data["confirmed"] is False


def test_services_named_in_the_connection_tell_them_apart(twins: World, sandbox: Sandbox) -> None:
    first = twins.run("resolve_event", {**VERIFY, "integration_key_name": "a"})
    assert first.status is Status.PARTIAL
    assert "not confirmed" in first.errors[0].message
    assert "Service" in first.errors[0].assistance
    ids = {"a": service_of(sandbox, 0), "b": service_of(sandbox, 1)}
    twins.use(lambda host: host.connections.edit("prod", Change(parameters={"service_ids": ids})))
    assert twins.run("resolve_event", {**VERIFY, "integration_key_name": "a"}).raw_data["confirmed"] is True
    ids["b"] = "PNOSUCHSERVICE"
    twins.use(lambda host: host.connections.edit("prod", Change(parameters={"service_ids": ids})))
    elsewhere = twins.run("resolve_event", {**VERIFY, "integration_key_name": "b"})
    assert (elsewhere.status, elsewhere.errors[0].status_code) == (Status.FAILED, "2100")


def test_one_alert_of_two_is_confirmed_while_its_incident_stays_open(prod: World, sandbox: Sandbox) -> None:
    prod.run("create_event", {**EVENT, "dedup_key": "k"})
    prod.run("create_event", {**EVENT, "dedup_key": "k2"})
    (first,) = [one for one in sandbox.account.incidents.values() if one.data["incident_key"] == "k"]
    (second,) = [one for one in sandbox.account.incidents.values() if one.data["incident_key"] == "k2"]
    (alert,) = sandbox.account.alerts.pop(second.data["id"])  # as alert grouping does it
    alert.data["incident"] = {**alert.data["incident"], "id": first.data["id"]}
    sandbox.account.alerts[first.data["id"]].append(alert)
    del sandbox.account.incidents[second.data["id"]]
    before = len(sandbox.requests)
    result = prod.run("resolve_event", {**VERIFY, "dedup_key": "k2"})
    assert (result.status, result.raw_data["confirmed"]) == (Status.PASSED, True)
    assert first.data["status"] == "triggered"
    assert len(sandbox.requests) - before <= 11  # two looks of at most five, and the event


# Integration keys that come and go


def test_a_key_that_is_added_strands_no_open_alert(world: World, sandbox: Sandbox) -> None:
    keys = {"one": "1" * 32, "two": "2" * 32}
    world.add(sandbox.base, secrets={"integration_key": None, "integration_keys": keys})
    names = [f"k{number}" for number in range(12)]
    for name in names:
        world.run("create_event", {**EVENT, "dedup_key": name})
    more = {**keys, **{name: name[0] * 32 for name in ("third", "fourth", "vth")}}
    world.use(lambda host: host.connections.edit("prod", Change(secrets={"integration_keys": more})))
    results = [world.run("resolve_event", {"dedup_key": name}) for name in names]
    assert {result.status for result in results} == {Status.PASSED}
    assert {one.data["status"] for one in sandbox.account.incidents.values() if one.data["incident_key"] in names} == {
        "resolved"
    }
    moved = [result for result in results if len(result.raw_data["integration_keys"]) == 2]
    assert moved, "some dedup keys fall to a new key"
    assert {key["status"] for result in moved for key in result.raw_data["integration_keys"]} == {"success"}
    assert all(len(result.raw_data["integration_keys"]) <= 2 for result in results)
    named = world.run("resolve_event", {"dedup_key": "k1", "integration_key_name": "vth"})
    assert [key["name"] for key in named.raw_data["integration_keys"]] == ["vth"]


@pytest.mark.parametrize(("days", "sent"), [(29, 2), (31, 1)])
def test_former_keys_are_asked_for_thirty_days(world: World, sandbox: Sandbox, days: int, sent: int) -> None:
    old = {"names": ["two"], "until": (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).isoformat()}
    keys = {"one": "1" * 32, "two": "2" * 32}
    parameters = {"former_integration_keys": [old]}
    world.add(sandbox.base, parameters=parameters, secrets={"integration_key": None, "integration_keys": keys})
    counts = set()
    for number in range(12):
        before = len(sandbox.account.events)
        world.run("resolve_event", {"dedup_key": f"k{number}"})
        counts.add(len(sandbox.account.events) - before)
    assert max(counts) == sent


def test_the_single_key_and_a_key_that_is_gone_are_remembered(world: World, sandbox: Sandbox) -> None:
    world.add(sandbox.base)
    change = Change(secrets={"integration_keys": {"new": BETA}}, remove_secrets=("integration_key",))
    world.use(lambda host: host.connections.edit("prod", change))
    result = world.run("resolve_event", {"dedup_key": "k"})
    assert [event["routing_key"] for event in sandbox.account.events] == [BETA]
    assert any("'default'" in note for note in result.notes)
    back = Change(secrets={"integration_key": INTEGRATION_KEY})
    world.use(lambda host: host.connections.edit("prod", back))
    shown = world.use(lambda host: host.connections.show("prod"))["parameters"]["former_integration_keys"]
    assert [one["names"] for one in shown] == [["integration_key"], ["new"]]


# The dedup key that the host chose


@pytest.mark.parametrize(
    ("answer", "effect"),
    [(None, "unknown"), (http("500 Oops", b""), "unknown"), (http("400 Bad", b"{}"), "none"),
     (http("202 Accepted", b"<html>", "Content-Type: text/html"), "done")],
)  # fmt: skip
def test_the_chosen_dedup_key_is_told_whatever_becomes_of_the_event(
    tmp_path: Any, answer: bytes | None, effect: str
) -> None:
    with raw_server(answer) as (base, received):
        world = World(tmp_path / "home")
        world.add(base)
        result = world.run("create_event", EVENT, timeout=2)
    key = json.loads(received[0].partition(b"\r\n\r\n")[2])["dedup_key"]
    assert result.status is Status.FAILED
    assert result.raw_data == {"dedup_key": key}
    assert result.key_fields == {"DedupKey": [key]}
    assert (result.effect, result.errors[0].effect) == (effect, effect)
    assert (key in result.errors[0].assistance) == (effect == "unknown")


def test_an_answer_without_the_key_does_not_make_it_forgotten(world: World) -> None:
    body = b'{"status": "success", "message": "ok", "dedup_key": null}'
    with raw_server(http("202 Accepted", body, JSON)) as (base, _):
        world.add(base)
        result = world.run("create_event", {**EVENT, "dedup_key": "mine"})
    assert result.key_fields == {"DedupKey": ["mine"]}


# Bulks: each id is done, failed, unknown or not tried


IDS = [f"Q{number}" for number in range(600)]


def resolved(request: bytes) -> bytes:
    asked = json.loads(request.partition(b"\r\n\r\n")[2])["incidents"]
    told = {"incidents": [{**one, "status": "resolved"} for one in asked]}
    return http("200 OK", json.dumps(told).encode(), JSON)


def bulk(world: World, *answers: Any, ids: list[str] = IDS, timeout: float | None = None) -> tuple[Any, list[bytes]]:
    """Resolve ids; each answer is bytes, or a function of the request."""
    received: list[bytes] = []

    def turn(answer: Any) -> Any:
        return (lambda: answer(received[-1])) if callable(answer) else answer

    with raw_server(*map(turn, answers)) as (base, received_here):
        received = received_here
        world.add(base)
        return world.run("resolve_incidents", {"incident_ids": ids}, timeout=timeout), received_here


PAGE = http("502 Bad Gateway", b"<html><title>Bad Gateway</title></html>", "Content-Type: text/html")


@pytest.mark.parametrize(
    ("second", "timeout", "effects"),
    [
        (b"", None, {"unknown", "none"}),
        (None, 2, {"unknown", "none"}),
        (PAGE, None, {"unknown", "none"}),
        (http("429 Too Many", b"", "Retry-After: 5000"), 60, {"none"}),
        (http("401 No", b'{"error": {"code": 2006, "message": "No"}}', JSON), None, {"none"}),
    ],
)
def test_every_id_of_a_bulk_is_told_of_once(tmp_path: Path, second: Any, timeout: Any, effects: set[str]) -> None:
    world = World(tmp_path / "home") if timeout else World(tmp_path / "home", clock=FastClock())
    result, _ = bulk(world, resolved, second, timeout=timeout)
    done = [one["id"] for one in result.raw_data["incidents"]]
    others = [entry.item for entry in result.errors]
    assert result.status is Status.PARTIAL
    assert sorted([*done, *others]) == sorted(IDS)
    assert len(done) == 250
    assert {entry.effect for entry in result.errors} == effects
    untried = [entry for entry in result.errors if entry.effect == "none" and "not tried" in entry.message]
    assert len(untried) >= (100 if effects == {"none"} or "none" in effects else 0)


REFUSALS = [
    http("400 Bad", b'{"error": {"code": 1028, "message": "Account is read only"}}', JSON),
    http("400 Bad", b'{"error": {"code": 2001, "message": "Invalid", "errors": ["params must be a Hash"]}}', JSON),
    http("404 Not Found", b"<html><title>Nothing here</title></html>", "Content-Type: text/html"),
    http("403 Forbidden", b'{"error": {"code": 2010, "message": "Access Denied"}}', JSON),
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_of_the_request_is_not_halved_down_to_each_id(world: World, refusal: bytes) -> None:
    result, received = bulk(world, refusal, ids=IDS[:64])
    assert result.status is Status.FAILED
    assert sorted(str(entry.item) for entry in result.errors) == sorted(IDS[:64])
    assert len(received) <= 5
    assert "Incident Not Found" not in str(result.errors)


def picky(bad: set[str], body: bytes) -> Callable[[bytes], bytes]:
    def answer(request: bytes) -> bytes:
        asked = {one["id"] for one in json.loads(request.partition(b"\r\n\r\n")[2])["incidents"]}
        return http("400 Bad", body, JSON) if asked & bad else resolved(request)

    return answer


@pytest.mark.parametrize(
    "body",
    [b'{"error": {"code": 2100, "message": "Not Found"}}', b'{"error": {"code": 2001, "message": "Invalid"}}',
     b'{"error": {"code": 5001, "message": "Incident Not Found"}}'],
)  # fmt: skip
@pytest.mark.parametrize("ids", [["bad1", "Q1", "Q2", "bad2"], [*IDS[:7], "bad1", *IDS[7:40], "bad2", *IDS[40:50]]])
def test_two_bad_ids_hide_none_of_the_good(world: World, body: bytes, ids: list[str]) -> None:
    result, _ = bulk(world, picky({"bad1", "bad2"}, body), ids=ids)
    assert {entry.item for entry in result.errors} == {"bad1", "bad2"}
    assert {one["id"] for one in result.raw_data["incidents"]} == set(ids) - {"bad1", "bad2"}


def test_an_answer_that_names_another_status_is_held_against_what_was_asked(world: World) -> None:
    told = b'{"incidents": [{"id": "Q1", "status": "triggered"}, {"id": "Q2", "status": "resolved"}]}'
    result, _ = bulk(world, http("200 OK", told, JSON), ids=["Q1", "Q2"])
    assert result.status is Status.PARTIAL
    assert [(entry.item, entry.kind) for entry in result.errors] == [("Q1", "not_confirmed")]


BULK = """\
  sweep:
    title: Sweep
    collect: swept
    answers_for: ids
    input: {required: [ids], properties: {ids: {title: IDs, type: array, items: {type: string}}}}
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("yield Item('a', 1)\n", "did not say"),
        ("yield Item('a', 1)\n    raise Failed('the rest is lost')\n", "the rest is lost"),
        ("yield Item('a', 1)\n    await call.request('GET', '/x')\n", "Not Found"),
        ("yield Item('a', 1)\n    await call.sleep(100)\n", "time allowed"),
    ],
)
@pytest.mark.parametrize("isolation", ["", "isolation: process\n"])
def test_the_host_sees_to_it_that_every_element_is_told_of(
    tmp_path: Any, body: str, words: str, isolation: str
) -> None:
    from tests.own import HEAD

    code = f"\n@command\nasync def sweep(call, ids):\n    {body}"
    with raw_server(http("404 Not Found", b"")) as (base, _):
        world = own(tmp_path, BULK, base, code=code, head=HEAD.replace("commands:", f"{isolation}commands:"))
        result = run(world, "sweep", {"ids": ["a", "b", "c", "b"]}, seconds=3)
    assert result.status is Status.PARTIAL
    assert [entry.item for entry in result.errors if entry.item] == ["b", "c"]
    assert words in str(result.errors)


# A DELETE that is repeated


@pytest.mark.parametrize("first", [b"", http("503 Unavailable", b"")])
def test_the_repeat_of_an_own_delete_that_finds_nothing_is_done(world: World, first: bytes) -> None:
    gone = http("404 Not Found", b'{"error": {"code": 2100, "message": "Not Found"}}', JSON)
    with raw_server(first, gone) as (base, received):
        world.add(base)
        result = world.run("delete_team", {"team_ids": ["T1"]})
    assert len(received) == 2
    assert (result.status, result.effect) == (Status.PASSED, "done")


@pytest.mark.parametrize(
    "answers",
    [
        [http("404 Not Found", b'{"error": {"code": 2100, "message": "Not Found"}}', JSON)],
        [http("429 Too Many", b""), http("404 Not Found", b'{"error": {"code": 2100, "message": "Not Found"}}', JSON)],
        [b"", http("404 Not Found", b"<html><title>Nothing</title></html>", "Content-Type: text/html")],
    ],
)
def test_a_delete_of_what_is_not_there_is_not_done(world: World, answers: list[bytes]) -> None:
    with raw_server(*answers) as (base, _):
        world.add(base)
        result = world.run("delete_team", {"team_ids": ["T1"]}, timeout=100)
    assert result.status is Status.FAILED


def test_good_statuses_are_a_class_of_three_digits() -> None:
    from connector_host.model.requests import ItemResults
    from connector_host.running.item_results import ItemVerdicts

    verdicts = ItemVerdicts(ItemResults(path="$[*]", status="$.status", ok=("2xx",)))
    failed, good = verdicts.failures([{"status": one} for one in (200, "204", 2001, "2 errors", 2, -2)], {})
    assert (len(failed), good) == (4, 2)


def test_an_override_that_is_taken_and_refused_at_once_is_not_passed(world: World) -> None:
    both = {"status": 201, "errors": ["Override must end in the future"], "override": {"id": "O1"}}
    with raw_server(overrides(both)) as (base, _):
        world.add(base)
        result = world.run("create_schedule_override", OVERRIDE)
    assert (result.status, result.errors[0].effect) == (Status.FAILED, "unknown")
    assert "must end in the future" in result.errors[0].message
