"""What programs that embed the host, or run its command line, need: one document always, exceptions, exit codes."""

import json
import subprocess
import sys
from typing import Any

import anyio
import jsonschema
import pytest

from connector_host import (
    BadSetting,
    Caller,
    Change,
    CommandFailed,
    Configuration,
    NotAllowed,
    Options,
    Status,
    WrongUse,
    open_host,
)
from connector_host.blocking import run_once
from connector_host.configuration import bundled
from tests.own import own, run
from tests.world import API_KEY, INTEGRATION_KEY, SENDER, Sandbox, World, http, raw_server

HOST = [sys.executable, "-m", "connector_host"]
SCHEMA = json.loads((bundled() / "schemas" / "error.schema.json").read_text("utf-8"))


def told(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*HOST, *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "words",
    [
        ["connections", "show", "nobody", "--output", "json"],
        ["test-command", "nobody", "x", "--output=json"],
        ["test-command", "pagerduty", "list-users", "--output", "json"],
        ["connections", "remove", "x", "--output", "json"],
        ["history", "list", "--limit", "many", "--output", "json"],
        ["nonsense", "--output", "json"],
    ],
)
def test_wrong_use_prints_one_document_too(words: list[str]) -> None:
    done = told(*words)
    assert done.returncode == 2
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["error"]["exit_code"] == 2
    assert document["error"]["message"].split("\n")[0] in done.stderr


def test_a_runner_that_takes_every_other_code_for_a_failure_is_given_none(prod: World) -> None:
    ids = ["--user-ids", '["PU00001", "PNOBODY"]', "--connection", "prod"]
    command = [*HOST, "test-command", "pagerduty", "get-user-contact-methods", *ids]
    for more, code in (([], 3), (["--partial-ok"], 0)):
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr


def failing(tmp_path: Any, status: str) -> Any:
    with raw_server(http(status, b"{}", "Content-Type: application/json", "Retry-After: 0")) as (base, _):
        commands = "  go: {title: Go, request: {server: api, method: POST, path: /go}}\n"
        return run(own(tmp_path, commands, base), "go", seconds=5)


@pytest.mark.parametrize(
    ("status", "again"), [("429 Too Many", True), ("500 Oops", True), ("404 Gone", False), ("401 No", False)]
)
def test_a_failure_says_whether_it_is_worth_another_try(tmp_path: Any, status: str, again: bool) -> None:
    result = failing(tmp_path, status)
    assert [entry.retryable for entry in result.errors] == [again]


def test_a_failure_is_an_exception_for_those_who_want_one(tmp_path: Any) -> None:
    result = failing(tmp_path, "404 Gone")
    with pytest.raises(CommandFailed, match=r"Failed\. Go failed\. Status Code: 404") as caught:
        result.raise_for_failure()
    assert caught.value.result is result


def test_partial_success_is_an_exception_unless_it_is_said_to_be_fine(prod: World) -> None:
    inputs = {"user_ids": ["PU00001", "PNOBODY"]}
    result = prod.run("get_user_contact_methods", inputs)
    assert result.status is Status.PARTIAL
    with pytest.raises(CommandFailed, match=r"PNOBODY|[Nn]ot [Ff]ound"):
        result.raise_for_failure()
    assert result.raise_for_failure(partial_ok=True) is result


VALUES = {"default_from": SENDER, "api_key": API_KEY, "integration_key": INTEGRATION_KEY}


def test_a_command_runs_with_values_that_come_with_the_call(world: World, sandbox: Sandbox) -> None:
    values = {**VALUES, "server_url": sandbox.base, "event_url": sandbox.base}

    async def both(host: Any) -> Any:
        kept = Options()
        first = await host.run_with("pagerduty", "list_users", values, {"query": "kyler"})
        second = await host.run_with("pagerduty", "create_event", values, EVENT, options=kept)
        return first, second, await host.history(), await host.connections.list()

    first, second, records, connections = world.use(both)
    assert (first.status, second.status) == (Status.PASSED, Status.PASSED)
    assert [record.command for record in records] == ["create_event"]
    assert connections == []
    assert API_KEY not in first.json() + second.json() + str(records)
    assert API_KEY.encode() not in b"".join(file.read_bytes() for file in world.home.rglob("*") if file.is_file())


EVENT = {"summary": "s", "severity": "Info", "source": "s"}


@pytest.mark.parametrize("caller", [Caller(), Caller("ann")])
def test_a_caller_leads_values_nowhere_inside(world: World, sandbox: Sandbox, caller: Caller) -> None:
    values = {**VALUES, "server_url": sandbox.base, "event_url": sandbox.base}
    with pytest.raises((NotAllowed, BadSetting)):
        world.use(lambda host: host.run_with("pagerduty", "list_users", values), caller)
    assert sandbox.requests == []


def test_wrong_values_and_a_key_are_refused_in_words(world: World) -> None:
    with pytest.raises(BadSetting, match="no_such"):
        world.use(lambda host: host.run_with("pagerduty", "list_users", {**VALUES, "no_such": "x"}))
    key = Options(idempotency_key="k")
    with pytest.raises(WrongUse, match="needs a stored connection"):
        world.use(lambda host: host.run_with("pagerduty", "list_users", VALUES, options=key))


@pytest.mark.parametrize("beside_a_loop", [False, True])
def test_one_call_without_a_loop_is_enough(tmp_path: Any, sandbox: Sandbox, beside_a_loop: bool) -> None:
    values = {**VALUES, "server_url": sandbox.base, "event_url": sandbox.base}

    def once() -> Any:
        where = Configuration(home=tmp_path / "home")
        return run_once("pagerduty", "list_users", values, {"query": "kyler"}, configuration=where)

    async def within() -> Any:
        return once()

    result = anyio.run(within) if beside_a_loop else once()
    assert result.status is Status.PASSED
    assert len(result.raw_data["users"]) == 1


def test_the_command_line_takes_values_in_place_of_a_connection(sandbox: Sandbox, monkeypatch: Any) -> None:
    monkeypatch.setenv("K", API_KEY)
    where = [f"--set=server_url={sandbox.base}", f"--set=event_url={sandbox.base}", "--secret=api_key=env:K"]
    done = told("test-command", "pagerduty", "list-users", *where, "--query", "kyler", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["connection"] == "given with the call"
    assert json.loads(told("connections", "list", "--output", "json").stdout) in ([], {"connections": []})
    assert told("test-command", "pagerduty", "list-users", *where, "--sandbox").returncode == 2


def test_every_public_error_passes_from_one_process_to_another(prod: World) -> None:
    import pickle

    import connector_host
    from connector_host import ConnectorHostError

    names = [name for name in connector_host.__all__ if isinstance(getattr(connector_host, name), type)]
    kinds = [getattr(connector_host, name) for name in names]
    errors = [kind for kind in kinds if issubclass(kind, ConnectorHostError)]
    assert len(errors) > 35
    result = prod.run("get_user_contact_methods", {"user_ids": ["PNOBODY"]})
    made = [_example_of(kind, result) for kind in errors]
    for error in made:
        back = pickle.loads(pickle.dumps(error))
        assert (type(back), str(back)) == (type(error), str(error))
        if isinstance(error, CommandFailed):
            assert back.result == result


def _example_of(kind: type, result: Any) -> Any:
    import inspect

    from connector_host import ManifestError, RotationIncomplete

    special: dict[type, tuple[Any, ...]] = {
        CommandFailed: (result,),
        ManifestError: ((),),
        RotationIncomplete: (1, {"prod": "its key is not there"}),
    }
    if kind in special:
        return kind(*special[kind])
    needed = [
        one
        for one in inspect.signature(kind).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return kind(*["x" for _ in needed])


def test_who_looks_on_does_not_decide_over_the_command(prod: World) -> None:
    told: list[int] = []

    def broken(done: int, _total: int | None) -> None:
        told.append(done)
        raise RuntimeError("boom")

    ids = {"user_ids": ["PU00001", "PU00002"]}
    result = prod.use(
        lambda host: host.run("pagerduty", "get_user_contact_methods", "prod", ids, options=Options(progress=broken))
    )
    assert (result.status, told) == (Status.PASSED, [1])


def test_a_session_is_for_a_caller(prod: World) -> None:
    async def work(_operator: Any) -> None:
        async with open_host(prod.configuration) as host:
            with pytest.raises(WrongUse, match="not for str"):
                host.acting_for("ann")  # type: ignore[arg-type]

    prod.use(work)


def test_a_parameter_among_the_fields_is_told_as_that(prod: World, sandbox: Sandbox) -> None:
    change = Change({"server_url": sandbox.base})
    with pytest.raises(BadSetting, match="no field 'server_url'"):
        prod.use(lambda host: host.connections.add("other", "pagerduty", change))
