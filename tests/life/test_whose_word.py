"""Who is speaking: the product, a gateway or proxy on the way, or nobody; and what the host tells of its own waits."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connector_host import Result, Status
from connector_host.http.refusals import Refusals
from connector_host.model.requests import Server
from connector_host.ports.parts import Reply
from tests.own import HEAD, own, run
from tests.world import SHARED, FastClock, World, http, pagerduty_sandbox, raw_server

PAGE = b"<!DOCTYPE html><html><head><title>Access  Blocked</title></head><body>by the gateway</body></html>"
HTML = "Content-Type: text/html"
GO = "  go: {title: Go, request: {server: api, method: POST, path: /go}}\n"


@contextmanager
def pagerduty_answers(world: World, *answers: bytes) -> Iterator[list[bytes]]:
    with raw_server(*answers) as (base, received):
        world.add(base, parameters={"rest_requests_per_minute": 900})
        yield received


def said(result: Result) -> str:
    return " ".join(map(str, result.errors))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 500, 502, 503])
@pytest.mark.parametrize(("command", "inputs"), [("get_user", {"user_ids": ["P1"]}), ("list_users", {})])
def test_a_gateways_page_is_not_the_products_word(
    world: World, status: int, command: str, inputs: dict[str, Any]
) -> None:
    with pagerduty_answers(world, http(f"{status} No", PAGE, HTML)):
        result = world.run(command, inputs)
        (entry,) = result.errors
        health = world.use(lambda host: host.connections.show("prod"))["health"]
    assert (result.status, entry.kind, entry.http_status) == (Status.FAILED, "gateway", status)
    assert "Access Blocked" in entry.message
    assert "127.0.0.1" in entry.detail
    for word in ("API Key", "role", "identifier", "Region", "User ID"):
        assert word not in said(result)
    assert not health["attention"]
    assert entry.retryable == (status >= 500)


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf\n <html><body>x",
        b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C'><html><title>t</title>",
        b"<!-- branded --><HTML><BODY>Forbidden",
        b"<head><title>t</title></head>",
    ],
)
def test_a_page_is_a_page_however_it_begins(world: World, body: bytes) -> None:
    with pagerduty_answers(world, http("403 Forbidden", body, HTML)):
        assert world.run("list_users").errors[0].kind == "gateway"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (http("403 Forbidden", b'{"blocked": true, "policy": 7}', "Content-Type: application/json"), "policy: 7"),
        (http("503 Unavailable", b"no healthy upstream", "Content-Type: text/plain"), "no healthy upstream"),
        (http("403 Forbidden", b'{"error": {"message": "Login"}}', 'Proxy-Authenticate: Basic realm="x"'), "Login"),
        (http("504 Timeout", b"", "X-Squid-Error: ERR_READ_TIMEOUT 0"), "504"),
    ],
)
def test_what_no_refusal_of_the_product_looks_like_is_a_gateways(world: World, answer: bytes, word: str) -> None:
    with pagerduty_answers(world, answer):
        (entry,) = world.run("list_users", timeout=3).errors
    assert entry.kind == "gateway"
    assert word in entry.message


def test_an_empty_refusal_may_be_either_ones_and_both_are_said(world: World) -> None:
    with pagerduty_answers(world, http("403 Forbidden", b"")):
        (entry,) = world.run("list_users").errors
    assert entry.kind == "access_denied"
    assert "role" in entry.assistance
    assert "gateway" in entry.detail


BODIES = SHARED / "pagerduty" / "error-bodies.json"


def recorded() -> list[dict[str, Any]]:
    return json.loads(BODIES.read_text("utf-8")) if BODIES.exists() else []


KINDS = {401: "unauthorized", 404: "not_found", 429: "rate_limited"}


@pytest.mark.skipif(not BODIES.exists(), reason="the recorded bodies are not in this repository")
@pytest.mark.parametrize("one", recorded(), ids=lambda one: one["src"][:40] if isinstance(one, dict) else "")
def test_every_recorded_refusal_of_pagerduty_is_its_own_word(world: World, one: dict[str, Any]) -> None:
    if one["status"] < 400 or "message_only" in one:
        pytest.skip("it is no refusal, or its body was not recorded")
    body = one["body_text"].encode() if "body_text" in one else json.dumps(one["body"]).encode()
    headers = [f"{name}: {value}" for name, value in one.get("headers", {}).items()]
    with pagerduty_answers(world, http(f"{one['status']} No", body, *headers)):
        if one["api"] == "events":
            result = world.run("create_event", {"summary": "s", "severity": "Info", "source": "s"}, timeout=3)
        else:
            result = world.run("list_users", timeout=3)
    entry = result.errors[0]
    assert entry.kind == KINDS.get(one["status"], "rejected"), entry
    for text in texts_of(one.get("body", {})):
        assert " ".join(text.split()).rstrip(".") in f"{entry.message} {entry.detail}", text


def texts_of(body: Any) -> list[str]:
    if isinstance(body, str):
        return [body] if body.strip() else []
    if isinstance(body, list):
        return [text for one in body for text in texts_of(one)]
    told = ("message", "error", "errors")
    return [text for key, one in body.items() if key in told or "." in key for text in texts_of(one)]


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ('"Invalid routing key"', "Invalid routing key", "400"),
        ('["one", "two"]', "one two", "400"),
        ('{"message": "m", "code": 17, "errors": ["e"]}', "m e", "17"),
        ('{"errors": [{"detail": "too long", "field": "name"}]}', "too long", "400"),
        ('{"error": {"code": 2001, "message": "", "errors": ["Name is too long"]}}', "Name is too long", "2001"),
        ('{"error": "invalid_grant", "error_description": "It ran out"}', "invalid_grant It ran out", "400"),
        ('{"title": "Bad", "detail": "Field x", "status": 400}', "Bad Field x", "400"),
        ('{"errors": {"name": ["is taken", "is short"]}}', "name: is taken, is short", "400"),
    ],
)
def test_every_text_that_explains_is_told(world: World, tmp_path: Any, body: str, message: str, code: str) -> None:
    answer = http("400 Bad", body.encode(), "Content-Type: application/json")
    with raw_server(answer) as (base, _):
        own_result = run(own(tmp_path, GO, base, head=HEAD.replace("commands:\n", PATHS)), "go")
    (entry,) = own_result.errors
    for word in message.split():
        assert word in f"{entry.message} {entry.detail}", word
    assert entry.status_code == code
    assert "code:" not in entry.message


PATHS = "errors: {code: [$.error.code, $.code], message: [$.error.message, $.message]}\ncommands:\n"


def test_a_page_in_place_of_an_answer_is_the_kinds_own_code(world: World) -> None:
    with pagerduty_answers(world, http("200 OK", PAGE, HTML)):
        (entry,) = world.run("list_users").errors
    assert (entry.kind, entry.status_code, entry.http_status) == ("unexpected_reply", "502", 200)


def test_the_events_servers_refusal_speaks_of_the_event_url(world: World) -> None:
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base, parameters={"event_url": f"{sandbox.base}/extra"})
        result = world.run("create_event", {"summary": "s", "severity": "Info", "source": "s"})
    assert "Event URL" in said(result)
    assert "identifier" not in said(result)


# Waits: what the server asked, what the host decided, and why.


def test_the_last_real_error_is_told_with_the_deadline_beside(tmp_path: Any) -> None:
    body = b'{"message": "Down for maintenance until four"}'
    with raw_server(http("503 Unavailable", body, "Content-Type: application/json", "Retry-After: 60")) as (base, _):
        commands = "  go: {title: Go, request: {server: api, path: /go}}\n"
        (entry,) = run(own(tmp_path, commands, base), "go", seconds=3).errors
    assert (entry.kind, entry.http_status) == ("server_error", 503)
    assert "maintenance" in f"{entry.message} {entry.detail}"
    assert "asks to wait 60 seconds" in entry.detail
    assert "deadline" in entry.detail


@pytest.mark.parametrize(
    ("headers", "words"),
    [([], "does not say how long to wait; the host would wait 30 seconds"), (["Retry-After: 20"], "wait 20 seconds")],
)
def test_a_throttle_says_who_decided_how_long(tmp_path: Any, headers: list[str], words: str) -> None:
    with raw_server(http("429 Too Many", b"", *headers)) as (base, _):
        (entry,) = run(own(tmp_path, GO, base), "go", seconds=3).errors
    assert entry.kind == "rate_limited"
    assert words in entry.message


@pytest.mark.parametrize("hint", ["ratelimit-reset: 0", "Retry-After: 0", "Retry-After: Wed, 01 Jan 2020 00:00:00 GMT"])
def test_there_is_a_floor_under_every_wait(tmp_path: Any, hint: str) -> None:
    clock = FastClock()
    with raw_server(http("429 Too Many", b"", hint)) as (base, received):
        run(own(tmp_path, GO, base, clock=clock), "go", seconds=60)
    assert len(received) == 4
    assert sum(clock.slept) >= 3


def test_a_window_that_the_server_closed_is_not_told_as_a_limit_used_up(tmp_path: Any) -> None:
    clock = FastClock()
    limited = HEAD.replace('key}"}}}', 'key}"}, limit: {per: key, requests: 900, seconds: 60}}}')
    limited = limited.replace("connection:\n", "retry: {times: 0}\nconnection:\n")
    with raw_server(http("429 Too Many", b"", "Retry-After: 50")) as (base, _):
        world = own(tmp_path, GO, base, clock=clock, head=limited, settings="")

        async def twice(host: Any) -> Any:
            from connector_host import Options

            await host.run("acme", "go", "own")
            return await host.run("acme", "go", "own", options=Options(deadline_seconds=10))

        (entry,) = world.use(twice).errors
    assert "answered 429 before and asked to wait 50 seconds" in entry.message
    assert "900" not in said(world.use(twice))


def test_a_refusal_nested_beyond_all_use_is_told_as_text() -> None:
    for body in (b"[" * 900 + b"]" * 900, b'{"error":' * 400 + b"1" + b"}" * 400):
        told = Refusals(Server("api", "http://127.0.0.1"), "http://127.0.0.1").error(Reply(400, {}, body))
        assert told.failure.http_status == 400
        assert told.failure.message
