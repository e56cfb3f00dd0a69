"""What programs that embed the host, or run its command line, need: one document always, exceptions, exit codes."""

import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from connector_host import CommandFailed, Status
from connector_host.configuration import bundled
from tests.own import own, run
from tests.world import World, http, raw_server

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
