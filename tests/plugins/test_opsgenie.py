"""Opsgenie's plugin and stand-in: the plugin's commands, and the vendor's own client, work against it."""

import importlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.model.connection import Change
from connector_host.model.result import Status
from connector_host.running.python import plugin_module
from tests.world import World, serving_app

KEY = "geniekey-of-the-account"


@pytest.fixture
def stand_in() -> Any:
    return plugin_module(App().plugins.plugin("opsgenie"), "sandbox").build(api_key=KEY, processing=1)


@pytest.fixture
def base(stand_in: Any) -> Iterator[str]:
    with serving_app(stand_in) as base:
        yield base


def test_the_plugins_commands_work(tmp_path: Path, base: str, stand_in: Any) -> None:
    world = World(tmp_path / "home")
    change = Change(parameters={"server_url": base}, secrets={"api_key": KEY})
    world.use(lambda host: host.connections.add("ops", "opsgenie", change))

    def run(command: str, **inputs: Any) -> Any:
        result = world.use(lambda host: host.run("opsgenie", command, "ops", inputs))
        assert result.status is Status.PASSED, result.errors
        return result.raw_data

    made = run("create_alert", message="Disk full", alias="disk", tags=["sda1"])
    assert run("create_alert", message="Disk full", alias="disk")["alertId"] == made["alertId"]
    [alert] = run("get_alert", alert_ids=[made["alertId"]])
    assert (alert["count"], alert["tags"]) == (2, ["sda1"])
    assert len(run("list_alerts")["data"]) == 5
    assert [one["id"] for one in run("list_alerts", query="status: open AND alias: disk")["data"]] == [made["alertId"]]
    run("acknowledge_alert", alert_ids=[made["alertId"]])
    run("close_alert", alert_ids=[made["alertId"]])
    assert run("list_alerts", query="status: closed")["data"][0]["acknowledged"] is True
    assert run("test_connection") == {"alerts": 5}


def test_many_alerts_are_listed_page_by_page(tmp_path: Path) -> None:
    app = plugin_module(App().plugins.plugin("opsgenie"), "sandbox").build(alerts=230)
    world = World(tmp_path / "home")
    with serving_app(app) as base:
        change = Change(parameters={"server_url": base}, secrets={"api_key": KEY})
        world.use(lambda host: host.connections.add("ops", "opsgenie", change))
        result = world.use(lambda host: host.run("opsgenie", "list_alerts", "ops"))
    assert (len(result.raw_data["data"]), result.completeness.complete) == (230, True)


def test_opsgenies_own_client_works_unchanged(base: str) -> None:
    sdk: Any = importlib.import_module("opsgenie_sdk")  # it has no types

    configuration = sdk.Configuration()
    configuration.host, configuration.api_key["Authorization"] = base, KEY
    client = sdk.ApiClient(configuration)
    api = sdk.AlertApi(api_client=client)
    alias = f"disk-{uuid.uuid4().hex[:8]}"
    made = sdk.CreateAlertPayload(message="Disk full", alias=alias, priority="P2", tags=["sda1"], details={"a": "1"})
    accepted = api.create_alert(made)
    with pytest.raises(sdk.exceptions.ApiException, match="might not be processed yet"):
        api.get_request_status(request_id=accepted.request_id)
    told = api.get_request_status(request_id=accepted.request_id).data
    assert (told.is_success, told.alias) == (True, alias)
    by = {"identifier": alias, "identifier_type": "alias"}
    api.acknowledge_alert(**by)
    api.add_note(**by, add_note_to_alert_payload=sdk.AddNoteToAlertPayload(note="Looked at"))
    api.add_tags(**by, add_tags_to_alert_payload=sdk.AddTagsToAlertPayload(tags=["web", "night"]))
    api.remove_tags(**by, tags=["night"])
    api.add_details(**by, add_details_to_alert_payload=sdk.AddDetailsToAlertPayload(details={"b": "2"}))
    api.remove_details(**by, keys=["a"])
    api.assign_alert(**by, assign_alert_payload=sdk.AssignAlertPayload(owner=sdk.UserRecipient(username="a@b.example")))
    api.update_alert_priority(**by, update_alert_priority_payload=sdk.UpdateAlertPriorityPayload(priority="P1"))
    api.update_alert_message(**by, update_alert_message_payload=sdk.UpdateAlertMessagePayload(message="Disk is full"))
    api.un_acknowledge_alert(**by)
    shown = api.get_alert(**by).data
    assert (shown.message, shown.priority, shown.acknowledged) == ("Disk is full", "P1", False)
    assert (shown.tags, shown.details, shown.owner) == (["sda1", "web"], {"b": "2"}, "a@b.example")
    assert [one.note for one in api.list_notes(**by).data] == ["Looked at"]
    assert len(api.list_logs(**by).data) > 5
    assert api.list_recipients(**by).data == []
    assert api.count_alerts(query="status: open").data.count == 5
    assert len(api.list_alerts(limit=2, order="asc").data) == 2
    api.close_alert(**by, close_alert_payload=sdk.CloseAlertPayload(note="Done"))
    assert api.get_alert(**by).data.status == "closed"
    api.delete_alert(**by)
    with pytest.raises(sdk.exceptions.ApiException, match="Alert not found"):
        api.get_alert(**by)
