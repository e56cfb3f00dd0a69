"""Declared requests against real servers: authentication, bodies, files, paging, polling, rules, transforms, keys."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector_host.cli.sandbox import serving
from connector_host.model.connection import Change
from connector_host.model.result import Result, Status
from tests.world import FastClock, World

SECRET = "s3cret-of-acme"
Answer = Callable[[Request, bytes], Response]


class Server:
    """A server that remembers what came and answers by a function."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Answer = lambda _request, _body: JSONResponse({"ok": True})
        self.base = ""

    @contextmanager
    def served(self) -> Iterator["Server"]:
        async def all_of_it(request: Request) -> Response:
            body = await request.body()
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            self.seen.append((request.method, target, dict(request.headers), body))
            return self.answer(request, body)

        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        with serving(Starlette(routes=[Route("/{path:path}", all_of_it, methods=methods)])) as base:
            self.base = base
            yield self


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().served() as served:
        yield served


@pytest.fixture
def acme(tmp_path: Path, server: Server, clock: FastClock) -> Callable[..., Result]:
    """Runs one declared command of a plugin made of these parts."""

    def run(
        command: str, inputs: dict[str, Any] | None = None, *, api: str = "", rest: str = "", top: str = ""
    ) -> Result:
        folder = tmp_path / "acme"
        folder.mkdir(exist_ok=True)
        (folder / "manifest.yaml").write_text(
            f"id: acme\nname: Acme\nversion: 1.0.0\nerrors: {{code: $.error.code, message: $.error.message}}\n{top}"
            f"servers:\n  api: {{url: $.connection.url{', ' if api else ''}{api}}}\n"
            "connection:\n  required: [url]\n  properties:\n"
            "    url: {title: URL, type: string}\n    user: {title: User, type: string}\n"
            "    key: {title: Key, type: string, writeOnly: true}\n    refresh: {title: Refresh, type: string, writeOnly: true}\n"
            f"commands:\n  go:\n    title: Go\n{_indented(command)}{rest}"
        )
        (tmp_path / "manifest.yaml").write_text("plugins: [acme]\nsteps: [retry, limit]\n")
        world = World(tmp_path / "home", clock=clock, manifest=tmp_path / "manifest.yaml")
        secrets = {"key": SECRET, "refresh": "refresh-token-1"}
        change = Change(parameters={"url": server.base, "user": "ada"}, secrets=secrets)

        async def work(host: Any) -> Result:
            known = [one.connection.name for one in await host.connections.list()]
            if "prod" not in known:
                await host.connections.add("prod", "acme", change)
            result: Result = await host.run("acme", "go", "prod", inputs)
            return result

        made: Result = world.use(work)
        return made

    return run


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


GET = "request: {server: api, path: /x}"


@pytest.mark.parametrize(
    ("auth", "header", "target"),
    [
        ("{type: basic, username: $.connection.user, password: $.connection.key}", ("authorization", "Basic YWRhOnMzY3JldC1vZi1hY21l"), "/x"),
        ("{type: bearer, token: $.connection.key}", ("authorization", f"Bearer {SECRET}"), "/x"),
        ("{type: header, name: X-Key, value: 'Key {$.connection.key}'}", ("x-key", f"Key {SECRET}"), "/x"),
        ("{type: query, name: api_key, value: $.connection.key}", ("accept-encoding", "gzip"), f"/x?api_key={SECRET}"),
    ],
)  # fmt: skip
def test_authentication(acme: Any, server: Server, auth: str, header: tuple[str, str], target: str) -> None:
    assert acme(GET, api=f"auth: {auth}").status is Status.PASSED
    [(_, came, headers, _)] = server.seen
    assert (came, headers[header[0]]) == (target, header[1])


OAUTH = "auth: {type: oauth2, server: api, path: /token, client_id: $.connection.user, client_secret: $.connection.key, scope: 'read write'}"


def test_oauth_tokens_are_fetched_once_kept_and_fetched_anew_when_refused(acme: Any, server: Server) -> None:
    refused = ["/b"]

    def answer(request: Request, body: bytes) -> Response:
        if request.url.path == "/token":
            return JSONResponse({"access_token": f"token-{len(server.seen)}", "expires_in": 3600})
        assert request.headers["authorization"].startswith("Bearer token-")
        if request.url.path in refused:  # withdrawn before its time, once
            refused.remove(request.url.path)
            return JSONResponse({"error": {"message": "expired"}}, 401)
        return JSONResponse({"said": request.headers["authorization"].partition(" ")[2]})

    server.answer = answer
    each = "input: {properties: {ids: {title: IDs, type: array, items: {type: string}}}}\neach: ids\nrequest: {server: api, path: '/{$.item}'}"
    first = acme(each, {"ids": ["a"]}, api=OAUTH)
    assert first.status is Status.PASSED
    assert (
        server.seen[0][3]
        == b"grant_type=client_credentials&scope=read+write&client_id=ada&client_secret=s3cret-of-acme"
    )
    assert first.raw_data == [{"said": "********"}], "an access token never leaves the host"
    assert acme(each, {"ids": ["b"]}, api=OAUTH).status is Status.PASSED
    assert [one[1] for one in server.seen] == ["/token", "/a", "/token", "/b", "/token", "/b"]


@pytest.mark.parametrize(
    ("life", "pauses", "fetched"),
    [(3600, (3500, 80), 2), (40, (15, 10), 2), (None, (260, 20), 2), ("3600", (3560,), 1)],
)
def test_a_token_is_fetched_anew_shortly_before_it_runs_out(
    acme: Any, server: Server, tmp_path: Path, clock: FastClock, life: Any, pauses: tuple[int, ...], fetched: int
) -> None:
    server.answer = lambda request, _body: JSONResponse(
        {"access_token": "a-token", **({"expires_in": life} if life else {})} if request.url.path == "/token" else {}
    )
    acme(GET, api=OAUTH)
    server.seen.clear()

    async def work(host: Any) -> list[int]:
        counts = []
        for pause in (0, *pauses):
            await clock.sleep(pause)
            await host.run("acme", "go", "prod")
            counts.append(sum(one[1] == "/token" for one in server.seen))
        return counts

    counts = World(tmp_path / "home", clock=clock, manifest=tmp_path / "manifest.yaml").use(work)
    assert counts[-2] == 1, "it still holds"
    assert counts[-1] == fetched


def test_a_refused_oauth_client_is_told_as_such(acme: Any, server: Server) -> None:
    server.answer = lambda _request, _body: JSONResponse({"error": "invalid_client"}, 400)
    result = acme(GET, api=OAUTH)
    assert result.errors[0].kind == "unauthorized"
    assert "gives no access token" in result.errors[0].message
    assert "client secret" in result.errors[0].assistance


def test_a_refresh_token_that_was_replaced_is_stored(acme: Any, server: Server) -> None:
    def answer(request: Request, body: bytes) -> Response:
        if request.url.path == "/token":
            count = sum(one[1] == "/token" for one in server.seen)
            return JSONResponse({"access_token": f"access-{count}", "refresh_token": f"refresh-token-{count + 1}"})
        return JSONResponse({"echo": [f"access-{one} refresh-token-{one + 1}" for one in (1, 2)]})

    server.answer = answer
    auth = "auth: {type: oauth2, grant: refresh_token, server: api, path: /token, client_id: $.connection.user, refresh_token: $.connection.refresh, client_auth: basic, client_secret: $.connection.key}"
    results = [acme(GET, api=auth) for _ in range(2)]
    assert {result.status for result in results} == {Status.PASSED}
    assert "refresh-token-2" not in str(results[0])
    assert "refresh-token-3" not in str(results[1])
    tokens = [one for one in server.seen if one[1] == "/token"]
    assert [one[3] for one in tokens] == [
        b"grant_type=refresh_token&refresh_token=refresh-token-1",
        b"grant_type=refresh_token&refresh_token=refresh-token-2",
    ]
    assert tokens[0][2]["authorization"].startswith("Basic ")


INPUT = "input: {properties: {name: {title: Name, type: string}, tags: {title: Tags, type: array, items: {type: string}}, file: {title: File, type: string, format: file, max_size: 1KB}}}\n"


def test_forms(acme: Any, server: Server) -> None:
    form = (
        INPUT
        + "request: {server: api, method: POST, path: /x, form: {name: $.input.name, tag: $.input.tags, gone: $.input.file}}"
    )
    assert acme(form, {"name": "a b&c", "tags": ["x", "y"]}).status is Status.PASSED
    [(_, _, headers, body)] = server.seen
    assert (headers["content-type"], body) == ("application/x-www-form-urlencoded", b"name=a+b%26c&tag=x&tag=y")


def test_a_body_has_the_declared_type(acme: Any, server: Server) -> None:
    kind = "application/merge-patch+json"
    patch = f"request: {{server: api, method: PATCH, path: /x, body: {{a: 1}}, headers: {{content-type: {kind}}}}}"
    assert acme(patch).status is Status.PASSED
    parts = f"request: {{server: api, method: POST, path: /x, multipart: {{a: b}}, headers: {{Content-Type: {kind}}}}}"
    assert acme(parts).status is Status.PASSED
    kinds = [headers["content-type"] for _, _, headers, _ in server.seen]
    assert kinds[0] == kind
    assert kinds[1].startswith("multipart/form-data; boundary="), "without its boundary nobody could read it"


def test_parts_without_a_file(acme: Any, server: Server) -> None:
    parts = INPUT + "request: {server: api, method: POST, path: /x, multipart: {name: $.input.name, tag: $.input.tags}}"
    assert acme(parts, {"name": "ä", "tags": ["x", "y"]}).status is Status.PASSED
    [(_, _, headers, body)] = server.seen
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert "ä".encode() in body
    assert body.count(b'name="tag"') == 2


def test_uploads_are_of_limited_size(acme: Any, server: Server, tmp_path: Path) -> None:
    parts = (
        INPUT + "request: {server: api, method: POST, path: /x, multipart: {name: $.input.name, file: $.input.file}}"
    )
    acme(GET)
    world = World(tmp_path / "home", manifest=tmp_path / "manifest.yaml")

    async def put(host: Any, content: bytes) -> Any:
        return host.uploads.put("../../a.txt", content, "text/plain")

    reference = world.use(lambda host: put(host, b"hello"))
    folder = tmp_path / "home" / "uploads"
    [own] = folder.iterdir()
    assert {file.stat().st_mode & 0o777 for file in own.iterdir()} == {0o600}
    server.seen.clear()
    result = acme(parts, {"name": "n", "file": reference})
    assert result.status is Status.PASSED, result.errors
    [(_, _, _, body)] = server.seen
    assert b'filename="a.txt"' in body
    assert b"Content-Type: text/plain\r\n\r\nhello\r\n" in body
    assert list(own.iterdir()) == [], "used once, and gone"
    again = acme(parts, {"file": reference})
    assert "is no uploaded file" in again.errors[0].detail
    large = world.use(lambda host: put(host, b"x" * 2000))
    assert "at most 1024 are taken" in acme(parts, {"file": large}).errors[0].detail
    assert "is no uploaded file" in acme(parts, {"file": "/etc/passwd"}).errors[0].detail


def paged(style: str, **more: str) -> str:
    options = ", ".join([f"style: {style}", "size: 2", *(f"{key}: {value}" for key, value in more.items())])
    return f"request: {{server: api, path: /x, collect: items, paging: {{{options}}}}}"


@pytest.mark.parametrize(
    ("command", "pages", "targets"),
    [
        (paged("page"), [{"items": [1, 2]}, {"items": [3]}, {"items": []}], ["limit=2&page=1", "limit=2&page=2", "limit=2&page=3"]),
        (paged("page", first="0", pages="$.pages", position_parameter="p", size_parameter='""'), [{"items": [1, 2], "pages": 2}, {"items": [3], "pages": 2}], ["p=0", "p=1"]),
        (paged("page", pages="$.pages"), [{"items": [1, 2], "pages": 2}, {"items": [3], "pages": 2}], ["limit=2&page=1", "limit=2&page=2"]),
        (paged("page", more="$.meta.more"), [{"items": [1, 2], "meta": {"more": True}}, {"items": [3], "meta": {"more": False}}], ["limit=2&page=1", "limit=2&page=2"]),
        (paged("offset", total="$.total"), [{"items": [1, 2], "total": 3}, {"items": [3], "total": 3}], ["limit=2&offset=0", "limit=2&offset=2"]),
        (paged("cursor", next="$.meta.next"), [{"items": [1, 2], "meta": {"next": "c=&2"}}, {"items": [3], "meta": {"next": None}}], ["limit=2", "limit=2&cursor=c%3D%262"]),
        (paged("link", next="$.links.next"), [{"items": [1, 2], "links": {"next": "BASE/x?after=2"}}, {"items": [3], "links": {}}], ["limit=2", "after=2"]),
    ],
)  # fmt: skip
def test_paging(acme: Any, server: Server, command: str, pages: list[Any], targets: list[str]) -> None:
    server.answer = lambda _request, _body: JSONResponse(
        json.loads(json.dumps(pages[len(server.seen) - 1]).replace("BASE", server.base))
    )
    result = acme(command)
    assert result.raw_data == {"items": [1, 2, 3]}
    assert [one[1] for one in server.seen] == [f"/x?{target}" for target in targets]
    assert result.completeness.complete


def test_paging_by_link_header_and_lists_that_are_the_whole_reply(acme: Any, server: Server) -> None:
    def answer(request: Request, body: bytes) -> Response:
        more = {"link": f'<{server.base}/x?page=2>; rel="next", <{server.base}/x?page=9>; rel="last"'}
        return JSONResponse([1, 2], headers=more) if len(server.seen) == 1 else JSONResponse([3])

    server.answer = answer
    command = "request: {server: api, path: /x, collect: $.all, paging: {style: link_header, size_parameter: per_page}}"
    assert acme(command).errors[0].kind == "unexpected_reply"
    server.seen.clear()
    result = acme(command.replace("$.all", "$"))
    assert result.raw_data == {"records": [1, 2, 3]}
    assert [one[1] for one in server.seen] == ["/x?per_page=100", "/x?page=2"]


@pytest.mark.parametrize(
    ("style", "body", "header", "words"),
    [
        ("cursor, next: $.next", {"items": [1], "next": "again"}, None, "again and again"),
        ("link, next: $.next", {"items": [1], "next": "https://elsewhere.example/x"}, None, "leads to another server"),
        ("link_header", {"items": [1]}, '<https://elsewhere.example/x>; rel="next"', "leads to another server"),
        ("link_header", {"items": [1]}, '</x?page=2>; rel="prefetch-next"', None),
        ("link_header", {"items": [1]}, '</x?page=2>; title="next"', None),
    ],
)
def test_paging_goes_on_by_what_is_meant_for_it_alone(
    acme: Any, server: Server, style: str, body: Any, header: str | None, words: str | None
) -> None:
    server.answer = lambda _request, _body: JSONResponse(body, headers={"link": header} if header else {})
    result = acme(f"request: {{server: api, path: /x, collect: items, paging: {{style: {style}}}}}")
    assert (result.status is Status.PASSED) is (words is None), "a list that was cut off is never Passed"
    assert result.completeness.complete is (words is None)
    assert (words or "") in (result.completeness.stopped_because or "")
    assert len(server.seen) <= 2


def test_a_cursor_that_does_not_move_ends_the_list(acme: Any, server: Server) -> None:
    server.answer = lambda _request, _body: JSONResponse({"items": [len(server.seen)], "next": "here"})
    result = acme("request: {server: api, path: /x, collect: items, paging: {style: cursor, next: $.next}}")
    assert result.raw_data == {"items": [1, 2]}
    assert result.completeness.stopped_because == "The server names the same next page again and again."


def test_lists_deep_in_a_reply_are_transformed_record_by_record(acme: Any, server: Server) -> None:
    server.answer = lambda _request, _body: JSONResponse(
        {"data": {"items": [{"id": 1, "deep": {"name": "a"}}, {"id": 2}]}}
    )
    result = acme(
        "request: {server: api, path: /x, collect: $.data.items, transform: {key: $.reply.id, name: $.reply.deep.name}}"
    )
    assert result.raw_data == {"items": [{"key": 1, "name": "a"}, {"key": 2}]}


POLL = "request: {server: api, method: POST, path: /jobs, poll: {path: '/jobs/{$.reply.id}', until: $.state, equals: [done], fails: [broken], message: $.why, every: 5, seconds: 20}, transform: $.reply.result}"


def jobs(*states: Any) -> Answer:
    left = list(states)
    return lambda request, _body: JSONResponse({"id": "a/b"} if request.method == "POST" else left.pop(0))


def test_polling_until_a_field_has_a_value(acme: Any, server: Server, clock: FastClock) -> None:
    server.answer = jobs({"state": "runs"}, {"state": "runs"}, {"state": "done", "result": 7})
    assert acme(POLL).raw_data == 7
    assert [one[1] for one in server.seen] == ["/jobs", "/jobs/a/b", "/jobs/a/b", "/jobs/a/b"]
    assert clock.slept == [5, 5]


def test_polling_ends_badly_or_gives_up(acme: Any, server: Server) -> None:
    server.answer = jobs({"state": "broken", "why": "No disk"})
    assert acme(POLL).errors[0].message == "No disk."
    server.answer = jobs(*[{"state": "runs"}] * 9)
    entry = acme(POLL).errors[0]
    assert (entry.kind, "accepted, not confirmed: after 20 seconds $.state is 'runs'" in entry.message) == (
        "not_confirmed",
        True,
    )


RULES = """
responses:
  - {status: 409, field: $.error.code, equals: [7, 8], is: passed}
  - {status: 200, field: $.problem, is: failed, kind: not_found, code: 4711, indicator: Go did not., message: "It says {$.problem}", assistance: Look again.}
  - {status: 423, is: retry}
  - {status: 4xx, field: $.locked, equals: true, is: needs_attention, kind: rejected, message: The account is locked.}
"""


def test_rules_about_replies(acme: Any, server: Server, tmp_path: Path) -> None:
    def reply(status: int, body: Any) -> Result:
        server.answer = lambda _request, _body: JSONResponse(body, status)
        server.seen.clear()
        result: Result = acme(GET + RULES)
        return result

    assert reply(409, {"error": {"code": 8}}).raw_data == {"error": {"code": 8}}
    assert reply(409, {"error": {"code": "8"}}).status is Status.PASSED, "a number may travel as text"
    assert reply(409, {"error": {"code": 9, "message": "No"}}).status is Status.FAILED
    failed = reply(200, {"problem": "gone"}).errors[0]
    assert (failed.failure_indicator, failed.status_code, failed.message) == ("Go did not.", "4711", "It says gone.")
    assert (failed.kind, failed.assistance) == ("not_found", "Look again.")
    assert reply(423, {}).status is Status.FAILED
    assert len(server.seen) == 4

    async def show(host: Any) -> Any:
        return await host.connections.show("prod")

    world = World(tmp_path / "home", manifest=tmp_path / "manifest.yaml")
    assert world.use(show)["state"] != "needs attention"
    locked = reply(403, {"locked": True}).errors[0]
    assert (locked.kind, locked.message) == ("rejected", "The account is locked.")
    shown = world.use(show)
    assert shown["state"] == "needs attention"
    assert "The account is locked." in json.dumps(shown["health"])


def test_the_commands_rules_come_before_the_servers_and_those_before_the_plugins(acme: Any, server: Server) -> None:
    server.answer = lambda _request, _body: JSONResponse({}, 418)

    def rule(code: int) -> str:
        return f"responses: [{{status: 418, is: failed, code: {code}}}]"

    def code(**given: str) -> str:
        failed: str = acme(given.pop("command", GET), **given).errors[0].status_code
        return failed

    top, api, command = rule(3) + "\n", rule(2), f"{GET}\n{rule(1)}"
    assert code() == "418"
    assert code(top=top) == "3"
    assert code(top=top, api=api) == "2"
    assert code(top=top, api=api, command=command) == "1"


def test_an_idempotency_key_makes_a_repeat_harmless(acme: Any, server: Server) -> None:
    server.answer = lambda _request, _body: JSONResponse({}, 500 if len(server.seen) < 3 else 200)
    post = "request: {server: api, method: POST, path: /x, body: {}, idempotency_key: Idempotency-Key}"
    assert acme(post).status is Status.PASSED
    keys = {one[2]["idempotency-key"] for one in server.seen}
    assert (len(server.seen), len(keys)) == (3, 1)
    server.seen.clear()
    assert acme(post.replace(", idempotency_key: Idempotency-Key", "")).status is Status.FAILED
    assert len(server.seen) == 1, "without a key a POST is sent once"


def test_an_object_for_each_element_and_none_where_nothing_is_given(acme: Any, server: Server) -> None:
    body = 'body: {who: {"[*]": $.input.tags, id: $.element, type: user}, one: {type: fixed, name: $.input.name}, kept: {type: fixed}}'
    command = INPUT + f"request: {{server: api, method: POST, path: /x, {body}}}"
    acme(command, {"tags": ["a", "b"]})
    acme(command, {"name": "n"})
    assert [json.loads(one[3]) for one in server.seen] == [
        {"who": [{"id": "a", "type": "user"}, {"id": "b", "type": "user"}], "kept": {"type": "fixed"}},
        {"one": {"type": "fixed", "name": "n"}, "kept": {"type": "fixed"}},
    ]


def test_a_secret_that_is_an_input_leaves_no_trace(acme: Any, server: Server, tmp_path: Path) -> None:
    secret = "new-password-of-ada"
    server.answer = lambda _request, body: JSONResponse({"echo": json.loads(body)["password"]})
    command = "input: {properties: {password: {title: Password, type: string, writeOnly: true}}}\nrequest: {server: api, method: PUT, path: /x, body: {password: $.input.password}}"
    result = acme(command, {"password": secret})
    assert json.loads(server.seen[0][3]) == {"password": secret}
    assert result.raw_data == {"echo": "********"}

    async def past(host: Any) -> Any:
        return [record.inputs for record in await host.history()]

    assert World(tmp_path / "home", manifest=tmp_path / "manifest.yaml").use(past) == ['{"password": "********"}']
    assert secret.encode() not in b"".join(
        file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file()
    )


def test_like_shares_a_commands_parts(acme: Any, server: Server) -> None:
    rest = "  base:\n    title: Base\n    deprecated: {since: 1.0.0, use: Go, remove_in: 2.0.0}\n    request: {server: api, method: POST, path: /base, body: {a: 1, b: 2}, idempotent: true}\n"
    result = acme("like: base\nrequest: {path: /go, body: {b: 3, a: null}, idempotent: null}", rest=rest)
    [(method, target, _, body)] = server.seen
    assert (method, target, json.loads(body)) == ("POST", "/go", {"b": 3})
    assert result.notes == (), "what is said of one command alone is not shared"
