"""Whatever a server does becomes one clear failure: any bytes at all give a result."""

import gzip
import json
import random
import socket
import time
from typing import Any

import pytest

from connector_host.model.result import Result, Status
from tests.host.test_inputs import GOOD
from tests.world import SHARED, FastClock, World, http, raw_server

JSON = "Content-Type: application/json"


def list_users(world: World, *answers: bytes | None, timeout: float | None = None) -> Result:
    with raw_server(*answers) as (base, _):
        world.point_to(base)
        return world.run("list_users", timeout=timeout)


def ok(body: bytes, *headers: str) -> bytes:
    return http("200 OK", body, *headers)


CASES: list[tuple[str, bytes, str, str, str]] = [
    # what, answer, status code, beginning of the message, in detail or assistance
    ("not JSON", ok(b"hello", JSON), "502", "The server's answer is not JSON.", "Check the server URL"),
    ("empty", ok(b"", JSON), "502", "The server's answer is not JSON.", "Check the server URL"),
    ("not text", ok(b"\xff\xfe\x00", JSON), "502", "The server's answer is not JSON.", "not UTF-8"),
    ("cut", ok(b'{"users": [{"id"', JSON), "502", "The server's answer is not JSON.", "Expecting"),
    ("trailing", ok(b'{"users": []} x', JSON), "502", "The server's answer is not JSON.", "Extra data"),
    ("NaN", ok(b'{"users": [], "x": NaN}', JSON), "502", "The server's answer is not JSON.", "NaN"),
    ("deep", ok(b'{"users": ' + b"[" * 100_000, JSON), "502", "The server's answer is not read", "Ask for less"),
    ("login page", ok(b"<!DOCTYPE html><html><head><title>Sign in</title>", "Content-Type: text/html"), "502", "The server answered with an HTML page ('Sign in'), not with JSON.", "login page"),
    ("another shape", ok(b'{"people": []}', JSON), "502", "The server's answer does not have the promised shape", "API version"),
    ("a list", ok(b"[]", JSON), "502", "The server's answer does not have the promised shape", "API version"),
    ("users an object", ok(b'{"users": {}}', JSON), "502", "The server's answer does not have the promised shape", "API version"),
    ("error as text", http("400 Bad Request", b'{"error": "text"}', JSON), "400", "text.", ""),
    ("401 without a body", http("401 Unauthorized", b"", "Content-Type: text/html"), "401", "Unauthorized.", "Region"),
    ("403", http("403 Forbidden", b'{"error":{"code":2010,"message":"Access Denied"}}', JSON), "2010", "Access Denied.", "permissions"),
    ("404", http("404 Not Found", b'{"error":{"code":2100,"message":"Not Found"}}', JSON), "2100", "Not Found.", "identifier"),
    ("a page for an error", http("502 Bad Gateway", b"<html>oops</html>", "Content-Type: text/html"), "502", "A gateway, a proxy or another server answered 502 with a page", "127.0.0.1"),
    ("an unknown status", http("599 Odd", b"", JSON), "599", "The server answered with status 599.", ""),
    ("a 3xx without a place", http("304 Not Modified", b""), "502", "The server answered with status 304", ""),
    ("not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "502", "127.0.0.1", "Check the server URL and port"),
    ("nothing", b"", "503", "127.0.0.1", "Check the server URL"),
    ("cut short", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "503", "The connection to 127.0.0.1", "It ended early"),
    ("odd packing", ok(b"xx", "Content-Encoding: br"), "502", "The answer is packed as 'br'", ""),
    ("damaged packing", ok(b"xx", "Content-Encoding: gzip"), "502", "The answer's packing is damaged.", ""),
    ("too large", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "502", "The answer announces 99999999999 bytes", "Narrow"),
    ("a bomb", ok(gzip.compress(b"0" * 200_000_000, 9), "Content-Encoding: gzip"), "502", "The answer unpacks to over", "Narrow"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "code", "message", "hint"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_bad_answers(world: World, answer: bytes, code: str, message: str, hint: str) -> None:
    result = list_users(world, answer)
    assert result.status is Status.FAILED
    [entry] = result.errors
    assert entry.status_code == code
    assert entry.message.startswith(message)
    assert hint in f"{entry.detail} {entry.assistance}"


SHAPES = [b"[]", b"7", b'"text"', b"{}", b"null", b'{"incidents": 7, "users": null, "schedules": {}, "abilities": "all", "alerts": 1}', b'{"incidents": [7, null, []], "users": ["x"], "schedules": [1], "abilities": [1], "alerts": [[]], "contact_methods": [1]}']  # fmt: skip
VERIFIED = {"dedup_key": "k", "verify": True, "verify_seconds": 1}
CALLS: dict[str, Any] = {**GOOD, "acknowledge_event": VERIFIED, "resolve_event": VERIFIED}


@pytest.mark.parametrize("command", CALLS)
def test_json_of_another_shape_is_never_a_bug(world: World, command: str) -> None:
    answers = [b""]
    with raw_server(lambda: ok(answers[0])) as (base, _):
        world.add(base)

        async def each_shape(host: Any) -> None:
            for answers[0] in SHAPES:
                result = await host.run("pagerduty", command, "prod", CALLS[command])
                assert "internal" not in {entry.kind for entry in result.errors}, answers
                told = result.errors or command in {"create_event", "test_connection"}
                assert told or command.startswith("delete_"), answers

        world.use(each_shape)


def test_json_counts_whatever_the_content_type_says(world: World) -> None:
    for headers in ([], ["Content-Type: text/plain"], ["Content-Type: application/json; charset=utf-8"]):
        result = list_users(world, ok(b'\xef\xbb\xbf{"users": [], "more": false}', *headers))
        assert result.status is Status.PASSED


def test_packed_answers_are_unpacked(world: World) -> None:
    body = gzip.compress(b'{"users": [{"id": "P1"}]}')
    result = list_users(world, ok(body, "Content-Encoding: gzip"))
    assert result.raw_data == {"users": [{"id": "P1"}]}


def test_half_characters_are_mended(world: World) -> None:
    result = list_users(world, ok(b'{"users": [{"id": "P1", "name": "\\ud800x"}]}'))
    assert result.raw_data == {"users": [{"id": "P1", "name": "�x"}]}


def test_a_record_that_is_not_as_promised_is_told_and_kept(world: World) -> None:
    result = list_users(world, ok(b'{"users": [{"id": "P1"}, {"id": 7}]}'))
    assert result.status is Status.PARTIAL
    assert len(result.raw_data["users"]) == 2
    assert (result.errors[0].item, result.errors[0].kind) == ("$.users[1].id", "unexpected_reply")
    assert "must be text, not a whole number" in result.errors[0].detail


def test_any_bytes_at_all_give_a_result(world: World) -> None:
    chance = random.Random(7)
    seeds = [ok(b'{"users": [{"id": "P1"}], "more": false}', JSON), http("500 Oops", b"{}", JSON), b""]

    def spoilt() -> bytes:
        answer = bytearray(chance.choice(seeds) + bytes(chance.randrange(256) for _ in range(chance.randrange(20))))
        for _ in range(chance.randrange(6)):
            if answer:
                answer[chance.randrange(len(answer))] = chance.randrange(256)
        return bytes(answer)

    with raw_server(spoilt) as (base, _):
        world.point_to(base)
        for _ in range(120):
            assert world.run("list_users", timeout=5).status in set(Status)


def test_refused_connections_say_so(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    world.add(f"http://127.0.0.1:{port}")
    [entry] = world.run("list_users").errors
    assert (entry.kind, entry.status_code) == ("unreachable", "503")
    assert "refuses connections" in entry.message


def test_a_name_that_does_not_resolve(world: World) -> None:
    world.add("https://api.pagerduty.invalid")
    [entry] = world.run("list_users").errors
    assert "api.pagerduty.invalid cannot be resolved" in entry.message
    assert "DNS" in entry.assistance


def test_a_server_that_never_answers_is_cut_off_by_the_deadline(tmp_path: Any) -> None:
    world = World(tmp_path)
    begun = time.monotonic()
    result = list_users(world, None, timeout=0.5)
    assert time.monotonic() - begun < 5
    assert (result.status, result.errors[0].kind) == (Status.FAILED, "timeout")


def test_a_server_that_drips_is_cut_off_by_the_deadline(tmp_path: Any) -> None:
    import threading

    world = World(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        wire, _ = listener.accept()
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not stop.wait(0.1):
            try:
                wire.sendall(b" ")
            except OSError:
                break
        wire.close()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    world.add(f"http://127.0.0.1:{listener.getsockname()[1]}")
    begun = time.monotonic()
    result = world.run("list_users", timeout=0.5)
    stop.set()
    thread.join()
    listener.close()
    assert time.monotonic() - begun < 5
    assert result.errors[0].kind == "timeout"


def test_a_connection_that_is_never_accepted_is_cut_off(tmp_path: Any) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    full = [socket.socket() for _ in range(4)]
    for wire in full:
        wire.setblocking(False)
        wire.connect_ex(listener.getsockname())
    world = World(tmp_path)
    world.add(f"http://127.0.0.1:{listener.getsockname()[1]}")
    begun = time.monotonic()
    result = world.run("list_users", timeout=0.7)
    for wire in [*full, listener]:
        wire.close()
    assert time.monotonic() - begun < 5
    assert result.errors[0].kind in {"timeout", "unreachable"}


BODIES = SHARED / "pagerduty" / "error-bodies.json"


@pytest.mark.skipif(not BODIES.exists(), reason="PagerDuty's recorded answers are not published with the product")
def test_recorded_answers_of_pagerduty(world: World, clock: FastClock) -> None:
    for index, case in enumerate(json.loads(BODIES.read_text("utf-8"))):
        if case["status"] < 400 or "message_only" in case:
            continue
        body = json.dumps(case["body"]).encode() if "body" in case else case["body_text"].encode()
        headers = [f"{name}: {value}" for name, value in case.get("headers", {}).items()]
        own = World(world.home / str(index), clock=clock)
        answer = http(f"{case['status']} X", body, *headers)
        with raw_server(answer) as (base, received):
            own.add(base)
            command, inputs = ("list_users", {}) if case["api"] == "rest" else ("create_event", EVENT)
            [entry] = own.run(command, inputs).errors
        code = case.get("body", {}).get("error")
        code = code.get("code") if isinstance(code, dict) else None
        assert entry.status_code == str(code or case["status"]), case
        assert entry.http_status == case["status"]
        for words in _words(case.get("body", {})):
            assert words.strip().rstrip(".") in f"{entry.message} {entry.detail}".replace("  ", " "), case
        assert len(received) == (4 if case["status"] == 429 else 1)


EVENT = {"summary": "s", "severity": "Info", "source": "s"}


def _words(body: Any) -> list[str]:
    """Every sentence that PagerDuty wrote."""
    if isinstance(body, str):
        return [" ".join(body.split())]
    if isinstance(body, list):
        return [words for child in body for words in _words(child)]
    if isinstance(body, dict):
        return [words for key, child in body.items() if key != "status" for words in _words(child)]
    return []
