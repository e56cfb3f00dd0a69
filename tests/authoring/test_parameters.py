"""Parameters as people need them: labels, conditions, patterns, deprecation, fetched options, other languages."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.authoring.checking import validate
from connector_host.authoring.comparing import Comparison, compare
from connector_host.configuration import bundled
from connector_host.manifests.structuring import load_manifest
from connector_host.model.connection import Change
from connector_host.model.errors import WrongUse
from connector_host.model.result import Result
from tests.world import FastClock, World, http, raw_server

SCHEMAS = bundled() / "schemas"

MANIFEST = """\
id: acme
name: Acme
version: 1.2.0
servers: {api: {url: $.connection.url}}
connection: {required: [url], properties: {url: {title: URL, type: string}}}
commands:
  send:
    title: Send
    deprecated: {since: 1.1.0, use: Send Now, remove_in: 2.0.0}
    input:
      required: [kind]
      properties:
        late: {title: Late, type: string, advanced: true}
        kind: {title: Kind, type: string, oneOf: [{const: e, title: E-Mail}, {const: s, title: SMS}], order: 1}
        address: {title: Address, type: string, pattern: "@", pattern_message: It needs an @., visible_if: {kind: e}, required_if: {kind: e}}
        number: {title: Number, type: string, visible_if: {kind: s}, default: "110"}
        levels: {title: Levels, type: array, items: {type: string, oneOf: [{const: "1", title: Low}, {const: "2", title: High}]}}
        old: {title: Old, type: string, deprecated: {since: 1.2.0, use: Late}}
        team: {title: Team, type: string, options_from: {command: teams, value: "$.teams[*].id", label: "$.teams[*].name"}}
    request: {server: api, method: POST, path: /send, idempotent: true, body: {kind: $.input.kind, to: $.input.address, number: $.input.number, levels: $.input.levels, team: $.input.team, late: $.input.late, old: $.input.old}}
  teams:
    title: Teams
    request: {server: api, path: /teams, collect: teams}
"""


@pytest.fixture
def world(tmp_path: Path, clock: FastClock) -> World:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "manifest.yaml").write_text(MANIFEST)
    (tmp_path / "manifest.yaml").write_text("plugins: [acme]\nsteps: []\n")
    return World(tmp_path / "home", clock=clock, manifest=tmp_path / "manifest.yaml")


def send(world: World, inputs: dict[str, Any]) -> tuple[Result, list[Any]]:
    with raw_server(http("200 OK", b"{}")) as (base, received):
        change = Change(parameters={"url": base})

        async def work(host: Any) -> Result:
            if not await host.connections.list():
                await host.connections.add("prod", "acme", change)
            else:
                await host.connections.edit("prod", change)
            result: Result = await host.run("acme", "send", "prod", inputs)
            return result

        result: Result = world.use(work)
    return result, [json.loads(one.partition(b"\r\n\r\n")[2]) for one in received]


def test_options_are_taken_by_value_or_label_in_any_case(world: World) -> None:
    _, sent = send(world, {"kind": "sms", "levels": ["high", "1"]})
    assert sent == [{"kind": "s", "number": "110", "levels": ["2", "1"]}]
    refused, _ = send(world, {"kind": "fax"})
    assert str(refused.errors[0]).startswith(
        "Send failed. Status Code: 400. Message: The value for parameter (Kind) is invalid."
    )


@pytest.mark.parametrize(
    ("inputs", "title", "reason"),
    [
        ({"kind": "e"}, "Address", "It is required where Kind is e, and missing."),
        ({"kind": "s", "address": "a@b"}, "Address", "It is only there where Kind is e."),
        ({"kind": "e", "address": "nobody"}, "Address", "It needs an @."),
        ({"kind": "e", "address": "a@b", "number": "1"}, "Number", "It is only there where Kind is s."),
    ],
)
def test_conditions_are_enforced_in_words(world: World, inputs: dict[str, Any], title: str, reason: str) -> None:
    result, sent = send(world, inputs)
    assert sent == []
    assert result.errors[0].message == f"The value for parameter ({title}) is invalid."
    assert result.errors[0].detail == reason


def test_a_default_of_what_is_not_there_is_not_sent(world: World) -> None:
    _, sent = send(world, {"kind": "E-mail", "address": "a@b"})
    assert sent == [{"kind": "e", "to": "a@b"}]


def test_callers_are_told_of_what_is_deprecated(world: World) -> None:
    result, _ = send(world, {"kind": "s", "old": "x"})
    assert result.notes == (
        "The command Send is deprecated since version 1.1.0. Use Send Now instead. It goes in version 2.0.0.",
        "The parameter Old is deprecated since version 1.2.0. Use Late instead.",
    )


def test_order_and_advanced(world: World) -> None:
    command = App(world.configuration).plugins.plugin("acme").commands["send"]
    assert list(command.input["properties"]) == ["kind", "address", "number", "levels", "old", "team", "late"]
    assert command.input["properties"]["old"]["deprecated"] is True, "JSON Schema's own word"


def test_options_fetched_from_the_service(world: World) -> None:
    def choices(answer: bytes, parameter: str = "team") -> Any:
        with raw_server(answer) as (base, _):
            change = Change(parameters={"url": base})

            async def work(host: Any) -> Any:
                known = await host.connections.list()
                await (host.connections.edit("prod", change) if known else host.connections.add("prod", "acme", change))
                return [(one.value, one.label) for one in await host.choices("acme", "send", parameter, "prod")]

            return world.use(work)

    assert choices(http("200 OK", b'{"teams": [{"id": "a", "name": "A-Team"}]}')) == [("a", "A-Team")]
    unnamed = b'{"teams": [{"id": "a", "name": "A-Team"}, {"id": "b"}]}'
    assert choices(http("200 OK", unnamed)) == [("a", "a"), ("b", "b")], "a label must not slip to another value"
    assert choices(b"", "kind") == [("e", "E-Mail"), ("s", "SMS")]
    assert choices(b"", "levels") == [("1", "Low"), ("2", "High")]
    with pytest.raises(WrongUse, match=r"cannot be fetched\. Teams failed\. Forbidden"):
        choices(http("403 Forbidden", b""))
    with pytest.raises(WrongUse, match=r"no parameter 'tem'\. Did you mean 'team'"):
        choices(b"", "tem")


def cli(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    import os

    command = [sys.executable, "-m", "connector_host", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **more, "COLUMNS": "140"}
    )


def test_the_command_line_shows_labels_conditions_and_fetched_options() -> None:
    told = " ".join(cli("test-command", "opsgenie", "create-alert", "--help").stdout.split())
    assert "--priority P1|P2|P3|P4|P5" in told
    assert "P1: Critical; P2: High" in told
    assert "[required where Responder Type is user] [only where Responder Type is user]" in told
    options = cli(
        "test-command", "pagerduty", "create-incident", "--sandbox", "--options-of", "service-id", "--output", "json"
    )
    assert [one["label"] for one in json.loads(options.stdout)] == ["Database", "Checkout"]


def test_another_language_as_far_as_it_has_words() -> None:
    german = " ".join(cli("--language", "de-AT", "test-command", "opsgenie", "create-alert", "--help").stdout.split())
    assert "Meldung anlegen. Legt eine Meldung an" in german
    assert "Priorität: Wie dringend es ist." in german
    assert "Alias: Identifies the alert" in german, "what has no German words keeps its own"
    assert (
        "Meldung anlegen"
        in cli("test-command", "opsgenie", "create-alert", "--help", CONNECTOR_HOST_LANGUAGE="de").stdout
    )
    page = cli("plugins", "docs", "opsgenie", "--language", "de").stdout
    assert "## Meldung anlegen" in page
    assert "## Get Alert" in page


def test_words_for_what_is_not_there_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(MANIFEST)
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "fr.yaml").write_text("commands:\n  sned: {title: Envoyer}\n  send: {titel: Envoyer}\n")
    problems = validate(tmp_path, SCHEMAS).problems
    told = [(Path(one.path).name, one.line, one.cause, one.assistance) for one in problems if one.rule == "locale"]
    assert told == [
        (
            "fr.yaml",
            2,
            "There is nothing called 'sned' to give words for here.",
            "Did you mean 'send'? Allowed: send, teams.",
        ),
        (
            "fr.yaml",
            3,
            "There is nothing called 'titel' to give words for here.",
            "Did you mean 'title'? Allowed: description, failure_indicator, input, notes, title.",
        ),
    ]


@pytest.mark.parametrize("name", ["pagerduty", "opsgenie", "urlscan"])
def test_the_page_beside_a_plugin_is_made_of_its_manifest(name: str) -> None:
    done = cli("plugins", "docs", name, "--check")
    assert done.returncode == 0, done.stderr


def test_a_page_has_the_structure_of_the_vendors(tmp_path: Path) -> None:
    page = (bundled() / "plugins" / "pagerduty" / "README.md").read_text("utf-8")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings[:6] == [
        "## Overview",
        "## Known Limitations",
        "## Connection",
        "## Permission Requirement",
        "## Configuring PagerDuty",
        "## Commands",
    ]
    assert headings[6:16] == [f"## {title}" for title in ("Acknowledge Event", "Create Event", "Fetch Incident", "Get All Schedules", "Get Incident Alerts", "Get User Contact Methods", "List Users", "Resolve Event", "Resolve Incidents", "Test Connection")]  # fmt: skip
    assert headings[-1] == "## FAQ"
    assert "Acknowledge Event failed. Status Code: 2100. Message: Incident ID Not Found." in page
    assert "| Dedup Key | Required |" in page
    assert "Obtained from [Create Event](#create-event) at `$.dedup_key`." in page
    assert "Needed by Create Event, Acknowledge Event, Resolve Event, Send Change Event only." in page
    assert cli("plugins", "docs", str(tmp_path)).returncode == 2


CHANGES: list[tuple[str, str, str, str]] = [
    ("  teams:\n    title: Teams\n", "  squads:\n    title: Teams\n", "major", "the command is gone"),
    ("required: [kind]", "required: [kind, team]", "major", "it is required now"),
    ("{const: s, title: SMS}", "{const: t, title: SMS}", "major", "options are gone: s"),
    ('default: "110"', 'default: "112"', "major", "the default was 110, and is 112"),
    (
        "late: {title: Late, type: string,",
        "late: {title: Late, type: integer,",
        "major",
        "it took string, and takes integer",
    ),
    (
        "late: {title: Late, type: string,",
        "late: {title: Late, type: string, maxLength: 9,",
        "major",
        "maxLength was None, and is 9",
    ),
    ("{const: s, title: SMS}", "{const: s, title: SMS}, {const: f, title: Fax}", "minor", "options are new: f"),
    ("        late:", "        more: {title: More, type: string}\n        late:", "minor", "the parameter is new"),
    ("path: /send", "path: /v2/send", "patch", "another request is sent"),
    ("title: Late", "title: Later", "patch", "words for people differ"),
    (
        "late: {title: Late, type: string,",
        "late: {title: Late, type: string, format: email,",
        "major",
        "format differs",
    ),
    ("version: 1.2.0", "# A comment\nversion: 1.2.0", "none", ""),
    (
        "levels: {title: Levels, type: array, items: {type: string,",
        "levels: {title: Levels, type: array, items: {type: integer,",
        "major",
        "it took string, and takes integer",
    ),
    ("visible_if: {kind: s}", "visible_if: {kind: e}", "major", "visible_if differs"),
    (
        "    request: {server: api, method: POST",
        "    responses: [{status: 409, is: passed}]\n    request: {server: api, method: POST",
        "minor",
        "replies mean something else",
    ),
]


def compared(tmp_path: Path, old: str, new: str) -> Comparison:
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.yaml").write_text(text)
    return compare(load_manifest(tmp_path / "old", SCHEMAS), load_manifest(tmp_path / "new", SCHEMAS))


def test_before_1_0_a_minor_number_may_break(tmp_path: Path) -> None:
    young = MANIFEST.replace("version: 1.2.0", "version: 0.2.0").replace("since: 1.2.0", "since: 0.2.0")
    found = compared(
        tmp_path,
        young,
        young.replace("version: 0.2.0", "version: 0.3.0").replace(
            "title: Late, type: string", "title: Late, type: integer"
        ),
    )
    assert (found.release, found.enough) == ("major", True)


def test_what_a_migration_brings_along_breaks_nobody(tmp_path: Path) -> None:
    assert "url: {title: URL" in MANIFEST
    renamed = MANIFEST.replace("{url: {title: URL", "{base: {title: URL").replace("required: [url]", "required: [base]")
    renamed = renamed.replace("$.connection.url", "$.connection.base").replace("version: 1.2.0", "version: 1.3.0")
    bare = compared(tmp_path, MANIFEST, renamed)
    assert ("connection.url", "major") in [(one.at, one.release) for one in bare.differences]
    (tmp_path / "with").mkdir()
    migrated = renamed + "migrations: [{version: 1.3.0, rename: {url: base}}]\n"
    found = compared(tmp_path / "with", MANIFEST, migrated)
    assert {one.release for one in found.differences if one.at.startswith("connection")} == {"minor"}


@pytest.mark.parametrize(("old", "new", "release", "what"), CHANGES, ids=[row[3] or "nothing" for row in CHANGES])
def test_versions_are_compared(tmp_path: Path, old: str, new: str, release: str, what: str) -> None:
    assert old in MANIFEST
    for name, text in (
        ("old", MANIFEST),
        ("new", MANIFEST.replace(old, new, 1).replace("version: 1.2.0", "version: 1.3.0")),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.yaml").write_text(
            text.replace("command: teams,", "command: squads,") if "squads:" in text else text
        )
    found = compare(load_manifest(tmp_path / "old", SCHEMAS), load_manifest(tmp_path / "new", SCHEMAS))
    assert found.release == release
    assert what in " ".join(one.what for one in found.differences)
    assert found.enough is (release != "major")
