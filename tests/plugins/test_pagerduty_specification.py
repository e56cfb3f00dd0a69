"""The specification's tables, row by row: parameters, error samples, field mappings, limitations."""

from typing import Any

import pytest

from connector_host.app import App
from connector_host.model.manifest import Command, Manifest
from connector_host.model.manifest import Manifest as PluginManifest
from tests.world import World, http, pagerduty_sandbox, raw_server


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return App().plugins.plugin("pagerduty")


COMMANDS = [
    "Acknowledge Event",
    "Create Event",
    "Fetch Incident",
    "Get All Schedules",
    "Get Incident Alerts",
    "Get User Contact Methods",
    "List Users",
    "Resolve Event",
    "Resolve Incidents",
    "Test Connection",
]

# command, parameter, required, beginning of its description, example (as shown on the specification's page)
PARAMETERS: list[tuple[str, str, bool, str, Any]] = [
    ("Acknowledge Event", "Dedup Key", True, "The key to identifying events.", None),
    ("Create Event", "Summary", True, "The brief text summary of the event", "Example alert on 2021101500a"),
    ("Create Event", "Severity", True, "The perceived severity of the status", "Info"),
    ("Create Event", "Source", True, "The unique location of the affected system", None),
    ("Create Event", "Component", False, "The component of the source machine", "Postgres"),
    ("Create Event", "Group", False, "The logical grouping of components of a service.", "Prod-datapipe"),
    ("Create Event", "Class", False, "The class/type of the event.", "Deploy"),
    (
        "Create Event",
        "Custom Details",
        False,
        "Additional details about the event",
        '{"ping time":"1500ms","load avg":0.75}',
    ),
    ("Fetch Incident", "Start Time", True, "The Start Time of the time range", "2022-01-10 00:00"),
    ("Fetch Incident", "End Time", True, "The End Time of the time range", "2022-01-11 00:00"),
    ("Fetch Incident", "Top Recent Incident Number", False, "The maximum number of incidents to return", 20),
    ("Fetch Incident", "Search Condition", False, "The queries in JSON format to filter results.", None),
    ("Get Incident Alerts", "Incident IDs", True, "The ID to identify an incident.", None),
    ("Get User Contact Methods", "User IDs", True, "The IDs of the users to get contact methods.", None),
    ("List Users", "Query", False, "The query string filters results", "sysint@d3security.com"),
    ("Resolve Event", "Dedup Key", True, "The key to identifying events.", None),
    ("Resolve Incidents", "Incident IDs", True, "The ID to identify an incident.", None),
    ("Resolve Incidents", "From", False, "The email address of a valid user", "admin@d3security.com"),
]

CONNECTION = [
    ("Server URL", "The REST API base URL.", "https://api.pagerduty.com"),
    ("Event URL", "The base URL for events API.", "https://events.pagerduty.com"),
    ("API Key", "The API key to provide when making API calls.", "u+Do************bgRQ"),
    ("Integration Key", "The integration key is used to determine", "34be7512****************3c3534ca"),
    ("API Version", "The version of the API. The default value is v2.", "v2"),
]

ERRORS = [
    ("Acknowledge Event", "Acknowledge Event failed. Status Code: 2100. Message: Incident ID Not Found."),
    ("Create Event", "Create Event failed. Status Code: 2001. Message: The value for parameter (Custom Details) is invalid."),
    ("Fetch Incident", "Fetch Incident failed. Status Code: 2001. Message: The value for parameter (Number of Incident(s) Fetched) is invalid."),
    ("Get All Schedules", "Get All Schedules failed. Status Code: 2010. Message: Access Denied."),
    ("Get Incident Alerts", "Get Incident Alerts failed. Status Code: 2100. Message: Not Found."),
    ("Get User Contact Methods", "Get User Contact Methods failed. Status Code: 2100. Message: User ID not found."),
    ("List Users", "List Users failed. Status Code: 2100. Message: Not Found."),
    ("Resolve Event", "Resolve Event failed. Status Code: 2100. Message: Not Found."),
    ("Resolve Incidents", "Resolve Incidents failed. Status Code: 2100. Message: Incident Not Found."),
    ("Test Connection", "Test Connection failed. Failed to check the connector. Status Code: 2010. Message: Access Denied."),
]  # fmt: skip

EVENT_FIELDS = [
    ("Unique Event Key", ".id"),
    ("Start Time", ".created_at"),
    ("Event Type", ".type"),
    ("Description", ".description"),
    ("Status", ".status"),
    ("Urgency", ".urgency"),
    ("Priority", ".priority"),
    ("Title", ".title"),
    ("IncidentNumber", ".incident_number"),
    ("IncidentKey", ".incident_key"),
    ("AlertCounts", ".alert_counts.all"),
]

INCIDENT_FIELDS = [
    "Title", "Description", "Severity", "Incident Type", "Incident Creator", "Incident Owner", "Incident Playbook",
    "Due In Date", "Unique Key", "Tactics", "Techniques",
]  # fmt: skip


def command_titled(manifest: Manifest, title: str) -> Command:
    return next(command for command in manifest.commands.values() if command.title == title)


def test_the_ten_commands_stand_in_order(manifest: Manifest) -> None:
    assert [command.title for command in manifest.commands.values()][:10] == COMMANDS


@pytest.mark.parametrize(
    ("command", "parameter", "required", "description", "example"),
    PARAMETERS,
    ids=[f"{p[0]}: {p[1]}" for p in PARAMETERS],
)
def test_parameter_row(
    manifest: Manifest, command: str, parameter: str, required: bool, description: str, example: Any
) -> None:
    schema = command_titled(manifest, command).input
    [name] = [name for name, value in schema["properties"].items() if value["title"] == parameter]
    assert (name in schema.get("required", [])) is required
    assert schema["properties"][name]["description"].startswith(description)
    assert example is None or schema["properties"][name]["examples"][0] == example


@pytest.mark.parametrize(("title", "description", "example"), CONNECTION, ids=[row[0] for row in CONNECTION])
def test_connection_row(manifest: Manifest, title: str, description: str, example: str) -> None:
    [schema] = [schema for schema in manifest.connection["properties"].values() if schema["title"] == title]
    assert schema["description"].startswith(description)
    assert schema["examples"] == [example]


def test_secrets_are_marked(manifest: Manifest) -> None:
    assert manifest.secret_names == {"api_key", "integration_key", "integration_keys"}


@pytest.mark.parametrize("title", COMMANDS)
def test_error_sample_row(manifest: Manifest, title: str) -> None:
    assert command_titled(manifest, title).error_example == dict(ERRORS)[title]


REFUSALS = [
    ("Get All Schedules", {}, "403:1"),
    ("Get Incident Alerts", {"incident_ids": ["Q1"]}, "404:1"),
    ("Get User Contact Methods", {"user_ids": ["P1"]}, "404:1"),
    ("List Users", {}, "404:1"),
    ("Resolve Incidents", {"incident_ids": ["Q1"]}, "404:1"),
    ("Test Connection", {}, "403:1"),
]


@pytest.mark.parametrize(("title", "inputs", "fail"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_error_text_to_the_letter(manifest: Manifest, world: World, title: str, inputs: Any, fail: str) -> None:
    with pagerduty_sandbox(fail=fail) as sandbox:
        world.add(sandbox.base)
        result = world.run(command_titled(manifest, title).id, inputs)
    entry = result.errors[0]
    text = f"{entry.failure_indicator} Status Code: {entry.status_code}. Message: {entry.message}"
    assert text == dict(ERRORS)[title]
    assert str(entry).startswith(text)


def test_error_text_of_refused_inputs(world: World) -> None:
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base)
        event = {"summary": "s", "severity": "Info", "source": "s", "custom_details": "load avg: 0.75"}
        created = world.run("create_event", event).errors[0]
        times = {"start_time": "2022-01-10 00:00", "end_time": "2022-01-11 00:00", "top_recent_incident_number": 0}
        fetched = world.run("fetch_incident", times).errors[0]
    assert str(created).startswith(dict(ERRORS)["Create Event"])
    assert str(fetched).startswith(dict(ERRORS)["Fetch Incident"])


def test_a_status_without_a_product_code_is_the_status_code(world: World) -> None:
    with raw_server(http("401 Unauthorized", b"", "Content-Type: text/html")) as (base, _):
        world.add(base)
        entry = world.run("list_users").errors[0]
    assert str(entry).startswith("List Users failed. Status Code: 401. Message: Unauthorized.")


def test_event_field_mapping(manifest: Manifest) -> None:
    intake = manifest.commands["fetch_incident"].intake
    assert intake is not None
    assert intake.event_path == "$"
    [source] = intake.event_sources
    assert [(row.field, row.source) for row in source.fields] == EVENT_FIELDS


def test_incident_field_mapping(manifest: Manifest) -> None:
    intake = manifest.commands["fetch_incident"].intake
    assert intake is not None
    assert intake.incident_path == "$.incidents"
    assert [row.field for row in intake.incident_fields] == INCIDENT_FIELDS
    assert {row.field: row.default for row in intake.incident_fields}["Severity"] == "Low"


def test_limits_are_kept_and_told(manifest: Manifest) -> None:
    told = " ".join(cell for row in manifest.limitations for cell in row.values())
    assert "512 KB" in told
    assert "900 events/min" in told
    assert "120 calls/minute" in told
    events, api = manifest.servers["events"], manifest.servers["api"]
    defaults = {name: schema.get("default") for name, schema in manifest.connection["properties"].items()}
    assert events.max_body == 512 * 1024
    assert api.limit is not None
    assert events.limit is not None
    assert (api.limit.requests, defaults["rest_requests_per_minute"], api.limit.seconds) == (
        "$.connection.rest_requests_per_minute",
        900,
        60,
    )
    assert (defaults["events_per_minute"], events.limit.seconds) == (120, 60)
    assert (manifest.retry.times, manifest.retry.rate_limited_seconds) == (3, 30)


@pytest.mark.parametrize("title", ["Acknowledge Event", "Get Incident Alerts", "Get User Contact Methods", "Resolve Event", "Resolve Incidents"])  # fmt: skip
def test_reader_notes(manifest: Manifest, title: str) -> None:
    notes = " ".join(command_titled(manifest, title).notes)
    assert "required parameter to run this command" in notes or "is required to run this command" in notes
    assert "$." in notes


@pytest.mark.parametrize("title", COMMANDS)
def test_every_output_has_a_real_schema(manifest: Manifest, title: str) -> None:
    output = command_titled(manifest, title).output
    assert output is not None
    assert output["required"]
    assert output["properties"]
