"""Attacks on the HTTP API, by their numbers; the table of routes is the server's own, so that none is forgotten."""

import json
import socket
import ssl
import threading
import time
import tracemalloc
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import pytest

from connector_host import Session, WrongUse
from connector_host.model.token import Scope, Token
from connector_host.web.server import TABLE
from tests.web.conftest import Web
from tests.web.conftest import web as web  # noqa: PLC0414 - the fixture
from tests.world import API_KEY, INTEGRATION_KEY

assert ssl
PARTS = {
    "plugin": "pagerduty", "command": "list_users", "parameter": "query", "name": "prod",
    "id": "01a217df-3744-7de4-92e8-4e24d0f52087", "reference": "file:nothing",
}  # fmt: skip
ROUTES = [(route.method, route.path, route) for route in TABLE]
IDS = [f"{method} {path}" for method, path, _ in ROUTES]


def address(path: str, **parts: str) -> str:
    for name, value in {**PARTS, **parts}.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def asked(client: httpx2.Client, method: str, path: str, **parts: str) -> httpx2.Response:
    body: Any = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    headers = {"If-Match": '"1"'} if method in ("PUT", "PATCH", "DELETE") else {}
    return client.request(method, address(path, **parts), headers=headers, **body)


def raw(web: Web, text: bytes, seconds: float = 10) -> bytes:
    where = urlsplit(web.base)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=seconds) as wire:
        wire.sendall(text)
        got = b""
        try:
            while data := wire.recv(65536):
                got += data
        except (TimeoutError, ConnectionError):
            pass
        return got


def head(web: Web, *lines: str, method: str = "GET", path: str = "/api/v1/plugins") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""]).encode("latin-1")


def test_the_number_of_routes_is_known() -> None:
    assert len(ROUTES) == 41


@pytest.mark.parametrize(("method", "path", "route"), ROUTES, ids=IDS)
def test_attack_01_a_stranger_on_every_route(web: Web, method: str, path: str, route: Any) -> None:
    found = asked(web.stranger(), method, path)
    assert (found.status_code, found.headers.get("WWW-Authenticate")) == (401, "Bearer"), route


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics"])
def test_attack_32_what_tells_names_needs_a_token(web: Web, path: str) -> None:
    assert web.stranger().get(path).status_code in (401, 429)
    for open_path in ("/healthz", "/readyz"):
        text = web.stranger().get(open_path).text
        assert not [name for name in ("prod", "us", "hq") if name in text]


@pytest.mark.parametrize(
    "given", ["", "   ", "Bearer", "Bearer ", "Basic abc", "Bearer ch_000000000000_" + "0" * 72, "Bearer \xff"]
)
def test_attack_03_a_token_that_is_none(web: Web, given: str) -> None:
    got = raw(web, head(web, "Host: 127.0.0.1", f"Authorization: {given}"))
    assert got.split()[1] in (b"401", b"429")


def test_attack_03_two_tokens_and_one_in_the_query(web: Web) -> None:
    good = web.token("operator")
    line = f"Authorization: Bearer {good}"
    assert raw(web, head(web, "Host: 127.0.0.1", line, line)).split()[1] in (b"401", b"429")
    assert web.stranger().get(f"/api/v1/plugins?access_token={good}").status_code in (401, 429)


def test_attack_04_expired_and_revoked_tokens(web: Web) -> None:
    async def work(session: Session) -> list[str]:
        short = await session.tokens.add(Token("short", (Scope.READ,), user="ann"), days=1 / 86400)
        gone = await session.tokens.add(Token("gone", (Scope.READ,), user="ann", site="hq"))
        return [short[1], gone[1], gone[0].id]

    short, gone, gone_id = web.world.use(work)
    assert web.stranger(Authorization=f"Bearer {gone}").get("/api/v1/plugins").status_code == 200
    web.world.use(lambda session: session.tokens.revoke(gone_id))
    time.sleep(1.1)
    for text in (short, gone):
        assert web.stranger(Authorization=f"Bearer {text}").get("/api/v1/plugins").status_code in (401, 429)


def test_attack_05_a_stolen_database_has_no_token(web: Web) -> None:
    text = web.token("operator")
    for file in web.world.home.rglob("*"):
        if file.is_file() and file.name not in ("master.key", "first-token"):
            content = file.read_bytes()
            assert text.encode() not in content
            assert text.rpartition("_")[2].encode() not in content


def test_attack_05_a_token_written_into_the_database_is_none(web: Web) -> None:
    import sqlite3

    good = web.token("forger", Scope.READ, user="ann", site="hq")
    forged = good.split("_")[1]
    with sqlite3.connect(web.world.home / "connector-host.db") as database:
        database.execute(
            "update token set document = replace(document, '\"read\"', '\"admin\"') where id = ?", [forged]
        )
    database.close()
    assert web.stranger(Authorization=f"Bearer {good}").get("/api/v1/plugins").status_code in (401, 429)


def test_attack_07_scope_by_scope(web: Web) -> None:
    """Each route refuses every scope that does not grant it, before it looks at anything."""
    who = {"user": "ann", "site": "hq"}
    clients = {scope: web.client(f"scope {scope}", scope, **who) for scope in Scope if scope is not Scope.ADMIN}
    for method, path, route in ROUTES:
        for scope, client in clients.items():
            token = Token("x", (scope,))
            if not token.allows(route.scope):
                assert asked(client, method, path).status_code == 403, (path, scope)


def test_attack_07_reading_does_not_run_and_running_read_only_changes_nothing(web: Web) -> None:
    who = {"user": "ann", "site": "hq"}
    body = {"plugin": "pagerduty", "command": "create_event", "connection": "prod"}
    body["inputs"] = {"summary": "s", "severity": "Info", "source": "x"}  # type: ignore[assignment]
    before = len(web.sandbox.account.alerts) if hasattr(web.sandbox.account, "alerts") else 0
    for name, scope in (("reads", Scope.READ), ("runs read-only", Scope.RUN_READ_ONLY)):
        assert web.client(name, scope, **who).post("/api/v1/invocations", json=body).status_code == 403
    after = len(web.sandbox.account.alerts) if hasattr(web.sandbox.account, "alerts") else 0
    assert before == after


def test_attack_07_narrowed_tokens_see_nothing_else(web: Web) -> None:
    client = web.client("narrow", Scope.RUN, user="ann", site="hq", connections=("prod",), commands=("list_users",))
    assert client.get("/api/v1/connections/named").status_code == 404
    assert [one["name"] for one in client.get("/api/v1/connections").json()["items"]] == ["prod"]
    place = "/api/v1/plugins/pagerduty/commands"
    assert client.post(f"{place}/list_users?connection=prod", json={}).status_code == 200
    assert client.post(f"{place}/list_teams?connection=prod", json={}).status_code == 404
    assert client.post(f"{place}/list_users?connection=named", json={}).status_code == 404
    assert client.post("/api/v1/tokens", json={"name": "more", "scopes": ["admin"]}).status_code == 403


@pytest.mark.parametrize("name", ["operator", "health check", "alice at hq"])
def test_attack_08_a_user_is_not_the_operator_whatever_they_are_called(web: Web, name: str) -> None:
    client = web.client(f"named {name}", Scope.RUN, user=name, site="hq")
    assert client.get("/api/v1/audit").status_code == 403
    run = client.post("/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={}).json()
    record = web.world.use(lambda session: session.past(run["invocation_id"]))
    assert (record.actor.kind, record.actor.id) == ("user", name)


@pytest.mark.parametrize("name", ["a\u202eb", "a\x00b", "a\nb"])
def test_attack_08_names_that_cannot_be_shown(web: Web, name: str) -> None:
    body = {"name": "t", "scopes": ["read"], "user": name}
    assert web.client().post("/api/v1/tokens", json=body).status_code == 422
    with pytest.raises(WrongUse):
        _ = Token("t", (Scope.READ,), user=name).principal


NOBODIES: dict[str, dict[str, Any]] = {
    "another tenant": {"user": "eve", "site": "away"},
    "a tenant without a site": {"user": "eve", "tenant": "them"},
    "no member": {"user": "eve", "site": "hq"},
    "a site of another tenant": {"user": "ann", "tenant": "them"},
}


@pytest.mark.parametrize("who", NOBODIES, ids=str)
@pytest.mark.parametrize(
    ("method", "path", "route"), [one for one in ROUTES if "{name}" in one[1] and "connections" in one[1]]
)
def test_attack_12_what_one_may_not_see_is_not_there(web: Web, who: str, method: str, path: str, route: Any) -> None:
    scopes = (Scope.RUN, Scope.READ) if who == "no member" else (Scope.RUN, Scope.CONNECTIONS)
    if who == "no member" and route.scope is Scope.CONNECTIONS:
        pytest.skip("who manages the site's connections sees them")
    client = web.client(who, *scopes, **NOBODIES[who])
    there, gone = asked(client, method, path, name="named"), asked(client, method, path, name="nxmed")
    assert there.status_code == gone.status_code == 404
    plain = [{**one.json(), "request_id": ""} for one in (there, gone)]
    assert json.dumps(plain[0]).replace("named", "nxmed") == json.dumps(plain[1])


def test_attack_13_invocations_and_streams_of_others(web: Web) -> None:
    ann = web.client("ann", Scope.RUN, user="ann", site="hq")
    bob = web.client("bob", Scope.RUN, user="bob", site="hq")
    begun = ann.post(
        "/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={}, headers={"Prefer": "respond-async"}
    )
    place = begun.headers["Location"]
    for found in (bob.get(place), bob.delete(place), bob.get(f"{place}/events")):
        assert found.status_code == 404
    kept = ann.post("/api/v1/files?name=a", content=b"x").json()["reference"]
    assert bob.delete(f"/api/v1/files/{quote(kept, safe='')}").status_code == 404
    assert ann.get(place).status_code == 200


def test_attack_14_a_plain_user_reads_no_secret(web: Web) -> None:
    ann = web.client("ann", Scope.RUN, user="ann", site="hq")
    texts = [ann.get(f"/api/v1/connections/prod{rest}").text for rest in ("", "/diagnosis", "/health")]
    texts.append(ann.get("/api/v1/connections").text)
    for text in texts:
        for secret in (API_KEY, INTEGRATION_KEY):
            assert secret not in text
            assert secret[-4:] not in text
    diagnosis = ann.get("/api/v1/connections/prod/diagnosis").json()
    assert diagnosis["audit.json"] == []
    assert all(
        one["caller"].startswith("user ann") or one["caller"] == "health check" for one in diagnosis["history.json"]
    )


@pytest.mark.parametrize("mask", ["u+Do************bgRQ", "********", "************"])
def test_attack_15_a_mask_is_never_stored(web: Web, mask: str) -> None:
    client = web.client()
    tag = client.get("/api/v1/connections/prod").headers["ETag"]
    found = client.patch("/api/v1/connections/prod", json={"secrets": {"api_key": mask}}, headers={"If-Match": tag})
    assert found.status_code == 422
    assert client.post("/api/v1/connections/prod/test", json={}).json()["status"] == "Passed"


@pytest.mark.parametrize(
    "parameters", [{"server_url": "https://evil.example.com"}, {"region": "EU", "server_url": None}]
)
def test_attack_16_an_administrator_leads_no_secret_away(web: Web, parameters: dict[str, Any]) -> None:
    ada = web.client("ada", Scope.CONNECTIONS, Scope.RUN, user="ada", site="hq")
    tag = ada.get("/api/v1/connections/named").headers["ETag"]
    change = {"parameters": parameters}
    assert ada.patch("/api/v1/connections/named", json=change, headers={"If-Match": tag}).status_code in (403, 422)
    assert ada.post("/api/v1/connections/named/test", json={"change": change}).status_code in (403, 422)
    assert ada.get("/api/v1/connections/named").headers["ETag"] == tag


@pytest.mark.parametrize("key", ["id", "version", "plugin", "__class__", "set_by", "origins", "generation", "nonsense"])
def test_attack_17_mass_assignment(web: Web, key: str) -> None:
    client = web.client()
    tag = client.get("/api/v1/connections/prod").headers["ETag"]
    found = client.patch("/api/v1/connections/prod", json={key: "x"}, headers={"If-Match": tag})
    assert (found.status_code, found.json()["errors"][0]["pointer"]) == (422, f"/{key}")
    assert client.get("/api/v1/connections/prod").headers["ETag"] == tag


def test_attack_18_two_edits_at_once(web: Web) -> None:
    tag = web.client().get("/api/v1/connections/theirs").headers["ETag"]
    codes: list[int] = []

    def edit(number: int) -> None:
        body = {"description": f"edit {number}"}
        client = web.client()
        codes.append(client.patch("/api/v1/connections/theirs", json=body, headers={"If-Match": tag}).status_code)

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [412] * 7


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000, b'{"a": 1e400}', b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff\xfe", b'{"a": "\\ud800"}',
        b'{"inputs": ' + b"9" * 5000 + b"}", b"", b"null", b'"text"', b'{"plugin": "\\u0000"}',
    ],
)  # fmt: skip
def test_attack_20_bodies_that_are_no_json(web: Web, body: bytes) -> None:
    found = web.client().post("/api/v1/invocations", content=body, headers={"Content-Type": "application/json"})
    assert found.status_code in (404, 413, 422), found.text


def test_attack_20_a_body_without_end_is_cut(web: Web) -> None:
    line = f"Authorization: Bearer {web.token('operator')}"
    begun = head(
        web,
        "Host: 127.0.0.1",
        line,
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        method="POST",
        path="/api/v1/invocations",
    )
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    tracemalloc.start()
    got = raw(web, begun + chunk * 20)
    tracemalloc.stop()
    assert got.split()[1] == b"413"
    huge = head(web, "Host: 127.0.0.1", line, "Content-Length: 2000000000", method="POST", path="/api/v1/invocations")
    assert raw(web, huge).split()[1] == b"413"


@pytest.mark.long
def test_attack_21_slow_clients_are_cut_and_others_answered(web: Web) -> None:
    where = urlsplit(web.base)
    idle = [socket.create_connection((where.hostname or "", where.port or 0)) for _ in range(200)]
    slow = [socket.create_connection((where.hostname or "", where.port or 0)) for _ in range(20)]
    for wire in slow:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    begun = time.monotonic()
    assert web.client().get("/api/v1/plugins").status_code == 200
    assert time.monotonic() - begun < 1
    for wire in [*slow, *idle[:20]]:
        wire.settimeout(15)
        assert wire.recv(100) == b""
    assert time.monotonic() - begun < 14
    for wire in [*slow, *idle]:
        wire.close()


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 2", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: xchunked"],
        ["X-Bad: a\x00b"],
        [" folded: yes"],
    ],
)
def test_attack_22_heads_that_two_readers_would_read_differently(web: Web, lines: list[str]) -> None:
    line = f"Authorization: Bearer {web.token('operator')}"
    got = raw(web, head(web, "Host: 127.0.0.1", line, *lines, method="POST", path="/api/v1/invocations") + b"{}")
    assert got == b"" or got.split()[1] in (b"400", b"413", b"415", b"422")


@pytest.mark.parametrize(
    "path",
    [
        "/api/../api/v1/plugins", "/api/v1/%2e%2e/v1/plugins", "//api/v1/plugins", "/api/v1/plugins;x", "/api/v1/plugins%00",
        "/api/v1/connections/..%5c..", "/api/v1/connections/%c0%ae%c0%ae", "/static/..%c0%af../etc/passwd",
        "/static/%2e%2e/server.py", "/problems/..%2f..%2fetc%2fpasswd",
    ],
)  # fmt: skip
def test_attack_23_tricks_with_paths(web: Web, path: str) -> None:
    line = f"Authorization: Bearer {web.token('operator')}"
    got = raw(web, head(web, "Host: 127.0.0.1", line, path=path))
    assert got.split()[1] == b"404", got[:200]


def test_attack_24_a_name_adds_no_header(web: Web) -> None:
    client = web.client()
    for name in ("a\r\nX-Evil: 1", "ä/ö ü"):
        body = {
            "name": name,
            "plugin": "pagerduty",
            "parameters": {"server_url": web.sandbox.base, "event_url": web.sandbox.base},
            "secrets": {"api_key": API_KEY},
        }
        found = client.post("/api/v1/connections", json=body)
        assert "X-Evil" not in found.headers
        assert found.status_code == (422 if "\n" in name else 201)
        if found.status_code == 201:
            assert found.headers["Location"].isascii()
            assert (
                client.delete(found.headers["Location"], headers={"If-Match": found.headers["ETag"]}).status_code == 204
            )


@pytest.mark.parametrize(
    "hosts", [["evil.example.com"], ["10.0.0.1"], [], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1@evil"]]
)
def test_attack_25_hosts_that_it_is_not(web: Web, hosts: list[str]) -> None:
    line = f"Authorization: Bearer {web.token('operator')}"
    got = raw(web, head(web, *(f"Host: {host}" for host in hosts), line))
    assert got.split()[1] in (b"400", b"421")


def test_attack_25_forwarded_headers_are_ignored(web: Web) -> None:
    headers = {
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example.com",
    }
    assert "evil" not in web.client().get("/api/v1/plugins/nothing", headers=headers).text


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "HEAD", "OPTIONS", "PUT"])
def test_attack_26_other_methods_gain_nothing(web: Web, method: str) -> None:
    for _, path, _ in ROUTES:
        known = {one for one, other, _ in ROUTES if other == path}
        if method not in known:
            found = web.client().request(method, address(path), headers={"X-HTTP-Method-Override": "GET"})
            assert found.status_code in (400, 404, 405)
            assert "TRACE" not in found.text


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://sub.127.0.0.1"])
def test_attack_27_no_other_site_reads_it(web: Web, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    found = web.client().options("/api/v1/invocations", headers=asks)
    assert "access-control-allow-origin" not in found.headers
    assert "access-control-allow-origin" not in web.client().get("/api/v1/plugins", headers=asks).headers


def test_attack_28_no_problem_holds_a_secret(web: Web) -> None:
    client = web.client()
    secret = "u+DoAnotherSecret/xyzQ"
    bodies: list[Any] = [
        {"name": "x", "plugin": "pagerduty", "secrets": {"api_key": secret, "nonsense": secret}},
        {"name": "x", "plugin": "pagerduty", "parameters": {"api_key": secret}},
        {"name": "x", "plugin": "pagerduty", "parameters": {"server_url": "nothing"}, "secrets": {"api_key": [secret]}},
        {"name": "x", "plugin": "nothing", "secrets": {"api_key": secret}},
        {"name": "x", "plugin": "pagerduty", "secrets": {"api_key": f"Bearer {secret}"}},
    ]
    for body in bodies:
        found = client.post("/api/v1/connections", json=body)
        assert found.status_code in (404, 422)
        assert secret not in found.text
        assert secret not in str(found.headers)


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=0",
        "limit=1e9",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "state=nothing",
        "active=maybe",
        "limit=%D9%A1",
    ],
)
def test_attack_29_parameters_that_are_wrong(web: Web, query: str) -> None:
    assert web.client().get(f"/api/v1/connections?{query}").status_code == 422


@pytest.mark.parametrize("after", ["' or 1=1 --", "\u202e", "%00", "zzzz"])
def test_attack_29_a_forged_cursor_shows_nothing_that_is_not_ones_own(web: Web, after: str) -> None:
    eve = web.client("another tenant", Scope.RUN, Scope.CONNECTIONS, **NOBODIES["another tenant"])
    found = eve.get("/api/v1/connections", params={"after": after})
    assert found.status_code == 200
    assert {one["name"] for one in found.json()["items"]} <= {"theirs"}


def test_attack_31_streams_of_nothing(web: Web) -> None:
    client = web.client()
    assert client.get(f"/api/v1/invocations/{PARTS['id']}/events", headers={"Last-Event-ID": "5"}).status_code == 404
    done = client.post("/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={})
    place = done.headers["Content-Location"]
    assert client.get(f"{place}/events", headers={"Last-Event-ID": "x"}).status_code == 422
    with client.stream("GET", f"{place}/events") as stream:
        assert "finished" in "".join(stream.iter_text())


def test_attack_33_no_request_is_unpacked(web: Web) -> None:
    import gzip

    packed = gzip.compress(b'{"plugin": "pagerduty"}' + b" " * 10_000_000)
    found = web.client().post(
        "/api/v1/invocations", content=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
    )
    assert found.status_code == 415


def test_attack_06_guesses_are_slowed(web: Web) -> None:
    codes = [web.stranger(Authorization="Bearer guess").get("/api/v1/plugins").status_code for _ in range(15)]
    assert codes[-1] == 429


NARROW = {"user": "ann", "site": "hq"}
OUTSIDE: dict[str, dict[str, Any]] = {
    "other connections": {"connections": ("nothing",)},
    "another plugin": {"plugins": ("opsgenie",)},
}


@pytest.mark.parametrize("how", OUTSIDE)
@pytest.mark.parametrize(
    ("method", "path", "route"), [one for one in ROUTES if "{name}" in one[1] and "connections" in one[1]]
)
def test_attack_07_a_narrowed_token_on_every_route_of_a_connection(
    web: Web, how: str, method: str, path: str, route: Any
) -> None:
    client = web.client(f"narrow {how}", Scope.RUN, Scope.CONNECTIONS, **NARROW, **OUTSIDE[how])
    before = web.client().get("/api/v1/connections/prod").headers["ETag"]
    found = asked(client, method, path, name="prod")
    assert found.status_code == 404, route
    assert web.client().get("/api/v1/connections/prod").headers["ETag"] == before


def test_attack_07_a_narrowed_token_reads_and_cancels_no_other_run(web: Web) -> None:
    ann = web.client("ann runs", Scope.RUN, **NARROW)
    narrow = web.client("ann narrow", Scope.RUN, **NARROW, commands=("list_teams",))
    place = ann.post(
        "/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={}, headers={"Prefer": "respond-async"}
    ).headers["Location"]
    for found in (narrow.get(place), narrow.delete(place), narrow.get(f"{place}/events")):
        assert found.status_code == 404
    assert narrow.get("/api/v1/invocations").json()["items"] == []
    assert narrow.get(f"/api/v1/connections/{quote('prod')}/diagnosis").json()["history.json"] == []


def test_attack_07_who_may_no_longer_use_a_connection_reads_no_result_of_it(web: Web) -> None:
    from connector_host import Change

    ann = web.client("ann", Scope.RUN, **NARROW)
    place = ann.post("/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={}).headers[
        "Content-Location"
    ]
    assert ann.get(place).status_code == 200
    web.world.use(lambda session: session.connections.edit("prod", Change({"allowed_users": ("bob",)})))
    try:
        assert ann.get(place).status_code == 404
    finally:
        web.world.use(lambda session: session.connections.edit("prod", Change({"allowed_users": ()})))


def test_attack_07_admin_is_never_narrowed(web: Web) -> None:
    body = {"name": "n", "scopes": ["admin"], "connections": ["prod"]}
    assert web.client().post("/api/v1/tokens", json=body).status_code == 422


def test_attack_07_who_belongs_to_no_site_adds_no_connection(web: Web) -> None:
    client = web.client("tenant only", Scope.CONNECTIONS, user="t", tenant="them")
    body = {"name": "ghost", "plugin": "pagerduty", "parameters": {"server_url": "https://pd.example.com", "event_url": "https://pd.example.com"}, "secrets": {"api_key": API_KEY}}  # fmt: skip
    assert client.post("/api/v1/connections", json=body).status_code == 403
    assert web.client().get("/api/v1/connections/ghost").status_code == 404


@pytest.mark.parametrize("key", ["plugins", "connections", "commands", "groups", "scopes", "days", "user", "site"])
@pytest.mark.parametrize("value", [None, [None], {}, 7, [[]], "x"], ids=str)
def test_attack_20_tokens_of_odd_types_break_nothing(web: Web, key: str, value: Any) -> None:
    client = web.client()
    found = client.post("/api/v1/tokens", json={"name": "odd", "scopes": ["read"], "user": "u", key: value})
    assert found.status_code in (201, 422), found.text
    assert client.get("/api/v1/tokens").status_code == 200
    if found.status_code == 201:
        assert client.delete(f"/api/v1/tokens/{found.json()['id']}").status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/v1/connections/prod", {"remove_secrets": [{}]}),
        ("PATCH", "/api/v1/connections/prod", {"health_check": {"interval_minutes": None}}),
        ("PATCH", "/api/v1/connections/prod", {"allowed_users": [None]}),
        ("PATCH", "/api/v1/connections/prod", {"vault": {"api_key": {"vault": None}}}),
        ("POST", "/api/v1/invocations", {"plugin": "pagerduty", "command": "list_users", "connection": "prod", "deadline_seconds": 10**400}),
        ("POST", "/api/v1/invocations", {"plugin": "pagerduty", "command": "list_users", "connection": "prod", "deadline_seconds": -1}),
    ],
)  # fmt: skip
def test_attack_20_odd_values_are_told(web: Web, method: str, path: str, body: Any) -> None:
    client = web.client()
    tag = client.get("/api/v1/connections/prod").headers["ETag"]
    assert client.request(method, path, json=body, headers={"If-Match": tag}).status_code == 422


@pytest.mark.parametrize(
    "host", ["[", "[::1", "[x]", "]", "127.0.0.1:x", "127.0.0.1:999999", "[::1]:80:90", "127.0.0.1 "]
)
def test_attack_25_hosts_that_are_none(web: Web, host: str) -> None:
    got = raw(web, head(web, f"Host: {host}", path="/healthz"))
    assert b"500" not in got.split(b"\r\n")[0]
    assert got.split()[1] in (b"400", b"421") or host.endswith(" ")


def test_attack_31_the_twenty_first_watcher_is_told(web: Web) -> None:
    client = web.client("watcher", Scope.RUN, **NARROW)
    ids = {"user_ids": ["PU00001", "PU00002", "PU00003"]}
    web.world.use(lambda session: session.connections.edit("slow", _at_hq()))
    address_of_it = "/api/v1/plugins/pagerduty/commands/get_user_contact_methods?connection=slow"
    place = client.post(address_of_it, json=ids, headers={"Prefer": "respond-async"}).headers["Location"]
    streams = [client.stream("GET", f"{place}/events") for _ in range(21)]
    codes = [stream.__enter__().status_code for stream in streams]
    for stream in streams:
        stream.__exit__(None, None, None)
    assert codes == [200] * 20 + [429]


def _at_hq() -> Any:
    from connector_host import Change

    return Change({"site": "hq"})
