"""`demo`: a PagerDuty sandbox, a fresh data folder, a connection, and all ten commands with their results."""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from msgspec import Struct, field

from connector_host.app import App
from connector_host.authoring.kit.stand_in import stand_in_of
from connector_host.cli.running import with_session
from connector_host.cli.sandbox import serving
from connector_host.cli.serve import serve_page
from connector_host.host.session import Session
from connector_host.model.connection import Change
from connector_host.model.errors import WrongUse
from connector_host.model.manifest import Manifest
from connector_host.model.result import Result

PLUGIN, NAME = "pagerduty", "demo"
SENDER = "earline.greenholt@example.com"
SECRETS = {"api_key": "u+DoDemoKeyDemoKbgRQ", "integration_key": "34be7512d3m0d3m0d3m0d3m03c3534ca"}


@click.command("demo", help="Show it all: a PagerDuty sandbox, a connection, all ten commands.")
@click.option(
    "--serve",
    is_flag=True,
    help="Afterwards keep the sandbox and the connection, and serve the page, until Ctrl-C.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Of the page; 0 takes any."
)
@click.pass_obj
def command(app: App, serve: bool, port: int) -> None:  # noqa: FBT001 - click passes it by name
    """Run the demo; nothing is left behind."""
    manifest = app.plugins.plugin(PLUGIN)
    with tempfile.TemporaryDirectory(prefix="connector-host-demo-") as folder:
        home = app.at(Path(folder))
        with serving(stand_in_of(manifest).build(incidents=12)) as base:
            _say(f"The PagerDuty sandbox listens on {base}; the data folder is {folder}.")
            with_session(home, lambda session: _Demo(session, base, home.plugins.plugin(PLUGIN)).run())
            if serve:
                _say(f"\nStill there; in another terminal:\n  export CONNECTOR_HOST_HOME={folder}")
                _say(f"  connector-host test-command {PLUGIN} list-users --connection {NAME}")
                serve_page(home, port)


def _say(text: str) -> None:
    click.echo(text, err=True)


class _Demo(Struct):
    """One walk through the ten commands; each may use what the ones before gave."""

    session: Session
    base: str
    manifest: Manifest
    statuses: list[tuple[str, str]] = field(default_factory=list)

    async def run(self) -> None:
        parameters = {"server_url": self.base, "event_url": self.base, "default_from": SENDER}
        await self.session.connections.add(NAME, PLUGIN, Change(parameters=parameters, secrets=SECRETS))
        shown = await self.session.connections.show(NAME)
        _say(f"Added the connection '{NAME}'; its secrets are sealed: {shown['secrets']}\n")
        await self._walk()
        self._sum_up()

    async def _walk(self) -> None:
        await self._show("Test Connection", "test_connection", {"probe_integration_keys": True})
        users = await self._show("List Users", "list_users", {})
        user_ids = users.key_fields["UserIDs"][:1]
        await self._show("Get User Contact Methods", "get_user_contact_methods", {"user_ids": [*user_ids, "PNOBODY"]})
        await self._show("Get All Schedules", "get_all_schedules", {})
        created = await self._show("Create Event", "create_event", _EVENT)
        dedup_key = created.raw_data["dedup_key"]
        await self._show("Acknowledge Event", "acknowledge_event", {"dedup_key": dedup_key, "verify": True})
        await self._show("Resolve Event", "resolve_event", {"dedup_key": dedup_key, "verify": True})
        now = datetime.now(UTC)
        times = {"start_time": _iso(now - timedelta(days=7)), "end_time": _iso(now + timedelta(minutes=1))}
        fetched = await self._show("Fetch Incident", "fetch_incident", {**times, "top_recent_incident_number": 5})
        incident_ids = fetched.key_fields["IncidentIDs"]
        await self._show("Get Incident Alerts", "get_incident_alerts", {"incident_ids": incident_ids[:2]})
        await self._show("Resolve Incidents", "resolve_incidents", {"incident_ids": [*incident_ids[1:3], "QNOWHERE"]})
        await self._show(
            "Create Event, with an input that is wrong",
            "create_event",
            {**_EVENT, "custom_details": "load avg: 0.75"},
        )

    async def _show(self, title: str, command: str, inputs: Mapping[str, Any]) -> Result:
        from connector_host.cli.tables import print_result  # noqa: PLC0415 - rich is for people only

        result = await self.session.run(PLUGIN, command, NAME, inputs)
        columns = self.manifest.commands[command].columns
        print_result(result, title, columns, raw=False)
        self.statuses.append((title, result.status.value))
        return result

    def _sum_up(self) -> None:
        width = max(len(title) for title, _ in self.statuses)
        for title, status in self.statuses:
            click.echo(f"{title:<{width}}  {status}")
        unexpected = [title for title, status in self.statuses if status == "Failed" and "wrong" not in title]
        if unexpected:
            raise WrongUse(f"The demo did not go as it should: {', '.join(unexpected)}.")


_EVENT = {
    "summary": "Example alert on 2021101500a",
    "severity": "Info",
    "source": "prod-datapipe03.example.com",
    "component": "Postgres",
    "group": "Prod-datapipe",
    "class": "Deploy",
    "custom_details": '{"ping time":"1500ms","load avg":0.75}',
}


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
