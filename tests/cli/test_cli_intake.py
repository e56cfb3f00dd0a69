"""`intake …`, and `history list` where something is looked for."""

import json
from pathlib import Path

from tests.cli.test_cli import cli
from tests.cli.test_cli import prod as prod  # noqa: PLC0414 - the fixture
from tests.world import Sandbox

WHAT = ("prod", "fetch-incident")


def test_intake_from_schedule_to_reader(prod: Sandbox) -> None:
    begun = cli("intake", "schedule", *WHAT, "--every", "15", "--from", "2026-01-31T08:00:00Z", "--output", "json")
    assert (begun.returncode, json.loads(begun.stdout)["interval_minutes"]) == (0, 15), begun.stderr
    assert "1 schedule run" in cli("intake", "run-due").stderr
    [state] = json.loads(cli("intake", "schedules", "--output", "json").stdout)
    assert (state["status"], state["command"]) == ("Passed", "fetch_incident")
    assert "Passed" in cli("intake", "schedules").stdout

    page = json.loads(cli("intake", "read", "--limit", "2", "--output", "json").stdout)
    assert len(page["items"]) == 2
    table = cli("intake", "read", "--after", page["next"])
    assert "prod" in table.stdout
    assert "Go on with: connector-host intake read --after" in table.stderr
    assert page["items"][0]["unique_key"] not in table.stdout
    assert cli("intake", "acknowledge", "soar", page["next"]).returncode == 0
    again = json.loads(cli("intake", "read", "--reader", "soar", "--limit", "1", "--output", "json").stdout)
    assert again["items"][0]["unique_key"] != page["items"][0]["unique_key"]
    by_reader = cli("intake", "read", "--reader", "soar", "--limit", "1")
    assert "When all of it is done: connector-host intake acknowledge soar " in by_reader.stderr
    forged = cli("intake", "read", "--after", "AAAA")
    assert (forged.returncode, "no cursor of yours" in forged.stderr) == (2, True)

    assert cli("intake", "unschedule", *WHAT).returncode == 0
    twice = cli("intake", "unschedule", *WHAT)
    assert (twice.returncode, "by itself" in twice.stderr) == (2, True)
    for wrong in (("--from", "soon"), ("--every", "0"), ("--input", "x"), ("--input", "nothing=1")):
        refused = cli("intake", "schedule", *WHAT, *wrong)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), wrong


def test_a_mapping_is_shown_tried_set_and_reset(prod: Sandbox, tmp_path: Path) -> None:
    cli("intake", "schedule", *WHAT, "--from", "2026-01-31T08:00:00Z")
    cli("intake", "run-due")
    tables = json.loads(cli("intake", "mapping", "show", *WHAT).stdout)
    tables["incident_fields"].append({"field": "Service", "source": ".service.summary"})
    file = tmp_path / "tables.json"
    file.write_text(json.dumps(tables))
    tried = cli("intake", "mapping", "preview", *WHAT, str(file))
    assert "Service" in tried.stdout, tried.stderr
    assert cli("intake", "mapping", "set", *WHAT, str(file)).returncode == 0
    stale = cli("intake", "mapping", "set", *WHAT, str(file))
    assert (stale.returncode, "changed since this was read" in " ".join(stale.stderr.split())) == (2, True)
    assert json.loads(cli("intake", "mapping", "show", *WHAT).stdout)["version"] == 1
    back = cli("intake", "mapping", "reset", *WHAT)
    assert (back.returncode, back.stderr) == (0, "prod: fetch-incident is mapped by the manifest's tables again.\n")
    assert not json.loads(cli("intake", "mapping", "show", *WHAT).stdout)["own"]
    file.write_text("{")
    assert cli("intake", "mapping", "set", *WHAT, str(file)).returncode == 2


def test_history_is_searched(prod: Sandbox) -> None:
    run = ("test-command", "pagerduty", "--connection", "prod")
    cli(*run[:2], "list-users", *run[2:])
    cli(*run[:2], "get-user-contact-methods", *run[2:], "--user-ids", "PNOBODY")
    failed = json.loads(cli("history", "list", "--status", "Failed", "--output", "json").stdout)
    assert [one["command"] for one in failed] == ["get_user_contact_methods"]
    by_name = json.loads(cli("history", "list", "--command", "list-users", "--output", "json").stdout)
    assert [one["command"] for one in by_name] == ["list_users"]
    assert json.loads(cli("history", "list", "--since", "2999-01-01", "--output", "json").stdout) == []
    first = cli("history", "list", "--limit", "1")
    after = first.stderr.rpartition("--after ")[2].strip()
    rest = json.loads(cli("history", "list", "--after", after, "--output", "json").stdout)
    assert [one["command"] for one in rest] == ["list_users"]
    assert cli("history", "list", "--since", "soon").returncode == 2


def test_a_list_is_given_in_parts(prod: Sandbox) -> None:
    run = ("test-command", "pagerduty", "get-user-contact-methods", "--connection", "prod", "--output", "json")
    for parts in (["PU00001", "PU00002"], ['["PU00001"]', "PU00002"], ['["PU00001", "PU00002"]']):
        result = json.loads(cli(*run, *[word for part in parts for word in ("--user-ids", part)]).stdout)
        assert [one["item"] for one in result["context_data"]] == ["PU00001", "PU00002"], parts


def test_a_token_is_not_narrowed_to_what_is_not_there(prod: Sandbox) -> None:
    add = ("tokens", "add", "narrow", "--scope", "read", "--user", "ann")
    for wrong, words in ((("--plugin", "pagerdty"), "pagerduty"), (("--command", "lst_users"), "list_users")):
        refused = cli(*add, *wrong)
        assert (refused.returncode, f"Did you mean '{words}'?" in " ".join(refused.stderr.split())) == (2, True)
    assert cli(*add, "--plugin", "pagerduty", "--command", "list_users", "--connection", "later").returncode == 0
