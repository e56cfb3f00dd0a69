"""Attacks on the page, by their numbers; in a browser where it matters what a browser makes of it."""

import html
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from connector_host import Change, Session
from connector_host.model.token import Scope
from connector_host.web.page.codes import codes_of
from tests.web.conftest import Web
from tests.web.conftest import web as web  # noqa: PLC0414 - the fixture
from tests.web.test_page import CHROMIUM, playwright
from tests.world import API_KEY, INTEGRATION_KEY

HERE = {"Sec-Fetch-Site": "same-origin"}
MARKUP = [
    "<script>document.title='gotcha'</script>",
    '"><img src=x onerror="document.title=\'gotcha\'">',
    "{{7*7}}",
    "<div hx-post='/tokens' hx-trigger='load' hx-vals='{\"action\":\"make\"}'></div>",
    "javascript:document.title='gotcha'",
]


def signed_in(web: Web, name: str = "operator", *scopes: Scope, **more: Any) -> httpx2.Client:
    client = web.stranger()
    found = client.post("/sign-in", data={"token": web.token(name, *scopes, **more)}, headers=HERE)
    assert found.status_code == 303, found.text
    return client


POSTS = [
    "/connections/new",
    "/connections/prod/edit",
    "/connections/prod/test",
    "/connections/prod/remove",
    "/run",
    "/places",
    "/tokens",
    "/sign-out",
]
GETS = ["/connections", "/integrations", "/integrations/pagerduty", "/connections/new?plugin=pagerduty", "/connections/prod/edit", "/connections/prod/remove", "/run", "/run?connection=prod&command=create_event", "/history", "/audit", "/places", "/tokens"]  # fmt: skip


@pytest.mark.parametrize("path", GETS)
def test_attack_01_no_window_for_a_stranger(web: Web, path: str) -> None:
    found = web.stranger().get(path)
    assert (found.status_code, found.headers["Location"].partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("path", GETS)
def test_attack_35_the_policy_of_each_window(web: Web, path: str) -> None:
    found = signed_in(web).get(path)
    policy = found.headers["Content-Security-Policy"]
    assert found.status_code == 200
    for part in (
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "style-src 'self'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", found.text)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_attack_36_forms_from_elsewhere(web: Web, path: str, headers: dict[str, str]) -> None:
    client = signed_in(web)
    before = client.get("/connections").text
    found = client.post(path, data={"action": "tenant", "name": "evil", "scopes": "admin"}, headers=headers)
    assert found.status_code == 403
    assert client.get("/connections").text.count("<tr") == before.count("<tr")
    assert client.post(path, content=b"name=evil", headers={**headers, "Content-Type": "text/plain"}).status_code == 403


def test_attack_36_the_api_takes_no_cookie(web: Web) -> None:
    client = signed_in(web)
    assert client.get("/api/v1/plugins").status_code == 401
    assert client.get("/openapi.json").status_code == 401


def test_attack_37_cookies(web: Web) -> None:
    client = web.stranger()
    found = client.post("/sign-in", data={"token": web.token("operator")}, headers=HERE)
    cookie = found.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=28800"):
        assert part in cookie
    first = client.cookies["connector-host"]
    again = client.post("/sign-in", data={"token": web.token("operator")}, headers=HERE)
    assert client.cookies["connector-host"] != first, again
    kept = client.cookies["connector-host"]
    assert client.post("/sign-out", headers=HERE).status_code == 303
    assert web.stranger(Cookie=f"connector-host={kept}").get("/connections").status_code == 303
    assert web.stranger(Cookie=f"connector-host={first}").get("/connections").status_code == 303


def test_attack_37_a_session_of_ones_own_making_is_none(web: Web) -> None:
    client = web.stranger(Cookie="connector-host=chosen-by-somebody-else")
    client.post("/sign-in", data={"token": web.token("operator")}, headers=HERE)
    assert web.stranger(Cookie="connector-host=chosen-by-somebody-else").get("/connections").status_code == 303


def test_attack_04_a_revoked_token_signs_its_holder_out(web: Web) -> None:
    client = signed_in(web, "leaves", Scope.READ, user="lee", site="hq")
    assert client.get("/connections").status_code == 200
    token_id = web.token("leaves").split("_")[1]
    web.world.use(lambda session: session.tokens.revoke(token_id))
    assert client.get("/connections").status_code == 303


def test_attack_10_a_link_works_once(web: Web) -> None:
    token_id = web.token("operator").split("_")[1]
    link = web.world.use(lambda session: session.tokens.link(token_id))
    assert web.stranger().get(f"/sign-in?link={link}").status_code == 200  # a look uses nothing up
    assert web.stranger().post("/sign-in", data={"link": link}, headers=HERE).status_code == 303
    assert web.stranger().post("/sign-in", data={"link": link}, headers=HERE).status_code in (401, 429)
    log = web.world.home / "host.log"
    assert not log.exists() or link not in log.read_text("utf-8")


@pytest.mark.parametrize("path", GETS)
def test_attack_38_no_secret_in_any_window(web: Web, path: str) -> None:
    text = signed_in(web).get(path).text
    for secret in (API_KEY, INTEGRATION_KEY, web.token("operator")):
        assert secret not in text


def test_attack_38_what_was_typed_comes_back_but_no_secret(web: Web) -> None:
    typed = {
        "plugin": "pagerduty",
        "f:name": "prod",
        "p:server_url": "https://pd.example.com",
        "p:api_key": "u+DoTypedSecretbgRQ",
    }
    found = signed_in(web).post("/connections/new", data={**typed, "action": "save"}, headers=HERE)
    assert found.status_code == 422
    assert "https://pd.example.com" in found.text
    assert "u+DoTypedSecretbgRQ" not in found.text


def test_attack_39_an_unsaved_edit_takes_no_stored_secret_elsewhere(web: Web) -> None:
    ada = signed_in(web, "ada page", Scope.CONNECTIONS, Scope.RUN, user="ada", site="hq")
    version = re.search(r'name="version" value="(\d+)"', ada.get("/connections/named/edit").text)
    assert version is not None
    edit = {
        "version": version[1],
        "f:name": "named",
        "f:active": "on",
        "p:server_url": "https://evil.example.com",
        "p:event_url": web.sandbox.base,
        "action": "test",
    }
    found = ada.post("/connections/named/edit", data=edit, headers=HERE)
    assert "give its secrets again" in found.text or "Only the operator" in found.text
    assert API_KEY not in found.text


HARD = ["it's", '"double"', "$(touch /tmp/pwned)", "`id`", "a\nb", "-o /etc/x", "--output=json", "\\", "%s", "ä 🔥"]


@pytest.mark.parametrize("text", HARD)
def test_attack_40_what_is_copied_does_exactly_the_call(tmp_path: Path, text: str) -> None:
    """Each form is run by what it is for, with programs in place of ours that tell how they were called."""
    inputs = {"query": text}
    codes = codes_of("pagerduty", "list_users", text, inputs, "http://127.0.0.1:1")
    teller = "#!/bin/sh\nprintf '%s\\0' \"$@\" > args\ncat > stdin\n"
    for name in ("connector-host", "curl"):
        (tmp_path / name).write_text(teller)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CONNECTOR_HOST_TOKEN": "t"}

    def called(code: str) -> list[str]:
        subprocess.run(
            ["bash", "-c", code], cwd=tmp_path, env=environment, check=True, timeout=20, stdin=subprocess.DEVNULL
        )
        return (tmp_path / "args").read_bytes().decode().split("\0")[:-1]

    assert called(codes["CLI"]) == ["test-command", "pagerduty", "list-users", f"--connection={text}", "--input", "-"]
    assert json.loads((tmp_path / "stdin").read_text("utf-8")) == inputs
    sent = called(codes["curl"])
    assert json.loads(sent[sent.index("--data-raw") + 1])["inputs"] == inputs
    made = compile(codes["Python"], "copied", "exec")
    assert text in str(made.co_consts) or repr(text)[1:-1] in repr(made.co_consts)
    assert json.loads(codes["HTTP"].partition("\n\n")[2])["connection"] == text


@pytest.mark.parametrize(
    "target", ["//evil.example.com", "/\\evil.example.com", "https:evil.example.com", "%0d%0aX-Evil: 1"]
)
def test_attack_41_signing_in_leads_nowhere_else(web: Web, target: str) -> None:
    found = web.stranger().post(f"/sign-in?next={target}", data={"token": web.token("operator")}, headers=HERE)
    assert found.headers["Location"] == "/connections"
    assert "X-Evil" not in found.headers
    data = {"token": web.token("operator"), "to": unquote(target)}
    found = web.stranger().post("/sign-in", data=data, headers=HERE)
    assert found.headers["Location"] == "/connections"


def test_signing_in_leads_to_the_window_that_was_asked_for(web: Web) -> None:
    client = web.stranger()
    asked = client.get("/history?status=Failed&connection=prod")
    shown = client.get(asked.headers["Location"]).text
    [to] = set(re.findall(r'name="to" value="([^"]*)"', shown))
    found = client.post("/sign-in", data={"token": web.token("operator"), "to": html.unescape(to)}, headers=HERE)
    assert found.headers["Location"] == "/history?status=Failed&connection=prod"


def test_attack_43_a_download_is_a_file(web: Web) -> None:
    client = signed_in(web)
    found = client.post("/run", data={"connection": "prod", "command": "list_users"}, headers=HERE)
    run = re.search(r"/run/([0-9a-f-]+)/raw\.json", found.text)
    assert run is not None
    got = client.get(f"/run/{run[1]}/raw.json")
    assert got.headers["Content-Disposition"].startswith("attachment; filename=")
    assert got.headers["Content-Type"] == "application/json"
    other = signed_in(web, "ann page", Scope.RUN, user="ann", site="hq")
    assert other.get(f"/run/{run[1]}/raw.json").status_code == 404
    assert other.get(f"/run/{run[1]}").status_code == 404
    assert other.post(f"/run/{run[1]}/cancel", headers=HERE).status_code == 404


def test_attack_12_windows_of_what_one_may_not_see(web: Web) -> None:
    eve = signed_in(web, "eve page", Scope.RUN, Scope.CONNECTIONS, user="eve", site="away")
    for path in ("/connections/prod/edit", "/connections/prod/remove", "/run?connection=prod"):
        there, gone = eve.get(path), eve.get(path.replace("prod", "prxd"))
        assert there.status_code == gone.status_code == 404
        plain = [re.sub(r"nonce=\"\w+\"|nonce-\w+", "", one.text) for one in (there, gone)]
        assert plain[0].replace("prod", "prxd") == plain[1]
    for path in ("/audit", "/places", "/tokens"):
        assert eve.get(path).status_code == 403
        assert f'href="{path}"' not in eve.get("/connections").text
    assert "prod" not in eve.get("/connections").text


def test_attack_45_deep_and_wide_raw_data(web: Web) -> None:
    from connector_host.web.page.views import SHOWN, pretty

    deep: Any = "x"
    for _ in range(600):
        deep = [deep]
    assert len(pretty(deep)) <= SHOWN + 200
    assert len(pretty({str(number): number for number in range(100_000)})) <= SHOWN + 200
    assert len(pretty("x" * 1_000_000)) <= SHOWN + 200


def test_every_template_escapes_by_itself() -> None:
    from connector_host.web.page.pages import HERE as FOLDER

    texts = {file.name: file.read_text("utf-8") for file in (FOLDER / "templates").glob("*.html")}
    assert len(texts) >= 15
    assert [name for name, text in texts.items() if "|safe" in text.replace(" ", "") or "autoescape" in text] == []
    bare = [
        name for name, text in texts.items() for tag in re.findall(r"<[^>]*\shx-[^>]*>", text) if "hx-nonce" not in tag
    ]
    assert bare == []


@pytest.fixture
def marked(web: Web) -> Web:
    """Connections, a site and runs whose every text is markup."""

    async def work(session: Session) -> None:
        for number, text in enumerate(MARKUP):
            where = {"server_url": web.sandbox.base, "event_url": web.sandbox.base}
            fields = {"site": "hq", "description": text, "allowed_users": (text,)}
            name = f"{number} {text}"[:100]
            await session.connections.add(name, "pagerduty", Change(fields, where, {"api_key": API_KEY}))
            await session.run("pagerduty", "list_users", name, {"query": text})
            await session.run("pagerduty", "get_user_contact_methods", name, {"user_ids": [text]})

    web.world.use(work)
    return web


@contextmanager
def browsing(web: Web) -> Iterator[tuple[Any, list[str]]]:
    """The operator's page in a browser, signed in; and what it says on its console or asks in a dialog."""
    token_id = web.token("operator").split("_")[1]
    link = web.world.use(lambda session: session.tokens.link(token_id))
    said: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.goto(f"{web.base}/sign-in#{link}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/connections")
        yield page, said
        browser.close()


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.timeout(180)
def test_attack_34_markup_in_every_text_is_text(marked: Web) -> None:
    client = marked.client()
    with browsing(marked) as (page, said):
        before = client.get("/api/v1/tokens").json()["items"]
        for path in (
            "/connections",
            "/history",
            "/audit",
            "/run",
            "/integrations/pagerduty",
            "/integrations?q=" + MARKUP[1],
        ):
            page.goto(f"{marked.base}{path}")
            page.wait_for_timeout(150)
            assert page.title() != "gotcha"
            assert page.locator("main script, main img[src=x], main [hx-trigger=load]").count() == 0
        for number in range(len(MARKUP)):
            page.goto(f"{marked.base}/connections?q={number} ")
            page.locator("tbody a").first.click()
            page.wait_for_load_state()
            assert page.title() != "gotcha"
        page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', " + json.dumps(MARKUP[3]) + ")")
        page.wait_for_timeout(400)
    assert [one for one in said if "gotcha" in one or one.startswith("dialog")] == []
    after = client.get("/api/v1/tokens").json()["items"]
    assert [token["id"] for token in after] == [token["id"] for token in before]


def test_attack_46_no_frame_and_no_listener(web: Web) -> None:
    script = Path(str(Path(__file__).parents[2] / "connector_host" / "web" / "static" / "page.js")).read_text("utf-8")
    assert signed_in(web).get("/connections").headers["X-Frame-Options"] == "DENY"
    for word in ("postMessage", "serviceWorker", "innerHTML", "eval(", '"message"'):
        assert word not in script


def test_attack_47_wrong_tokens_are_slowed_and_told_alike(web: Web) -> None:
    texts = set()
    codes = []
    for guess in ["x", "ch_000000000000_" + "0" * 72, *(f"guess {number}" for number in range(14))]:
        found = web.stranger().post("/sign-in", data={"token": guess}, headers=HERE)
        codes.append(found.status_code)
        if found.status_code == 401:
            texts.add(re.sub(r"\w{24,}", "", found.text))
    assert codes[-1] == 429
    assert len(texts) <= 1


@pytest.mark.parametrize("how", [{"connections": ("nothing",)}, {"plugins": ("opsgenie",)}], ids=str)
@pytest.mark.parametrize("path", [one for one in GETS if "prod" in one])
def test_attack_07_a_narrowed_token_at_each_window(web: Web, how: dict[str, Any], path: str) -> None:
    who: dict[str, Any] = {"user": "ann", "site": "hq"}
    client = signed_in(web, f"narrow page {how}", Scope.RUN, Scope.CONNECTIONS, **who, **how)
    assert client.get(path).status_code == 404
    for action in ("edit", "test", "remove"):
        assert client.post(f"/connections/prod/{action}", data={"action": "save"}, headers=HERE).status_code == 404
    assert web.client().get("/api/v1/connections/prod").status_code == 200


@pytest.mark.parametrize(
    "data", [{"version": "abc"}, {"version": "²"}, {"version": "9" * 5000}], ids=lambda one: one["version"][:5]
)
def test_attack_20_odd_fields_are_told(web: Web, data: dict[str, str]) -> None:
    assert (
        signed_in(web).post("/connections/prod/edit", data={**data, "action": "save"}, headers=HERE).status_code == 422
    )


def test_attack_20_forms_that_are_none(web: Web) -> None:
    client = signed_in(web)
    many = {f"field{number}": "x" for number in range(2600)}
    assert client.post("/places", data=many, headers=HERE).status_code in (413, 422)
    multipart = {**HERE, "Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/places", content=b"a", headers=multipart).status_code in (413, 422)
    assert web.stranger().post("/sign-in", content=b"a", headers=multipart).status_code in (401, 413, 422, 429)
    deep = {"connection": "prod", "command": "create_event", "i:links": "[" * 30_000}
    assert client.post("/run", data=deep, headers=HERE).status_code in (200, 422)


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.timeout(120)
def test_a_run_that_takes_long_is_shown_cancelled_and_ends(web: Web) -> None:
    with browsing(web) as (page, said):
        page.goto(f"{web.base}/run?connection=slow&command=get_all_schedules")
        page.get_by_role("button", name="Run", exact=True).dblclick()
        playwright.expect(page.locator("#result")).to_contain_text("Running")
        playwright.expect(page.locator("#result .status")).to_contain_text("Passed", timeout=20_000)
        page.goto(f"{web.base}/run?connection=slow&command=acknowledge_event")
        page.get_by_label("Dedup Key").fill("nothing")
        page.get_by_label("Verify", exact=True).select_option("true")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("button", name="Cancel").click()
        playwright.expect(page.locator("#result .status")).to_contain_text("Cancelled", timeout=20_000)
        runs = web.client().get("/api/v1/invocations?connection=slow&limit=20").json()["items"]
        assert [one["command"] for one in runs].count("get_all_schedules") == 1
    assert said == []
