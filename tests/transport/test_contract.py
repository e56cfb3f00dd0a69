"""What every transport must do on the wire, each row against a scripted server, for every transport.

The rows come from a comparison of eleven HTTP clients; in each of these some client was found to do otherwise.
"""

import asyncio
import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from connector_host.model.invocation_errors import (
    ConnectionLost,
    DeadlinePassed,
    InvocationError,
    ReplyTooLarge,
    RequestRefused,
    TimedOut,
    UnexpectedReply,
    Unreachable,
)
from connector_host.ports.parts import Tls
from tests.transport.conftest import Opened
from tests.transport.scripted import FIXED, Scripted, answer

pytestmark = pytest.mark.anyio
REFUSED = [
    "length, then chunked", "chunked, then length", "two lengths", "two lengths in one", "a length with a sign",
    "a length beyond numbers", "a length over the bound", "an unknown framing", "a framing with an odd letter",
    "a NUL in a header", "a bare carriage return", "a space before the colon", "a chunk size that overflows",
    "a negative chunk size", "a body cut short", "a chunked body cut short", "another protocol", "no head at all",
    "a switch of protocols", "large headers", "one huge header", "ten thousand headers", "endless interim answers",
    "endless headers", "huge trailers", "large trailers behind a large body", "a huge chunk extension", "a packing nobody asked for",
    "another packing nobody asked for", "a damaged packing", "a packing cut short",
]  # fmt: skip
READ_DIFFERENTLY = {  # by h11, whose numbers have no end and which drops what it knows no use for: one reading still
    ("httpx2", "huge trailers"),
    ("httpx2", "large trailers behind a large body"),
    ("httpx2", "a chunk size that overflows"),
    ("httpx2", "a huge chunk extension"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_an_answer_that_two_readers_would_read_differently_is_refused(opened: Opened, what: str) -> None:
    async with opened() as client:
        if (opened.name, what) in READ_DIFFERENTLY:  # type: ignore[attr-defined]
            with contextlib.suppress(UnexpectedReply, DeadlinePassed):
                assert set((await client.ask(what)).body) <= set(b"okx")
        else:
            fault = await client.fault(what)
            assert isinstance(fault, UnexpectedReply | ConnectionLost), fault
        assert (await client.ask()).body == b"ok"


@pytest.mark.parametrize("what", ["surplus", "surplus a moment later"])
async def test_bytes_behind_an_answer_never_answer_the_next_request(opened: Opened, what: str) -> None:
    async with opened() as client:
        with contextlib.suppress(UnexpectedReply):
            assert (await client.ask(what)).body == b"ok"
        await anyio.sleep(0.15)
        assert (await client.ask()).body == b"ok"
        assert client.server.seen[-1].connection != client.server.seen[0].connection


@pytest.mark.parametrize("what", ["a body cut short", "a chunked body cut short"])
async def test_a_connection_that_ends_within_an_answer_says_so(opened: Opened, what: str) -> None:
    async with opened() as client:
        fault = await client.fault(what)
        assert isinstance(fault, ConnectionLost)
        assert (str(fault), fault.failure.detail) == (f"The connection to {client.host} broke.", "It ended early.")


@pytest.mark.parametrize("what", ["endless interim answers", "endless headers"])
async def test_what_never_becomes_an_answer_is_cut_off_soon(opened: Opened, what: str) -> None:
    async with opened() as client:
        await client.fault(what)
        await anyio.sleep(0.1)
        assert client.server.written[0] < 8 << 20  # what the system's buffers take in, and little more


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("packed", b"hello"), ("trailers", b"ok"), ("until the end", b"hello"), ("an interim answer", b"ok"),
        ("a header of 12 KB", b"ok"), ("in tiny chunks", b"a" * 20_000),
    ],
)  # fmt: skip
async def test_what_is_well_is_read(opened: Opened, what: str, body: bytes) -> None:
    async with opened() as client:
        reply = await client.ask(what)
        assert (reply.status, reply.body) == (200, body)
        assert "x-t" not in reply.headers, "trailers are no headers"
        assert (await client.ask()).body == b"ok"


async def test_answers_without_a_body_end_with_their_head(opened: Opened) -> None:
    async with opened() as client:
        replies = [await client.ask("head", method="HEAD"), await client.ask("no content")]
        replies += [await client.ask("not modified"), await client.ask()]
        assert [(one.status, one.body) for one in replies] == [(200, b""), (204, b""), (304, b""), (200, b"ok")]


@pytest.mark.parametrize("what", ["folded", "bare line feeds"])
async def test_http_of_the_old_kind_is_read_by_httpx2_and_refused_with_its_name_by_the_other(
    opened: Opened, what: str
) -> None:
    async with opened() as client:
        if opened.name == "httpx2":  # type: ignore[attr-defined]
            assert (await client.ask(what)).body == b"ok"
        else:
            assert "transport: httpx2" in (await client.fault(what)).failure.assistance


@pytest.mark.parametrize("what", ["of an odd version", "the same length twice"])
async def test_what_is_odd_and_clear_is_read_or_refused_as_a_whole(opened: Opened, what: str) -> None:
    async with opened() as client:
        with contextlib.suppress(UnexpectedReply):
            assert (await client.ask(what)).body == b"ok"
        assert (await client.ask()).body == b"ok"


async def test_a_connection_is_used_again_and_closed_when_its_time_is_over(opened: Opened) -> None:
    async with opened(idle_seconds=0.2) as client:
        for pause in (0, 0.05, 0.4):
            await anyio.sleep(pause)
            await client.ask()
        first, second, third = [one.connection for one in client.server.seen]
        assert (first == second, second == third) == (True, False)


@pytest.mark.parametrize("blind", [False, True])
async def test_a_connection_that_ended_while_idle_is_not_written_to(opened: Opened, blind: bool) -> None:
    async with opened() as client:
        await client.ask("ends while idle")
        if blind:
            time.sleep(0.3)  # noqa: ASYNC251 - the loop sees nothing of it
        else:
            await anyio.sleep(0.3)
        client.server.forget()
        assert (await client.ask(method="POST", body=b"{}")).body == b"ok"
        assert [one.method for one in client.server.seen] == ["POST"]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("what", ["ends on the second", "resets on the second", "no answer"])
async def test_nothing_is_sent_twice_in_secret(opened: Opened, method: str, what: str) -> None:
    async with opened() as client:
        if what != "no answer":
            await client.ask(what)
        client.server.forget()
        fault = await client.fault(what, method=method, body=b"{}" if method == "POST" else None)
        assert isinstance(fault, ConnectionLost), "it may have been received"
        assert [one.method for one in client.server.seen] == [method]


async def test_a_refused_connection_says_that_nothing_was_sent(opened: Opened) -> None:
    async with opened() as client:
        fault = await client.fault(kind="dead")
        assert isinstance(fault, Unreachable)
        assert "refuses connections" in str(fault)


@pytest.mark.parametrize("host", ["no-such-name.invalid", f"{'a' * 70}.invalid"])
async def test_a_name_that_is_unknown_says_so(opened: Opened, host: str) -> None:
    async with opened() as client:
        fault = await client.fault(url=f"http://{host}/x")
        assert isinstance(fault, Unreachable | RequestRefused), "nothing was sent"


async def test_connecting_has_a_time_of_its_own(opened: Opened) -> None:
    async with opened(connect_seconds=0.5) as client:
        begun = time.monotonic()
        fault = await client.fault(kind="full")
        assert isinstance(fault, Unreachable)
        assert "in time" in str(fault)
        assert time.monotonic() - begun < 1.5


async def test_silence_has_a_time_of_its_own(opened: Opened) -> None:
    async with opened(read_seconds=0.5) as client:
        begun = time.monotonic()
        fault = await client.fault("silence")
        assert type(fault) is TimedOut
        assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("what", ["a drip of the body", "a drip of the head", "silence"])
async def test_one_deadline_runs_over_everything(opened: Opened, what: str) -> None:
    async with opened(read_seconds=0.9) as client:
        begun = time.monotonic()
        fault = await client.fault(what, seconds=0.8)
        assert isinstance(fault, DeadlinePassed)
        assert time.monotonic() - begun < 1.4


async def test_a_deadline_while_connecting_says_that_nothing_was_sent(opened: Opened) -> None:
    async with opened() as client:
        assert isinstance(await client.fault(kind="full", seconds=0.3), Unreachable)


async def test_a_cancelled_request_takes_its_connection_along(opened: Opened) -> None:
    async with opened() as client:
        await client.ask()
        with anyio.move_on_after(0.2) as scope:
            await client.ask("silence", seconds=30)
        assert scope.cancelled_caught
        replies = []

        async def one() -> None:
            replies.append((await client.ask()).body)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one)
        assert replies == [b"ok"] * 20


@pytest.mark.parametrize("what", ["big", "big and chunked"])
async def test_a_body_over_its_bound_is_refused(opened: Opened, what: str) -> None:
    async with opened(wire_bytes=1 << 20) as client:
        assert isinstance(await client.fault(what), ReplyTooLarge)
        assert (await client.ask()).body == b"ok"


@pytest.mark.parametrize("what", ["a bomb", "a bomb of another kind"])
async def test_a_packed_body_is_bounded_while_it_unpacks(opened: Opened, what: str) -> None:
    async with opened(body_bytes=8 << 20) as client:
        await client.ask()
        before = _peak(reset=True)
        assert isinstance(await client.fault(what), ReplyTooLarge)
        assert _peak() - before < 40 << 20


def _peak(*, reset: bool = False) -> int:
    """Most memory that this process ever used, in bytes; counted anew from now with `reset`."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the system does not tell")
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


async def test_never_more_connections_are_open_than_allowed(opened: Opened) -> None:
    async with opened(connections=3, idle=3) as client:
        with anyio.fail_after(5):
            while client.server.open:  # noqa: ASYNC110 - what the test before left may still be closing
                await anyio.sleep(0.01)
        highest = 0

        async def one() -> None:
            nonlocal highest
            await client.ask("a moment", seconds=10)
            highest = max(highest, client.server.open)

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(one)
        assert highest <= 3
        await client.ask(url=client.server.url("ok").replace("127.0.0.1", "localhost"))
        await anyio.sleep(0.05)
        assert client.server.open <= 3


async def _here(_host: str, port: int) -> Any:
    return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)


async def test_connections_that_made_room_are_kept_again(opened: Opened) -> None:
    async with opened(resolve=_here, connections=2, idle=2) as client:
        for name in ("a.test", "b.test", "c.test", "d.test"):  # each new origin makes room
            await client.ask(url=client.server.url("ok", host=name))
        client.server.forget()
        for _ in range(3):
            await client.ask(url=client.server.url("ok", host="d.test"))
        assert len({one.connection for one in client.server.seen}) == 1


async def test_who_finds_no_room_in_time_has_sent_nothing(opened: Opened) -> None:
    async with opened(connections=1) as client, anyio.create_task_group() as group:
        group.start_soon(client.ask, "a moment")
        await anyio.sleep(0.05)
        assert isinstance(await client.fault(seconds=0.05), Unreachable)
        assert len(client.server.seen) == 1


async def test_redirects_stay_at_home(opened: Opened) -> None:
    async with opened() as client:
        assert (await client.ask("redirect")).body == b"ok"
        assert [one.path for one in client.server.seen] == ["/s/redirect", "/s/ok"]
        assert "another origin" in str(await client.fault("redirect away"))
        assert "more than 5 times" in str(await client.fault("redirect in circles"))
        client.server.forget()
        assert "redirects a POST" in str(await client.fault("redirect", method="POST", body=b"{}"))
        assert len(client.server.seen) == 1


EVIL: list[dict[str, Any]] = [
    {"headers": {"X-A": "a\r\nX-Evil: 1"}}, {"headers": {"X-A": "a\nX-Evil: 1"}}, {"headers": {"X-A": "a\rX-Evil: 1"}},
    {"headers": {"X-A": "a\0b"}}, {"headers": {"X-A: 1\r\nX-Evil": "b"}}, {"headers": {"X A": "b"}},
    {"headers": {"content-length": "0"}}, {"headers": {"Transfer-Encoding": "chunked"}}, {"headers": {"Expect": "x"}},
    {"headers": {"": "b"}}, {"headers": {"X-A": "\u0161"}},
    {"method": "GET /s/ok HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET"}, {"more": " HTTP/1.1\r\nX-Evil: 1"}, {"more": "?a=\n"},
    {"more": "?a=b c"},
]  # fmt: skip


@pytest.mark.parametrize("how", range(len(EVIL)))
async def test_nothing_in_a_request_can_become_another(opened: Opened, server: Scripted, how: int) -> None:
    facts = dict(EVIL[how])
    facts["url"] = server.url("ok") + facts.pop("more", "")
    async with opened() as client:
        try:
            await client.ask(**facts)
        except InvocationError as fault:
            assert isinstance(fault, RequestRefused)
            assert server.seen == [], "refused before anything went out"
        else:
            assert not {"content-length", "Transfer-Encoding", "Expect"} & dict(facts.get("headers", {})).keys()
        assert all("x-evil" not in one.headers for one in server.seen)
        assert len(server.seen) <= 1


async def test_only_what_was_asked_for_goes_out(opened: Opened, server: Scripted) -> None:
    async with opened() as client:
        await client.ask(method="POST", body=b"{}")
        await client.ask(method="POST")
        await client.ask()
    heads = [{name for name in one.headers if name not in {"host", "x-a"}} for one in server.seen]
    assert heads == [{"content-length"}, {"content-length"}, set()]
    assert [one.headers.get("content-length") for one in server.seen] == ["2", "0", None]


async def test_an_address_that_was_checked_is_the_one_connected_to(opened: Opened, server: Scripted) -> None:
    async with opened(resolve=_here) as client:
        assert (await client.ask(url=server.url("ok", "tls", "api.test"))).body == b"ok"
    assert server.seen[0].headers["host"] == f"api.test:{server.ports['tls']}"
    assert server.names == ["api.test"]


async def test_tls_is_spoken_only_with_who_is_trusted(opened: Opened, server: Scripted) -> None:
    own = server.authority.certificates["self"]
    async with opened() as client:
        assert (await client.ask(kind="tls")).body == b"ok"
        for kind in ("self", "other"):
            fault = await client.fault(kind=kind)
            assert isinstance(fault, Unreachable), "nothing was sent"
            assert "No trusted TLS connection" in str(fault)
    async with opened(Tls(ca_bundle=own)) as client:
        assert (await client.ask(kind="self")).body == b"ok"
        assert isinstance(await client.fault(kind="tls"), Unreachable), "a bundle takes the place of the system's roots"


async def test_a_client_certificate_is_shown(opened: Opened, server: Scripted) -> None:
    made = server.authority
    async with opened(Tls(made.roots, made.certificates["client"], made.keys["client"])) as client:
        assert (await client.ask(kind="mtls")).body == b"ok"
        assert server.seen[0].certificate
    async with opened() as client:
        assert isinstance(await client.fault(kind="mtls"), Unreachable | ConnectionLost)


async def test_a_proxy_of_the_environment_carries_tls(
    opened: Opened, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://us%20er:p%40ss@127.0.0.1:{server.ports['proxy']}")
    async with opened() as client:
        headers = {"Authorization": "Token x"}
        for _ in range(2):
            assert (await client.ask(kind="tls", headers=headers)).body == b"ok"
    assert server.proxied == [(f"localhost:{server.ports['tls']}", True, False)], "once, with its own login alone"


@pytest.mark.parametrize("port", ["proxy", "dead"])
async def test_a_proxy_that_refuses_says_so_and_nothing_was_sent(
    opened: Opened, server: Scripted, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://u:wrong@127.0.0.1:{server.ports[port]}")
    async with opened() as client:
        assert isinstance(await client.fault(kind="tls"), Unreachable)
    assert server.seen == []


async def test_a_proxy_is_for_tls_and_not_for_whom_the_environment_leaves_out(
    opened: Opened, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = f"http://127.0.0.1:{server.ports['dead']}"
    monkeypatch.setenv("HTTPS_PROXY", dead)
    monkeypatch.setenv("HTTP_PROXY", dead)
    async with opened() as client:
        assert (await client.ask()).body == b"ok"
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert (await client.ask(kind="tls")).body == b"ok"


async def test_a_socks_proxy_is_told_where_to_go(
    opened: Opened, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://127.0.0.1:{server.ports['dead']}")
    async with opened() as client:
        fault = await client.fault(kind="tls")
        assert isinstance(fault, RequestRefused | Unreachable), "nothing was sent"
        if opened.name == "lean":  # type: ignore[attr-defined]
            assert "transport: httpx2" in fault.failure.assistance


def test_a_wire_that_goes_on_in_another_loop_connects_anew(opened: Opened) -> None:
    async def twice() -> None:
        async with opened() as client:
            wire.append(client.wire)
            assert (await client.ask()).body == b"ok"
            client.wire = wire[0]

    wire: list[Any] = []
    for _ in range(2):
        asyncio.run(twice())


def test_loops_in_threads_do_not_know_one_another(opened: Opened) -> None:
    failed: list[BaseException] = []

    async def many() -> None:
        async with opened() as client:
            for _ in range(30):
                assert (await client.ask(kind="tls")).body == b"ok"

    def run() -> None:
        try:
            asyncio.run(many())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []


def test_every_fixed_answer_is_asked_for() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [what for what in FIXED if f'"{what}"' not in text] == []


@pytest.mark.parametrize("place", ["/s/ok#part", "/s/ok?a=b%20c", "/s/o k", "/s/caf\u00e9"])
async def test_a_redirect_may_have_a_fragment_or_odd_letters(opened: Opened, server: Scripted, place: str) -> None:
    FIXED["redirect there"] = answer(b"", b"Location: %s\r\n" % place.encode(), b"302 Found")
    try:
        async with opened() as client:
            reply = await client.ask("redirect there")
            assert reply.status in {200, 404}
            assert server.seen[-1].path.startswith("/s/")
            assert "#" not in server.seen[-1].path
    finally:
        del FIXED["redirect there"]


async def test_a_redirect_to_nonsense_is_a_fault_of_the_answer(opened: Opened) -> None:
    FIXED["redirect to nonsense"] = answer(b"", b"Location: http://[::1\r\n", b"302 Found")
    try:
        async with opened() as client:
            assert "another origin" in str(await client.fault("redirect to nonsense"))
    finally:
        del FIXED["redirect to nonsense"]


@pytest.mark.parametrize("proxy", ["http://us:p4ss@proxy:notaport", "http://[::1"])
async def test_a_proxy_that_is_no_address_is_told_without_its_password(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with opened() as client:
        fault = await client.fault(kind="tls")
        assert isinstance(fault, RequestRefused | Unreachable)
        assert "p4ss" not in f"{fault}{fault.failure}"


async def test_a_connection_that_ends_before_it_is_asked_is_told_at_once(opened: Opened) -> None:
    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(close, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, opened(read_seconds=3) as client:
        for _ in range(30):
            begun = time.monotonic()
            assert isinstance(await client.fault(url=f"http://127.0.0.1:{port}/"), ConnectionLost | Unreachable)
            assert time.monotonic() - begun < 1


async def test_what_is_in_use_when_its_wire_is_closed_is_not_kept(opened: Opened, server: Scripted) -> None:
    async with opened() as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.ask, "a moment")
            await anyio.sleep(0.1)
            await client.wire.close()
        await anyio.sleep(0.1)
        before = server.open
    await anyio.sleep(0.1)
    assert server.open == before


@pytest.mark.long
@pytest.mark.parametrize("kind", ["plain", "tls"])
async def test_an_upload_that_moves_is_not_silent(opened: Opened, server: Scripted, kind: str) -> None:
    async with opened(read_seconds=4) as client:
        reply = await client.ask("slowly taken", kind=kind, method="POST", body=b"x" * (32 << 20), seconds=40)
        assert reply.status == 200
