"""The command line's contract: one document on standard output, exit codes, nothing to be ashamed of on errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from connector_host.configuration import bundled
from tests.world import API_KEY, INTEGRATION_KEY, Sandbox, pagerduty_sandbox

RESULT = json.loads((bundled() / "schemas" / "result.schema.json").read_text())
CONNECTION = json.loads((bundled() / "schemas" / "connection.schema.json").read_text())


def cli(*arguments: str, stdin: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the program as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "connector_host", *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, "COLUMNS": "100", **environment},
        timeout=60,
    )


@pytest.fixture
def prod(sandbox: Sandbox) -> Sandbox:
    """The connection `prod`, added as a user would."""
    _add(sandbox)
    return sandbox


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the connection `prod`, for what changes nothing in it."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    with pagerduty_sandbox() as sandbox:
        _add(sandbox, CONNECTOR_HOST_HOME=str(home))
    return home


def _add(sandbox: Sandbox, **environment: str) -> None:
    settings = [f"--set={name}={sandbox.base}" for name in ("server_url", "event_url")]
    secrets = ["--secret", "api_key=env:PD_KEY", "--secret", "integration_key=-"]
    more = ["--set", "default_from=earline.greenholt@example.com"]
    added = cli(
        "connections",
        "add",
        "prod",
        "--plugin",
        "pagerduty",
        *settings,
        *secrets,
        *more,
        stdin=f"{INTEGRATION_KEY}\n",
        PD_KEY=API_KEY,
        **environment,
    )
    assert (added.returncode, added.stdout) == (0, "")


def run_json(*arguments: str, code: int = 0, stdin: str | None = None) -> Any:
    done = cli("test-command", "pagerduty", *arguments, "--connection", "prod", "--output", "json", stdin=stdin)
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, RESULT, cls=jsonschema.Draft202012Validator)
    return document


def test_one_document_that_validates_and_the_exit_codes(prod: Sandbox) -> None:
    assert run_json("list-users")["status"] == "Passed"
    assert run_json("list_users", "--query", "kyler")["key_fields"]["UserIDs"] == ["PU00001"]
    partial = run_json("get-user-contact-methods", "--user-ids", '["PU00001", "PNOBODY"]', code=3)
    assert partial["status"] == "Partially Successful"
    failed = run_json("get-incident-alerts", "--incident-ids", "QNOBODY", code=1)
    assert (failed["status"], failed["error"]["status_code"]) == ("Failed", "2100")
    refused = run_json("create-event", "--summary", "s", "--severity", "Value", "--source", "s", code=1)
    assert refused["error"]["message"] == "The value for parameter (Severity) is invalid."


def test_inputs_come_from_options_files_and_standard_input(prod: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    file.write_text('{"summary": "from a file", "severity": "Info", "source": "s", "custom_details": {"a": 1}}')
    run_json("create-event", "--input", str(file))
    run_json("create-event", "--input", "-", "--summary", "from an option", stdin=file.read_text())
    assert [event["payload"]["summary"] for event in prod.account.events] == ["from a file", "from an option"]
    key = prod.account.events[1]["dedup_key"]
    assert run_json("resolve-event", "--dedup-key", key, "--verify")["raw_data"]["confirmed"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["test-command", "pagerduti", "list-users"], "Did you mean 'pagerduty'"),
        (["test-command", "pagerduty", "list-user"], "Did you mean 'list-users'"),
        (["test-command", "pagerduty", "list-users"], "--connection"),
        (["test-command", "pagerduty", "list-users", "--connection", "prd"], "Did you mean 'prod'"),
        (["test-command", "pagerduty", "list-users", "--connection", "prod", "--queri", "x"], "--query"),
        (["test-command", "pagerduty", "list-users", "--connection", "prod", "--input", "/nowhere"], "cannot be read"),
        (["test-command", "pagerduty", "list-users", "--connection", "prod", "--output", "xml"], "xml"),
        (["connections", "add", "prod", "--plugin", "pagerduty", "--secret", "api_key=env:PD_KEY"], "exists already"),
        (["connections", "add", "x", "--plugin", "pagerduty"], "API Key"),
        (["connections", "add", "x", "--plugin", "pagerduty", "--secret", "api_key=hunter2"], "process list"),
        (["connections", "add", "x", "--plugin", "pagerduty", "--secret", "api_key=env:NOT_SET"], "NOT_SET"),
        (["connections", "add", "x", "--plugin", "pagerduty", "--secret", "api_key=file:/nowhere"], "/nowhere"),
        (["connections", "add", "x", "--plugin", "pagerduty", "--set", "api_key=x"], "is a secret"),
        (["connections", "add", "x", "--plugin", "pagerduty", "--set", "region=Mars", "--secret", "api_key=env:PD_KEY"], "US, EU"),
        (["connections", "add", "x", "--plugin", "pagerduty", "--set", "server_url=http://api.pagerduty.com", "--secret", "api_key=env:PD_KEY"], "unencrypted"),
        (["connections", "show", "nobody"], "no connection 'nobody'"),
        (["connections", "edit", "nobody"], "no connection 'nobody'"),
        (["history", "show", "nothing"], "no invocation"),
        (["plugins", "show", "nothing"], "no plugin"),
        (["keys", "rotat"], "rotat"),
        (["bogus"], "bogus"),
        (["sandbox", "pagerduty", "--fail", "often"], "STATUS:COUNT"),
        (["sandbox", "pagerduty", "--users", "-5"], "--users is wrong: -5 is less than the minimum of 0"),
        (["sandbox", "pagerduty", "--users", "many"], "--users is wrong"),
        (["sandbox", "pagerduty", "--port", "99999"], "--port"),
        (["sandbox", "pagerduty", "--host", "192.0.2.1"], "cannot listen"),
        (["connections", "list", "--plugin", "pagerduti"], "Did you mean 'pagerduty'"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_in_a_sentence(untouched: Path, arguments: list[str], words: str) -> None:
    done = cli(*arguments, PD_KEY=API_KEY, CONNECTOR_HOST_HOME=str(untouched))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 12


def test_a_wrong_setting_is_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("plugins: [")
    done = cli("plugins", "list", CONNECTOR_HOST_MANIFEST=str(tmp_path / "manifest.yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "manifest.yaml:" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_comes_from_the_manifest(prod: Sandbox) -> None:
    done = cli("test-command", "pagerduty", "create-event", "--help")
    assert done.returncode == 0
    for words in (
        "--summary TEXT",
        "--severity Critical|Warning|Error|Info",
        "--custom-details JSON",
        "[required]",
        "Postgres",
    ):
        assert words in done.stdout
    listed = cli("test-command", "pagerduty", "--help").stdout
    assert listed.index("acknowledge-event") < listed.index("create-event") < listed.index("test-connection")


def test_the_table_has_the_tabs(prod: Sandbox) -> None:
    done = cli(
        "test-command",
        "pagerduty",
        "get-user-contact-methods",
        "--user-ids",
        '["PU00001", "PNOBODY"]',
        "--connection",
        "prod",
    )
    assert done.returncode == 3
    positions = [done.stdout.index(f"\n{tab}\n") for tab in ("Result", "Key Fields", "Raw Data", "Error")]
    assert positions == sorted(positions)
    assert "Get User Contact Methods failed. Status Code: 2100. Message: User ID not found." in done.stdout.replace(
        "\n", " "
    ).replace("  ", " ")


def test_markup_and_control_characters_of_a_server_do_nothing(prod: Sandbox) -> None:
    user = next(iter(prod.account.users.values()))
    user.change(name="[bold]x[/bold]\x1b[31m\x07red")
    done = cli("test-command", "pagerduty", "list-users", "--connection", "prod")
    assert "[bold]x[/bold]" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_connections_from_add_to_remove(prod: Sandbox) -> None:
    shown = json.loads(cli("connections", "show", "prod", "--output", "json").stdout)
    jsonschema.validate(shown, CONNECTION, cls=jsonschema.Draft202012Validator)
    assert shown["secrets"] == {"api_key": "************bgRQ", "integration_key": "************34ca"}
    assert cli("connections", "test", "prod").returncode == 0
    probed = json.loads(cli("connections", "test", "prod", "--probe", "--output", "json").stdout)
    assert "not checked" not in json.dumps(probed)
    cli("tenants", "add", "us", "--master")
    cli("sites", "add", "hq")
    edited = cli(
        "connections",
        "edit",
        "prod",
        "--rename",
        "main",
        "--description",
        "Ours",
        "--inactive",
        "--site",
        "hq",
        "--health-check-minutes",
        "5",
    )
    assert edited.returncode == 0, edited.stderr
    shown = json.loads(cli("connections", "show", "main", "--output", "json").stdout)
    assert (shown["description"], shown["active"], shown["site"]) == ("Ours", False, "hq")
    assert shown["health_check"] == {"interval_minutes": 5, "failures_before_mail": 3, "recipients": []}
    assert cli("connections", "test", "main").returncode == 1
    cli("connections", "edit", "main", "--active", "--set", "default_from=", "--health-check-minutes", "0")
    shown = json.loads(cli("connections", "show", "main", "--output", "json").stdout)
    assert (shown["active"], shown["health_check"], "default_from" in shown["parameters"]) == (True, None, False)
    assert [one["name"] for one in json.loads(cli("connections", "list", "--output", "json").stdout)] == ["main"]
    assert "main" in cli("connections", "list").stdout
    assert cli("connections", "remove", "main", "--yes").returncode == 0
    assert json.loads(cli("connections", "list", "--output", "json").stdout) == []


def test_the_region_fills_in_both_urls() -> None:
    added = cli(
        "connections",
        "add",
        "eu",
        "--plugin",
        "pagerduty",
        "--set",
        "region=EU",
        "--secret",
        "api_key=env:PD_KEY",
        PD_KEY=API_KEY,
    )
    assert added.returncode == 0, added.stderr
    parameters = json.loads(cli("connections", "show", "eu", "--output", "json").stdout)["parameters"]
    assert (parameters["server_url"], parameters["event_url"]) == (
        "https://api.eu.pagerduty.com",
        "https://events.eu.pagerduty.com",
    )
    cli("connections", "edit", "eu", "--set", "region=us")
    parameters = json.loads(cli("connections", "show", "eu", "--output", "json").stdout)["parameters"]
    assert (parameters["region"], parameters["server_url"]) == ("US", "https://api.pagerduty.com")
    cli("connections", "edit", "eu", "--set", "server_url=https://proxy.example.com/pd", "--set", "region=EU")
    parameters = json.loads(cli("connections", "show", "eu", "--output", "json").stdout)["parameters"]
    assert (parameters["server_url"], parameters["event_url"]) == (
        "https://proxy.example.com/pd",
        "https://events.eu.pagerduty.com",
    )


def test_add_with_a_test_adds_only_what_passes(sandbox: Sandbox) -> None:
    urls = [f"--set={name}={sandbox.base}" for name in ("server_url", "event_url")]
    sandbox.faults.status, sandbox.faults.left = 401, 1
    failed = cli(
        "connections",
        "add",
        "new",
        "--plugin",
        "pagerduty",
        "--test",
        *urls,
        "--secret",
        "api_key=env:PD_KEY",
        PD_KEY=API_KEY,
    )
    assert failed.returncode == 1
    assert "was not added" in failed.stderr
    assert json.loads(cli("connections", "list", "--output", "json").stdout) == []
    assert json.loads(cli("history", "list", "--output", "json").stdout) == []
    passed = cli(
        "connections",
        "add",
        "new",
        "--plugin",
        "pagerduty",
        "--test",
        *urls,
        "--secret",
        "api_key=env:PD_KEY",
        PD_KEY=API_KEY,
    )
    assert passed.returncode == 0


def test_history_shows_what_ran(prod: Sandbox) -> None:
    run_json("list-users", "--query", "kyler")
    [record] = json.loads(cli("history", "list", "--output", "json").stdout)
    assert (record["command"], record["status"], record["inputs"]) == ("list_users", "Passed", {"query": "kyler"})
    shown = json.loads(cli("history", "show", record["invocation_id"]).stdout)
    assert shown["result"]["raw_data"]["users"][0]["id"] == "PU00001"
    assert "list_users" in cli("history", "list", "--connection", "prod").stdout


def test_keys_rotate_and_retire(prod: Sandbox) -> None:
    assert "1 connection put" in cli("keys", "rotate").stderr
    assert cli("keys", "retire").returncode == 0
    assert run_json("list-users")["status"] == "Passed"


def test_plugins_are_listed_shown_and_validated(tmp_path: Path) -> None:
    assert re.search(r"^pagerduty +PagerDuty 1.2.0, 58 commands$", cli("plugins", "list").stdout, re.MULTILINE)
    listed, *vaults = json.loads(cli("plugins", "list", "--output", "json").stdout)
    assert (listed["id"], listed["state"], listed["commands"]) == ("pagerduty", "ready", 58)
    assert {one["state"] for one in vaults} == {"ready"}
    document = json.loads(cli("plugins", "show", "pagerduty", "--output", "json").stdout)
    assert next(iter(document["commands"])) == "acknowledge_event"
    assert "Integration Key" in cli("plugins", "show", "pagerduty").stdout
    assert cli("plugins", "validate", str(bundled() / "plugins" / "pagerduty")).returncode == 0
    (tmp_path / "manifest.yaml").write_text("id: x\nnmae: X\n")
    wrong = cli("plugins", "validate", str(tmp_path / "manifest.yaml"))
    assert wrong.returncode == 1
    assert f"{tmp_path}/manifest.yaml:2:1: error [unknown-key]" in wrong.stderr
    assert "Did you mean 'name'" in wrong.stderr


def test_a_broken_plugin_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.yaml").write_text("id: bad\nnmae: X\n")
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(f"plugins: [bad, {bundled() / 'plugins' / 'pagerduty'}]\n")
    done = cli("plugins", "list", CONNECTOR_HOST_MANIFEST=str(manifest))
    assert done.returncode == 0
    assert "bad        broken:" in done.stdout
    assert "manifest.yaml:2:1: " in done.stdout
    assert "pagerduty  PagerDuty" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = cli("completion", shell)
    assert done.returncode == 0
    assert "_CONNECTOR_HOST_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("connector-host test-c", "test-command"),
        ("connector-host test-command pagerduty list-", "list-users"),
        ("connector-host test-command pagerduty create-event --sev", "--severity"),
        ("connector-host test-command pagerduty create-event --severity Crit", "Critical"),
        ("connector-host test-command pagerduty list-users --connection p", "prod"),
    ],
)
def test_completion_of_words(prod: Sandbox, line: str, expected: str) -> None:
    words = line.split()
    done = cli(_CONNECTOR_HOST_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert expected in [one.partition(",")[2] for one in done.stdout.splitlines()]


def test_without_arguments_the_help_is_shown() -> None:
    assert "test-command" in cli().stdout
    assert cli("--version").stdout.startswith("connector-host, version 1.")


def test_waits_are_told_and_bugs_go_to_the_log_only(prod: Sandbox, tmp_path: Path) -> None:
    prod.faults.status, prod.faults.left = 429, 1
    done = cli("test-command", "pagerduty", "list-users", "--connection", "prod", "--output", "json")
    assert json.loads(done.stdout)["status"] == "Passed"
    assert "The server 'api' answered 429; trying again in 1 second." in done.stderr
    plugin = tmp_path / "bug"
    plugin.mkdir()
    (plugin / "manifest.yaml").write_text(
        "id: bug\nname: Bug\nversion: 1.0.0\nconnection: {properties: {}}\ncommands: {go: {title: Go}}\n"
    )
    (plugin / "commands.py").write_text("from connector_host import command\n@command\ndef go(call): 1 / 0\n")
    (tmp_path / "manifest.yaml").write_text("plugins: [bug]\nsteps: []\n")
    own = {"CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml")}
    assert cli("connections", "add", "b", "--plugin", "bug", **own).returncode == 0
    done = cli("test-command", "bug", "go", "--connection", "b", "--output", "json", **own)
    assert (done.returncode, done.stderr) == (1, "")
    reference = json.loads(done.stdout)["error"]["entries"][0]["reference"]
    log = Path(os.environ["CONNECTOR_HOST_HOME"]) / "host.log"
    assert f"Reference {reference}" in log.read_text()
    assert "ZeroDivisionError" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_help_lists_the_variables_one_by_one() -> None:
    lines = cli("--help").stdout.splitlines()
    assert [line.split()[0] for line in lines if "CONNECTOR_HOST_" in line] == [
        f"CONNECTOR_HOST_{name}" for name in ("HOME", "DATABASE", "KEY", "MANIFEST", "LANGUAGE")
    ]
