"""The HTTP API as a program in another language uses it."""

import json
import threading
import time
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from connector_host.app import App
from connector_host.model.token import Scope
from connector_host.web.openapi import openapi
from connector_host.web.server import TABLE
from tests.web.conftest import Web, serving
from tests.world import API_KEY


def test_the_document_is_openapi_and_small() -> None:
    registry = App().plugins
    whole = openapi(registry, TABLE, "http://127.0.0.1:8080")
    OpenAPIV31SpecValidator(whole).validate()
    pagerduty = json.dumps(openapi(registry, TABLE, "http://127.0.0.1:8080", ["pagerduty"]), separators=(",", ":"))
    assert len(pagerduty) <= 150_000
    assert "/api/v1/plugins/pagerduty/commands/create_event" in pagerduty
    assert "opsgenie" not in pagerduty
    operations = [one["operationId"] for path in whole["paths"].values() for one in path.values()]
    assert len(operations) == len(set(operations)) > 95


def test_the_document_of_the_server_and_of_the_command_line_is_one(web: Web) -> None:
    served = web.client().get("/openapi.json").json()
    made = openapi(App().plugins, TABLE, served["servers"][0]["url"])
    assert served == json.loads(json.dumps(made))


def test_a_connection_from_beginning_to_end(web: Web) -> None:
    client = web.client()
    where = {"server_url": web.sandbox.base, "event_url": web.sandbox.base}
    body = {
        "name": "new one/é",
        "plugin": "pagerduty",
        "site": "hq",
        "parameters": where,
        "secrets": {"api_key": API_KEY},
    }
    tested = client.post("/api/v1/connections/test", json=body)
    assert (tested.status_code, tested.json()["status"]) == (200, "Passed")
    probed = client.post("/api/v1/connections/test", json={**body, "inputs": {"probe_rights": True}}).json()
    assert any("23 of 57 may be run" in note for note in probed["notes"])
    added = client.post("/api/v1/connections", json=body)
    assert added.status_code == 201, added.text
    place, tag = added.headers["Location"], added.headers["ETag"]
    assert API_KEY not in added.text
    shown = client.get(place)
    assert (shown.json()["name"], shown.headers["ETag"]) == ("new one/é", tag)
    assert client.post(f"{place}/test", json={}).json()["status"] == "Passed"
    assert client.patch(place, json={"description": "ours"}).status_code == 428
    changed = client.patch(place, json={"description": "ours"}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["description"]) == (200, "ours")
    assert client.patch(place, json={"description": "x"}, headers={"If-Match": tag}).status_code == 412
    assert client.get(f"{place}/diagnosis").status_code == 200
    assert client.delete(place, headers={"If-Match": tag}).status_code == 412
    assert client.delete(place, headers={"If-Match": changed.headers["ETag"]}).status_code == 204
    assert client.get(place).status_code == 404


def test_a_command_by_its_own_address_and_by_the_general_one(web: Web) -> None:
    client = web.client()
    typed = client.post("/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={"query": "kyler"})
    body = {"plugin": "pagerduty", "command": "list_users", "connection": "prod", "inputs": {"query": "kyler"}}
    general = client.post("/api/v1/invocations", json=body)
    schema = json.loads((App().plugins.schemas / "result.schema.json").read_text("utf-8"))
    for found in (typed, general):
        jsonschema_rs.validate(schema, found.json())
        assert (found.status_code, found.json()["key_fields"]) == (200, {"UserIDs": ["PU00001"]})
    looked_up = client.get(general.headers["Content-Location"]).json()
    assert looked_up["result"]["invocation_id"] == general.json()["invocation_id"]


def test_a_partial_result_is_200_with_its_error_tab(web: Web) -> None:
    ids = {"user_ids": ["PU00001", "PNOBODY"]}
    found = web.client().post("/api/v1/plugins/pagerduty/commands/get_user_contact_methods?connection=prod", json=ids)
    assert (found.status_code, found.json()["status"]) == (200, "Partially Successful")
    assert found.json()["error"]["entries"][0]["item"] == "PNOBODY"


def test_one_that_takes_long_is_watched_and_cancelled(web: Web) -> None:
    client = web.client()
    ids = {"user_ids": ["PU00001", "PU00002", "PU00003"]}
    address = "/api/v1/plugins/pagerduty/commands/get_user_contact_methods?connection=slow"
    begun = client.post(address, json=ids, headers={"Prefer": "respond-async"})
    assert begun.status_code == 202
    place = begun.headers["Location"]
    assert client.get(place).json()["state"] == "running"
    events: list[str] = []
    with client.stream("GET", f"{place}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events += [line for line in stream.iter_lines() if line.startswith("event:")]
    assert events[-1] == "event: finished"
    assert "event: progress" in events
    assert client.get(place).json()["result"]["status"] == "Passed"

    again = client.post(address, json=ids, headers={"Prefer": "respond-async"}).headers["Location"]
    assert client.delete(again).status_code == 204
    cancelled = client.get(again).json()["result"]
    assert cancelled["status"] in ("Failed", "Partially Successful")
    assert "cancelled" in json.dumps(cancelled)


def test_a_client_that_goes_away_ends_no_command(web: Web) -> None:
    body = {"plugin": "pagerduty", "command": "list_teams", "connection": "slow"}
    with pytest.raises(httpx2.TimeoutException):
        web.client().post("/api/v1/invocations", json=body, timeout=0.2)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        newest = web.client().get("/api/v1/invocations?connection=slow&limit=5").json()["items"]
        if any(one["command"] == "list_teams" and one["status"] == "Passed" for one in newest):
            return
        time.sleep(0.1)
    pytest.fail("the command did not end")


def test_an_idempotency_key_runs_a_command_once(web: Web) -> None:
    client = web.client()
    body = {"plugin": "pagerduty", "command": "list_users", "connection": "prod", "inputs": {"query": "kyler"}}
    key = {"Idempotency-Key": "alert-1"}
    first, again = (client.post("/api/v1/invocations", json=body, headers=key).json() for _ in range(2))
    assert first["invocation_id"] == again["invocation_id"]
    other = client.post("/api/v1/invocations", json={**body, "inputs": {"query": "x"}}, headers=key)
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (422, "invalid")


def test_while_the_first_call_of_a_key_runs_the_second_is_told_to_wait(web: Web) -> None:
    body = {"plugin": "pagerduty", "command": "list_users", "connection": "slow"}
    answers: list[int] = []

    def call(client: httpx2.Client) -> None:
        answers.append(client.post("/api/v1/invocations", json=body, headers={"Idempotency-Key": "k2"}).status_code)

    clients = [web.client() for _ in range(4)]
    for client in clients:
        client.get("/api/v1/plugins")  # so that each has its connection open
    threads = [threading.Thread(target=call, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]


def test_options_files_sites_tokens_audit(web: Web) -> None:
    client = web.client()
    place = "/api/v1/plugins/pagerduty/commands/create_event/options/severity"
    assert [one["value"] for one in client.get(place).json()["items"]] == ["Critical", "Warning", "Error", "Info"]
    kept = client.post("/api/v1/files?name=a.txt", content=b"hello", headers={"Content-Type": "text/plain"})
    assert kept.status_code == 201
    assert client.delete(f"/api/v1/files/{kept.json()['reference']}").status_code == 204
    assert client.post("/api/v1/sites", json={"name": "lab", "tenant": "us"}).json()["internal"] is True
    assert client.delete("/api/v1/sites/lab").status_code == 204
    made = client.post("/api/v1/tokens", json={"name": "t", "scopes": ["read"], "user": "ann", "site": "hq"})
    assert made.json()["token"].startswith("ch_")
    listed = client.get("/api/v1/tokens").text
    assert made.json()["id"] in listed
    assert made.json()["token"] not in listed
    assert client.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204
    assert any(one["action"] == "token.revoked" for one in client.get("/api/v1/audit").json()["items"])


def test_a_form_covers_every_parameter_of_every_plugin(web: Web) -> None:
    from connector_host.manifests.forms import WIDGETS, form_of

    seen: set[str] = set()
    for manifest in App().plugins.plugins.values():
        forms: list[tuple[Any, Any]] = [(form_of(manifest), manifest.connection)]
        forms += [(form_of(one), one.input) for one in manifest.commands.values()]
        for form, schema in forms:
            assert {field.name for field in form.fields} == set(schema.get("properties", {}))
            for field in form.fields:
                assert field.widget in WIDGETS
                assert field.title
                assert field.required == (field.name in schema.get("required", ()))
                assert field.sealed == bool(schema["properties"][field.name].get("writeOnly"))
                seen.add(field.widget)
    assert {"text", "secret", "choice", "list", "json", "date-time", "url", "checkbox", "number"} <= seen
    shown = web.client().get("/api/v1/plugins/pagerduty/commands/create_event").json()
    assert shown["form"]["fields"][0]["required"] is True


def test_health_and_metrics(web: Web) -> None:
    stranger = web.stranger()
    assert stranger.get("/healthz").text == "ok\n"
    assert stranger.get("/readyz").text == "ready\n"
    assert stranger.get("/metrics").status_code == 401
    web.client().post("/api/v1/plugins/pagerduty/commands/list_users?connection=prod", json={})
    text = web.client().get("/metrics").text
    assert 'connector_host_invocations_total{plugin="pagerduty",command="list_users",status="Passed"}' in text
    assert 'connection="prod"' in text
    assert web.client("reader", Scope.READ, user="ann", site="hq").get("/metrics").status_code == 403


def test_an_id_of_the_callers_own_comes_back(web: Web) -> None:
    answer = web.client().get("/api/v1/plugins", headers={"X-Request-Id": "abc-1"})
    assert answer.headers["X-Request-Id"] == "abc-1"
    problem = web.client().get("/api/v1/plugins/nothing", headers={"X-Request-Id": "abc-2"}).json()
    assert problem["request_id"] == "abc-2"
    assert (
        web.stranger().get(problem["type"].partition("127.0.0.1")[2].partition("/")[2].join("/ ").strip()).status_code
        == 200
    )


def test_each_problem_is_explained(web: Web) -> None:
    from connector_host.web.problems import KINDS

    for slug in KINDS:
        assert KINDS[slug].title in web.stranger().get(f"/problems/{slug}").text
    assert web.stranger().get("/problems/none").status_code == 404


def test_without_http_it_runs_the_checks_alone(tmp_path: Any) -> None:
    with serving(tmp_path, "--no-http", expect="(Running health checks)") as told:
        assert told == "Running health checks"


def test_the_newest_checks_of_many_connections_are_read_at_once(web: Web) -> None:
    from connector_host import Change, HealthCheck

    async def work(session: Any) -> Any:
        await session.connections.edit("prod", Change({"health_check": HealthCheck(1)}))
        for _ in range(2):
            await session.health.run_due()
        return await session.connections.checks_of(["prod", "named"], 40)

    found = web.world.use(work)
    assert (list(found["prod"]), list(found["named"])) == (["Passed"], [])


def test_a_call_refused_for_its_inputs_is_told_at_its_place(web: Web) -> None:
    client, path = web.client(), "/api/v1/plugins/pagerduty/commands/create_event?connection=prod"
    begun = client.post(path, json={"severity": "Purple"}, headers={"Prefer": "respond-async"})
    assert begun.status_code == 202
    until = time.monotonic() + 10
    while (told := client.get(begun.headers["Location"])).json()["state"] != "finished":
        assert time.monotonic() < until
    assert (told.status_code, told.json()["result"]["status"]) == (200, "Failed")
    assert web.client("another reader", Scope.READ, user="zoe").get(begun.headers["Location"]).status_code == 404
    once = client.post(path, json={"severity": "Purple"})
    assert client.get(once.headers["Content-Location"]).status_code == 200


def test_a_repeated_call_leads_to_the_first_one(web: Web) -> None:
    client, path = web.client(), "/api/v1/plugins/pagerduty/commands/list_users?connection=prod"
    key = {"Idempotency-Key": "leads-to-the-first"}
    first, again = (client.post(path, json={}, headers=key) for _ in range(2))
    assert first.headers["Content-Location"] == again.headers["Content-Location"]
    assert client.get(again.headers["Content-Location"]).status_code == 200


def test_another_method_is_told_all_that_there_are(web: Web) -> None:
    client = web.client()
    for path, methods in (("/connections/prod", "DELETE, GET, PATCH"), ("/invocations", "GET, POST")):
        told = client.put(f"/api/v1{path}", json={})
        assert (told.status_code, told.headers["allow"]) == (405, methods)


def test_a_parameter_that_is_none_is_told(web: Web) -> None:
    told = web.client().get("/api/v1/invocations?error=Purple")
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (422, "/query/error")
    assert "There are: connection, plugin, command" in told.json()["errors"][0]["detail"]
    assert "It takes none." in web.client().get("/api/v1/connections/prod?x=1").text
