"""The conformance kit: three bad plugins with planted faults, the plugins that ship, and grades."""

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from connector_host.authoring.kit.bench import RULES
from connector_host.authoring.kit.kit import Check, Report, grade_of, run_kit
from connector_host.authoring.kit.stand_in import build
from connector_host.authoring.page import page_of
from connector_host.cli.sandbox import serving
from connector_host.configuration import bundled
from connector_host.manifests.structuring import load_manifest
from connector_host.model.errors import WrongUse
from connector_host.testing import plugin_suite

SCHEMAS = bundled() / "schemas"

BAD = Path(__file__).parent / "bad"
WORDS = {"command-described", "connection-described", "plugin-described", "error-sample", "read-only-told"}

PLANTED: dict[str, dict[tuple[str, str], str]] = {
    "careless": {
        ("sample-present", "drop_ticket"): "Add 'samples:' to commands.drop_ticket",
        ("sample-round-trip", "get_ticket"): "raw_data is {'id': 'T1', 'subject': 'Fire'}",
        ("test-connection-changes-nothing", "test_connection"): "It sends POST",
        ("test-connection-fails", "test_connection"): "With refused credentials it ended so: Passed",
        ("key-fields-resolve", "get_ticket"): "TicketID finds nothing at $.ticket.id",
        ("intake-resolves", "fetch_tickets"): "finds nothing at $.tickets[*].key in any sample",
        ("rules-reached", "get_ticket"): "responses[2] (failed)",
        ("output-declared", "get_ticket"): "Add 'output:'",
        ("output-declared", "close_ticket"): "Add 'output:'",
        ("output-declared", "test_connection"): "Add 'output:'",
    },
    "leaky": {
        ("declared-servers-only", ""): "commands.py:3 imports socket",
        ("import-clean", ""): "prints 'Leaky is here', and takes",
        ("no-secret-out", "get_ticket"): "A secret stands in a URL",
        ("test-connection", ""): "Add a command with 'kind: test_connection'.",
        ("http-failures", "get_ticket"): "401: It ended so: Passed",
        ("http-failures", "list_tickets"): "kind rejected, not unauthorized",
        ("input-fuzzed", "get_ticket"): "IndexError in plugin leaky",
        ("no-advice", ""): "no-test-connection",
    },
    "stubborn": {
        ("http-failures", "close_tickets"): "404: It ended so: Passed",
        ("http-failures", "test_connection"): "401: It ended so: Passed",
        ("test-connection-fails", "test_connection"): "With refused credentials it ended so: Passed",
        ("pagination-ends", "list_tickets"): "pages that were all the same",
        ("declared-servers-only", ""): "It connected to ('127.0.0.1', 9) by itself",
        ("sample-round-trip", "watch_tickets"): "nothing asked for GET /tickets/watchers",
        ("http-failures", "watch_tickets"): "401: It ended so: Passed",
        ("malformed-reply", "watch_tickets"): "It ended so: Passed (kind none, not unexpected_reply)",
        ("timeout", "watch_tickets"): "It ended so: Passed (kind none, not timeout)",
        ("deadline-kept", "watch_tickets"): "It ended so: Passed",
        ("cancellation-clean", "watch_tickets"): "After a cancelled run it ended so: Failed",
        ("partial-success", "close_tickets"): "With one good and one missing item it ended so: Passed",
        ("retries-harmless", "close_tickets"): "is not idempotent, and was sent 2 times",
        ("empty-reply", "list_tickets"): "TypeError in plugin stubborn",
    },
}


def failed(report: Report) -> dict[tuple[str, str], str]:
    return {(one.rule, one.about): one.detail for one in report.checks if one.outcome == "failed"}


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_fault_is_found_and_nothing_else(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = {key: detail for key, detail in failed(run_kit(BAD / name)).items() if key[0] not in WORDS}
    assert set(found) == set(PLANTED[name])
    for key, words in PLANTED[name].items():
        assert words in found[key], key


def test_every_rule_that_a_plugin_can_break_was_seen_to_fail() -> None:
    seen = {one.rule for name in PLANTED for one in run_kit(BAD / name).checks if one.outcome == "failed"}
    held_by_the_host_for_everyone = {"unknown-input-refused", "required-input-told"}
    assert set(RULES) - seen == held_by_the_host_for_everyone


@pytest.mark.parametrize("name", ["pagerduty", "opsgenie", "urlscan"])
def test_plugins_that_ship_are_platinum(name: str) -> None:
    report = run_kit(bundled() / "plugins" / name)
    assert failed(report) == {}
    assert report.grade == "platinum"
    assert not any(one.outcome == "exempt" for one in report.checks)


def test_opsgenie_has_no_code() -> None:
    """Its stand-in has; what people run is declared."""
    assert not (bundled() / "plugins" / "opsgenie" / "commands.py").exists()


@pytest.mark.long
def test_every_rule_is_held_against_something() -> None:
    held = {one.rule for one in run_kit(bundled() / "plugins" / "pagerduty").checks if one.outcome == "passed"}
    held |= {one.rule for one in run_kit(bundled() / "plugins" / "opsgenie").checks if one.outcome == "passed"}
    assert held == set(RULES)


def test_grades() -> None:
    def checks(*outcomes: str) -> tuple[Check, ...]:
        grades = ("bronze", "silver", "gold", "platinum")
        return tuple(Check("x", grade, outcome) for grade, outcome in zip(grades, outcomes, strict=True))

    assert grade_of(checks("failed", "passed", "passed", "passed")) == "none"
    assert grade_of(checks("passed", "failed", "passed", "passed")) == "bronze"
    assert grade_of(checks("passed", "not_applicable", "failed", "passed")) == "silver"
    assert grade_of(checks("passed", "passed", "passed", "failed")) == "gold"
    assert grade_of(checks("passed", "exempt", "passed", "passed")) == "platinum"


def test_an_exemption_is_shown_with_its_reason(tmp_path: Path) -> None:
    text = (BAD / "careless" / "manifest.yaml").read_text("utf-8")
    exempt = "exemptions: [{rule: output-declared, at: commands.close_ticket, reason: The answer is empty.}]\n"
    (tmp_path / "manifest.yaml").write_text(text + exempt, "utf-8")
    checks = [one for one in run_kit(tmp_path).checks if one.rule == "output-declared"]
    assert {one.about: one.outcome for one in checks} == {
        "fetch_tickets": "passed",
        "get_ticket": "failed",
        "close_ticket": "exempt",
        "drop_ticket": "passed",
        "test_connection": "failed",
    }
    assert [one.detail for one in checks if one.outcome == "exempt"] == ["The answer is empty."]


def test_the_suite_fails_as_tests_do(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text((BAD / "careless" / "manifest.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "test_it.py").write_text(
        "from connector_host.testing import plugin_suite\n\ntest_it = plugin_suite(__file__, grade='bronze')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    assert "get_ticket-sample-round-trip" in done.stdout
    assert "Each sample comes out as it says" in done.stdout
    assert "output-declared" not in done.stdout, "that is a rule for gold"
    with pytest.raises(WrongUse, match=r"several plugins in .*: careless, leaky, stubborn"):
        plugin_suite(BAD)
    with pytest.raises(WrongUse, match="no grade 'gilded': there are bronze, silver, gold and platinum"):
        plugin_suite(BAD / "leaky", grade="gilded")
    with pytest.raises(FileNotFoundError, match=r"no plugin's manifest\.yaml"):
        plugin_suite(tmp_path / "nowhere" / "deep" / "deeper" / "deepest" / "test.py")


def test_the_command_line_says_whether_a_grade_is_reached() -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "connector_host", "plugins", "test", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    urlscan = str(bundled() / "plugins" / "urlscan")
    assert run(urlscan, "--grade", "platinum").returncode == 0
    silver = run(str(BAD / "stubborn"), "--grade", "silver")
    assert silver.returncode == 1
    assert "FAILED [partial-success] close_tickets: " in silver.stdout
    assert "stubborn 1.0.0: grade none" in silver.stdout


ASKS_TWICE = """
  look_twice:
    title: Look Twice
    description: Looks twice.
    read_only: true
    output: {type: object}
    samples:
      - http: [{request: GET /twice, server: api, body: {id: T1}}]
"""
ASKS_TWICE_CODE = """from connector_host import AsyncCall, command


@command
async def look_twice(call: AsyncCall) -> object:
    first = await call.request("GET", "/twice")
    return first if first == await call.request("GET", "/twice") else {}
"""


def test_an_exchange_answers_as_often_as_it_is_asked(tmp_path: Path) -> None:
    text = (BAD / "careless" / "manifest.yaml").read_text("utf-8") + ASKS_TWICE
    (tmp_path / "manifest.yaml").write_text(text, "utf-8")
    (tmp_path / "commands.py").write_text(ASKS_TWICE_CODE, "utf-8")
    outcomes = {
        one.outcome for one in run_kit(tmp_path).checks if one.rule == "sample-round-trip" and one.about == "look_twice"
    }
    assert outcomes == {"passed"}


RECKONS = """
  reckon:
    title: Reckon
    description: Adds up.
    read_only: true
    input: {properties: {numbers: {title: Numbers, description: What to add up., type: array, items: {type: integer}, default: [1]}}}
    output: {type: object, properties: {sum: {type: integer}}}
    samples:
      - {input: {numbers: [1, 2]}, http: [], result: {raw_data: {sum: 3}}}
      - {input: {numbers: [0]}, http: [], result: {status: Failed, error: {message: Nothing to add up.}}}
"""
RECKONS_CODE = """from connector_host import AsyncCall, Failed, command


@command
async def reckon(call: AsyncCall, numbers: list[int]) -> object:
    return {"sum": sum(numbers)} if any(numbers) else Failed("Nothing to add up.")
"""


def test_a_command_that_asks_no_server_can_be_platinum(tmp_path: Path) -> None:
    text = (BAD / "careless" / "manifest.yaml").read_text("utf-8") + RECKONS
    (tmp_path / "manifest.yaml").write_text(text, "utf-8")
    (tmp_path / "commands.py").write_text(RECKONS_CODE, "utf-8")
    report = run_kit(tmp_path)
    assert {key: detail for key, detail in failed(report).items() if key[1] == "reckon"} == {}
    assert ("sample-round-trip", "passed") in {
        (one.rule, one.outcome) for one in report.checks if one.about == "reckon"
    }
    assert "## Reckon" in page_of(load_manifest(tmp_path, SCHEMAS))


def test_a_stand_in_wants_credentials(tmp_path: Path) -> None:
    manifest = load_manifest(BAD / "stubborn", bundled() / "schemas")
    with serving(build(manifest)) as base, httpx2.Client(base_url=base) as client:
        assert client.get("/me").status_code == 401
        assert client.get("/me", headers={"Authorization": "Bearer x"}).json() == {"name": "Me"}
        assert client.get("/nothing").status_code == 404
    with serving(build(manifest, fail="503:1")) as base, httpx2.Client(base_url=base) as client:
        assert [client.get("/nothing").status_code for _ in range(2)] == [503, 404]
