"""The page's windows without a browser: what is mended on the list, changed many at once, mapped, compared, set."""

import html
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from connector_host import Change
from connector_host.model.token import Scope
from tests.attacks.test_page import HERE, signed_in
from tests.plugins.test_pagerduty_commands import RANGE
from tests.web.conftest import Web, serving
from tests.web.conftest import web as web  # noqa: PLC0414 - the fixture
from tests.world import API_KEY, World, pagerduty_sandbox

WRONG_KEY = "u+wrongwrongwrongwr/"


@pytest.fixture
def broken(web: Web) -> Iterator[Web]:
    """A connection `mended` whose key is refused."""
    where = {"server_url": web.sandbox.base, "event_url": web.sandbox.base}

    async def work(session: Any) -> None:
        if "mended" not in [one.connection.name for one in await session.connections.list()]:
            await session.connections.add("mended", "pagerduty", Change({}, where, {"api_key": API_KEY}))
        await session.connections.edit("mended", Change(secrets={"api_key": WRONG_KEY}))
        await session.test("mended")
        await session.run("pagerduty", "list_users", "mended")

    web.sandbox.faults.status, web.sandbox.faults.left = 401, 1000
    web.world.use(work)
    yield web
    web.sandbox.faults.left = 0


def posted(client: httpx2.Client, path: str, **data: Any) -> httpx2.Response:
    return client.post(path, data=data, headers={**HERE, "HX-Request": "true"})


def test_a_card_says_what_fails_and_mends_it(broken: Web) -> None:
    client = signed_in(broken)
    page = client.get("/connections?q=mended").text
    assert 'aria-label="mended is in trouble"' in page
    assert 'name="secret"' in page
    assert "Run the 1 failed again" in page
    assert f"It is sent to {broken.sandbox.base}" in page
    [version] = re.findall(r'name="version" value="(\d+)"', page)
    fields = {"parameter": "api_key", "secret": API_KEY, "version": version}
    refused = posted(client, "/connections/mended/repair", **fields)
    assert "It was not saved." in refused.text
    empty = posted(client, "/connections/mended/repair", **{**fields, "secret": ""})
    assert "Type the new secret first." in empty.text
    broken.sandbox.faults.left = 0
    for stale in ({"version": ""}, {"version": str(int(version) - 1)}):
        told = posted(client, "/connections/mended/repair", **{**fields, **stale})
        assert "It was not saved." in told.text  # whoever changed where it leads meanwhile gets no secret
        assert "✔" not in told.text
    saved = posted(client, "/connections/mended/repair", **fields)
    assert "✔ Passed" in saved.text
    assert API_KEY not in saved.text + page
    assert "is in trouble" not in client.get("/connections?q=mended").text


def test_the_card_stands_in_test_command_too(broken: Web) -> None:
    client = signed_in(broken)
    page = client.get("/run?connection=mended&command=list_users").text
    assert 'aria-label="mended is in trouble"' in page
    assert 'hx-post="/connections/mended/repair"' in page
    assert "is in trouble" not in client.get("/run?connection=prod&command=list_users").text
    reader = signed_in(broken, "runner", Scope.RUN, user="ann", site="hq")
    assert 'name="secret"' not in reader.get("/run?connection=mended").text
    broken.sandbox.faults.left = 0
    broken.world.use(lambda session: session.test("mended"))
    assert "is in trouble" not in client.get("/run?connection=mended&command=list_users").text


def test_what_failed_is_run_again_under_ones_own_rights(broken: Web) -> None:
    client = signed_in(broken)
    found = posted(client, "/connections/mended/again")
    [place] = re.findall(r'href="(/history/[0-9a-f-]+)"', found.text)
    assert "list_users" in client.get(place).text
    reader = signed_in(broken, "card reader", Scope.READ, user="rea", site="hq")
    assert posted(reader, "/connections/mended/again").text.count("/history/") == 0


def test_what_writes_is_run_again_by_whom_may_write_alone(web: Web) -> None:
    """A command that never reached the product did nothing, and could be run again; not by a token that reads."""
    who = {"user": "wil", "site": "hq"}
    token = web.client("runs", Scope.RUN, **who)
    event = {"plugin": "pagerduty", "command": "create_event", "connection": "nowhere"}
    where = {"server_url": "http://127.0.0.1:9", "event_url": "http://127.0.0.1:9"}

    async def add(session: Any) -> None:
        secrets = {"api_key": API_KEY, "integration_key": "34be7512aaaabbbbccccdddd3c3534ca"}
        await session.connections.add("nowhere", "pagerduty", Change({"site": "hq"}, where, secrets))

    web.world.use(add)
    inputs = {"summary": "s", "severity": "Info", "source": "x"}
    run = token.post("/api/v1/invocations", json={**event, "inputs": inputs, "deadline_seconds": 3}).json()
    assert (run["status"], run["effect"]) == ("Failed", "none")
    before = len(web.world.use(lambda session: session.history(500)))
    reads = signed_in(web, "reads only", Scope.RUN_READ_ONLY, Scope.READ, **who)
    assert "None of them can be run again" in posted(reads, "/connections/nowhere/again").text
    assert len(web.world.use(lambda session: session.history(500))) == before


def test_an_edit_is_undone_from_its_card(web: Web) -> None:
    web.world.use(lambda session: session.connections.edit("named", Change({"description": "by mistake"})))
    client = signed_in(web)
    done = client.post("/connections/named/undo", headers=HERE)
    assert (done.status_code, done.headers["Location"]) == (303, "/connections?undone=named")
    assert "by mistake" not in client.get("/connections?q=named").text


def test_many_are_changed_after_a_look_at_each(web: Web) -> None:
    client = signed_in(web)
    asked = {"names": ["prod", "named"], "action": "check", "minutes": "7"}
    look = client.post("/connections/many", data=asked, headers=HERE)
    assert look.text.count("health check: none → every 7 min, nobody told after 3 failures") == 2
    assert web.world.use(lambda session: session.connections.show("prod"))["health_check"] is None
    done = client.post("/connections/many", data={**asked, "confirmed": "yes"}, headers=HERE)
    assert "What was changed" in done.text
    assert web.world.use(lambda session: session.connections.show("prod"))["health_check"]["interval_minutes"] == 7
    again = client.post("/connections/many", data=asked, headers=HERE)
    assert again.text.count("it is so already") == 2
    client.post(
        "/connections/many", data={"names": ["prod", "named"], "action": "uncheck", "confirmed": "y"}, headers=HERE
    )
    assert client.post("/connections/many", data={"action": "check"}, headers=HERE).status_code == 422
    assert client.post("/connections/many", data={"names": ["prod"], "action": "x"}, headers=HERE).status_code == 422


def test_history_is_searched_and_compared(web: Web) -> None:
    async def work(session: Any) -> list[str]:
        first = await session.run("pagerduty", "list_users", "prod", {"query": "one"})
        second = await session.run("pagerduty", "list_users", "prod", {"query": "two"})
        return [first.invocation_id, second.invocation_id]

    first, second = web.world.use(work)
    client = signed_in(web)
    page = client.get("/history?command=list_users&connection=prod&status=Passed").text
    assert first in page
    assert second in page
    assert client.get("/history?since=soon").status_code == 422
    assert "Nothing fits." in client.get("/history?text=no-such-error").text
    compared = client.get(f"/history/{second}/compare?with={first}").text
    assert "$.inputs.query" in compared
    assert re.search(r"one</td>.*two</td>", compared)
    assert client.get(f"/history/{second}/compare?with=nothing").status_code == 404
    other = signed_in(web, "compare reader", Scope.READ, user="rea", site="hq")
    assert other.get(f"/history/{second}/compare?with={first}").status_code == 404


def test_a_wrong_time_is_told_beside_what_was_typed(web: Web) -> None:
    told = signed_in(web).get("/history?since=yesterday&text=kept")
    assert told.status_code == 422
    assert "Nothing was looked for." in told.text
    assert 'value="yesterday"' in told.text
    assert 'value="kept"' in told.text


def test_intake_is_scheduled_fetched_and_mapped(web: Web) -> None:
    web.world.use(lambda session: session.ingest("pagerduty", "fetch_incident", "prod", RANGE))
    client = signed_in(web)
    assert "prod" in client.get("/intake").text
    begun = client.post(
        "/intake", data={"action": "schedule", "intake": "prod fetch_incident", "minutes": "9"}, headers=HERE
    )
    assert begun.status_code == 303
    assert "9 min" in client.get("/intake").text
    wrong = {"action": "schedule", "intake": "prod fetch_incident", "begin": "soon"}
    assert "is no time" in client.post("/intake", data=wrong, headers=HERE).text
    assert (
        client.post("/intake", data={"action": "unschedule", "intake": "prod fetch_incident"}, headers=HERE).status_code
        == 303
    )

    place = "/mapping?connection=prod&command=fetch_incident"
    page = client.get(place).text
    assert 'data-path="$.service.summary"' in page
    rows = dict(re.findall(r'name="(version)" value="(\d+)"', page))
    form: dict[str, Any] = {
        "connection": "prod",
        "command": "fetch_incident",
        "version": rows["version"],
        "i.field": ["Service", ""],
        "i.path": [".service.summary", ""],
        "i.default": ["", ""],
        "i.type": ["text", "text"],
        "source": ["0"],
        "s0.name": "Incident",
        "s0.search": "",
        "s0.priority": "100",
        "s0.field": ["Key"],
        "s0.path": [".id"],
        "s0.default": [""],
        "s0.type": ["text"],
    }
    tried = client.post("/mapping", data={**form, "action": "preview"}, headers={**HERE, "HX-Request": "true"})
    assert "<td>Service</td>" in tried.text
    saved = client.post("/mapping", data={**form, "action": "save"}, headers=HERE)
    assert saved.status_code == 303, saved.text
    assert client.post("/mapping", data={**form, "action": "save"}, headers=HERE).status_code == 422  # an old version
    kept = web.world.use(lambda session: session.mappings.get("prod", "fetch_incident"))
    assert [row.field for row in kept.incident_fields] == ["Service"]
    bad = {**form, "i.path": ["service", ""], "version": str(kept.version), "action": "save"}
    refused = client.post("/mapping", data=bad, headers=HERE)
    assert "is no path" in refused.text
    assert 'value="service"' in refused.text  # what was typed stays
    fetched = client.post("/mapping", data={**form, "version": str(kept.version), "action": "fetch"}, headers=HERE)
    assert fetched.status_code == 200
    newest = {**form, "version": str(kept.version)}
    assert client.post("/mapping", data={**newest, "action": "reset"}, headers=HERE).status_code == 303
    reader = signed_in(web, "map reader", Scope.READ, user="rea", site="hq")
    assert reader.post("/mapping", data={**form, "action": "save"}, headers=HERE).status_code == 403
    assert "+ Row" not in reader.get(place).text
    away = signed_in(web, "away mapper", Scope.READ, user="bob", site="away")
    assert away.get(place).status_code == 404


def test_times_are_written_and_read_as_one_set_them(web: Web) -> None:
    client = signed_in(web)
    saved = client.post("/settings", data={"format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"}, headers=HERE)
    assert saved.status_code == 303
    assert client.get("/times", params={"text": "31.01.2026 09:00"}).text.strip() == "= 2026-01-31 08:00:00 UTC"
    assert "write it as DD.MM.YYYY HH:MM" in client.get("/times?text=soon").text
    form = {
        "connection": "prod",
        "command": "fetch_incident",
        "i:start_time": "01.01.2026 01:00",
        "i:end_time": "31.01.2026 01:00",
    }
    client.post("/run", data=form, headers=HERE)
    [asked] = [one for one in web.sandbox.requests if "since=2026-01-01T00" in one.replace("%3A", ":")][:1]
    assert "until=2026-01-31T00" in asked.replace("%3A", ":")
    assert re.search(r'title="\d\d\.\d\d\.\d{4} \d\d:\d\d (CET|CEST)"', client.get("/history").text)
    other = signed_in(web, "other times", Scope.READ, user="rea", site="hq")
    assert "CET" not in other.get("/settings").text.partition("Now: ")[2][:40]  # each has their own
    for wrong in ({"format": "%H:%M", "time_zone": "UTC"}, {"format": "%Y-%m-%d %H:%M", "time_zone": "Mars/Olympus"}):
        assert client.post("/settings", data=wrong, headers=HERE).status_code == 422
    assert client.post("/settings", data={"action": "reset"}, headers=HERE).status_code == 303
    assert " UTC" in client.get("/settings").text


def test_raw_data_is_walked_and_paths_are_tried(web: Web) -> None:
    client = signed_in(web)
    shown = client.post(
        "/run", data={"connection": "prod", "command": "list_users"}, headers={**HERE, "HX-Request": "true"}
    ).text
    [run] = set(re.findall(r'"/run/([0-9a-f-]+)/path"', shown))
    assert 'data-path="$.users[0]"' in shown
    branch = client.get(f"/run/{run}/branch", params={"path": "$.users[0]"}).text
    assert 'data-path="$.users[0].email"' in branch
    found = client.get(f"/run/{run}/path", params={"path": "$.users[*].email"}).text
    assert re.search(r"\d+ values at", found)
    assert "key_fields: {Name: $.users[*].email}" in found
    for wrong in ("users", "$..*", "$[?(@.a)]", "$." + "a" * 600):
        assert "A path is made of names" in client.get(f"/run/{run}/path", params={"path": wrong}).text
    assert client.get(f"/run/{run}/branch", params={"path": "$.users", "first": "1"}).text.count("<li>") > 1
    other = signed_in(web, "tree reader", Scope.RUN_READ_ONLY, user="rea", site="hq")
    assert other.get(f"/run/{run}/path", params={"path": "$"}).status_code == 404


def test_charts_have_their_numbers_in_a_table(web: Web) -> None:
    client = signed_in(web)
    client.post("/run", data={"connection": "prod", "command": "list_users"}, headers=HERE)
    page = client.get("/charts").text
    assert page.count("<svg") == 2
    assert re.search(r"<meter[^>]*aria-label=\"Rate limit of prod\"", page)
    assert client.get("/charts?connection=prod").status_code == 200
    away = signed_in(web, "chart away", Scope.READ, user="bob", site="away")
    assert "prod" not in away.get("/charts").text
    assert away.get("/charts?connection=prod").status_code == 404


def test_choices_are_fetched_and_hidden_fields_say_when(web: Web) -> None:
    client = signed_in(web)
    page = client.get("/run?connection=prod&command=create_incident").text
    assert "/run/options?" in page
    assert "data-visible-if=" in client.get("/run?connection=prod&command=reassign_incident").text
    where = {"connection": "prod", "command": "create_incident", "parameter": "service_id"}
    found = client.get("/run/options", params=where)
    assert "data-choose=" in found.text
    assert client.get("/run/options", params={**where, "parameter": "nothing"}).status_code == 200


@pytest.mark.long
@pytest.mark.timeout(180)
def test_ten_thousand_incidents_open_in_half_a_second(tmp_path: Path) -> None:
    from connector_host.model.token import Token

    world = World(tmp_path / "home")
    with pagerduty_sandbox(incidents=10_000) as sandbox:
        world.add(sandbox.base)
        _, text = world.use(lambda session: session.tokens.add(Token("op", (Scope.ADMIN,))))
        with serving(world.home) as base:
            client = httpx2.Client(base_url=base, trust_env=False, timeout=120)
            client.post("/sign-in", data={"token": text}, headers=HERE)
            form = {"connection": "prod", "command": "fetch_incident", "i:top_recent_incident_number": "20000"}
            times = {"i:start_time": RANGE["start_time"], "i:end_time": RANGE["end_time"]}
            shown = posted(client, "/run", **form, **times).text
            place = re.findall(r"/run/[0-9a-f-]+", shown)[0]
            until = time.monotonic() + 100
            while "complete list, 10000" not in (shown := client.get(place).text):
                assert time.monotonic() < until, shown[:2000]
                time.sleep(0.3)
            took = []
            for _ in range(3):
                begun = time.monotonic()
                shown = client.get(place).text
                took.append(time.monotonic() - begun)
            client.close()
    assert min(took) < 0.5, took
    assert "The first 200 of 10000." in shown
    assert len(shown) < 300_000  # what is not looked at is fetched when it is opened


def test_what_a_test_left_open_is_one_click_away(web: Web) -> None:
    client = signed_in(web)
    where = {"p:server_url": web.sandbox.base, "p:event_url": web.sandbox.base}
    form = {
        "plugin": "pagerduty",
        "f:name": "probed",
        "action": "test",
        "f:active": "on",
        "p:api_key": API_KEY,
        **where,
    }
    quick = posted(client, "/connections/new", **form).text
    assert "Commands</b> known at first use." in quick
    [values] = re.findall(r"hx-vals='([^']+)'", quick)
    assert json.loads(html.unescape(values)) == {"action": "test", "probe:probe_rights": "yes"}
    thorough = posted(client, "/connections/new", **form, **{"probe:probe_rights": "yes"}).text
    assert "GET /incidents is answered." in thorough
    assert "23 of 57 may be run" in thorough
    assert "Resolve Incidents: incidents.write" in thorough.partition("Known at first use")[2]
    [version] = re.findall(r'name="version" value="(\d+)"', client.get("/connections/prod/edit").text)
    edited = posted(
        client, "/connections/prod/edit", action="test", version=version, **where, **{"probe:nothing": "yes"}
    ).text
    assert "known at first use" in edited  # what is no probe is none
    needs = client.get("/integrations/pagerduty").text
    assert 'data-l="Needs">incidents.write' in needs


def test_an_edit_that_cannot_be_undone_is_filled_in_as_before(web: Web) -> None:
    client, elsewhere = signed_in(web), web.sandbox.base.replace("127.0.0.1", "localhost")
    where = {"server_url": web.sandbox.base, "event_url": web.sandbox.base}

    async def work(session: Any) -> None:
        for name in ("led off", "never"):
            await session.connections.add(name, "pagerduty", Change({}, where, {"api_key": API_KEY}))
        there = dict.fromkeys(where, elsewhere)
        change = Change({"description": "moved"}, there, {"api_key": WRONG_KEY})
        await session.connections.edit("led off", change)
        web.sandbox.faults.status, web.sandbox.faults.left = 401, 1
        await session.test("led off")

    web.world.use(work)
    card = client.get("/connections?q=led").text
    assert 'href="/connections/led%20off/edit?former=yes"' in card
    assert "Undo the last edit" not in card
    form = client.get("/connections/led%20off/edit?former=yes").text
    assert "Filled in as before the last edit: event_url, server_url, description." in form
    assert form.count(f'value="{web.sandbox.base}"') == 2
    assert f'value="{elsewhere}"' not in form
    assert 'value="moved"' not in form
    [version] = re.findall(r'name="version" value="(\d+)"', form)
    values = {f"p:{name}": value for name, value in where.items()}
    data = {"f:name": "led off", "f:active": "on", "version": version, "p:api_key": API_KEY, **values}
    saved = client.post("/connections/led%20off/edit", data={**data, "action": "save"}, headers=HERE)
    assert (saved.status_code, posted(client, "/connections/led%20off/test").text.count("Passed")) == (303, 1)
    never = client.get("/connections/never/edit?former=yes")
    assert (never.status_code, "There is no edit of &#39;never&#39; to undo." in never.text) == (422, True)


def test_a_window_that_is_not_there_is_told_as_a_window(web: Web) -> None:
    for client in (signed_in(web), web.stranger()):
        lost = client.get("/conections", headers={"Accept": "text/html,*/*"})
        assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert client.get("/conections").headers["content-type"] == "application/problem+json"
        api = client.get("/api/v1/conections", headers={"Accept": "text/html,*/*"})
        assert (api.status_code, api.headers["content-type"]) == (404, "application/problem+json")


def test_what_was_fetched_is_told_by_its_counts(web: Web) -> None:
    client = signed_in(web)
    form = {"connection": "prod", "command": "fetch_incident", "ingest": "yes"}
    times = {"i:start_time": RANGE["start_time"], "i:end_time": RANGE["end_time"]}
    shown = posted(client, "/run", **form, **times).text
    assert re.search(r"[1-9]\d* fetched:", shown)
    assert ("No records." in shown, "tabpanel" in shown) == (False, False)


def test_names_with_slashes_and_backslashes_have_windows(web: Web) -> None:
    client = signed_in(web)
    where = {"server_url": web.sandbox.base, "event_url": web.sandbox.base}
    for name in ("eu/prod 100%", "back\\slash", "<b>bold</b>"):

        async def work(session: Any, name: str = name) -> None:
            await session.connections.add(name, "pagerduty", Change({}, where, {"api_key": API_KEY}))

        web.world.use(work)
        window = client.get(f"/connections/{quote(name, safe='')}/edit").text
        [address] = set(re.findall(r'hx-post="([^"]+)"', window))
        assert address == f"/connections/{quote(name, safe='')}/edit"
        [version] = re.findall(r'name="version" value="(\d+)"', window)
        form = {f"p:{key}": value for key, value in where.items()}
        tested = client.post(address, data={"action": "test", "version": version, **form}, headers=HERE).text
        assert "✔ Passed" in tested
        assert client.get(f"/static/{quote(name, safe='')}").status_code == 404


def test_the_audit_tells_what_an_edit_changed_and_no_more(web: Web) -> None:
    client = signed_in(web)
    window = client.get("/connections/prod/edit").text
    [version] = re.findall(r'name="version" value="(\d+)"', window)
    form = {"action": "save", "version": version, "f:active": "on", "f:description": f"changed {version}"}
    form |= dict(re.findall(r'name="(p:\w+)"[^>]* value="([^"]+)"', window))
    form |= {"p:server_url": web.sandbox.base, "p:event_url": web.sandbox.base, "p:region": "US", "p:api_version": "v2"}
    assert client.post("/connections/prod/edit", data=form, headers=HERE).status_code == 303
    records = web.world.use(lambda session: session.audit.newest(5))
    details = json.loads(next(one.entry.details for one in records if one.entry.action == "connection.changed"))
    assert details["fields"]["description"] == f"changed {version}"
    assert "active" not in details["fields"]
    assert not {"server_url", "event_url"} & set(details["parameters"])
