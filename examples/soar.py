"""A SOAR in sixty lines: it opens the host, adds a connection, runs commands for an analyst and takes incidents in.

Start PagerDuty's stand-in beside it, and give its address:

    connector-host sandbox pagerduty --port 8765
    python examples/soar.py http://127.0.0.1:8765
"""

import asyncio
import datetime as dt
import sys
import tempfile
from pathlib import Path

from connector_host import Caller, Change, Configuration, Result, Session, Status, open_host


def show(result: Result) -> None:
    """Print what a SOAR would show: status, key fields, and the error tab where there is one."""
    print(f"{result.command}: {result.status}", result.key_fields or "")
    for row in result.errors:
        print(f"  {row.failure_indicator} {row.status_code}: {row.message} {row.assistance}")


async def connect(operator: Session, server: str) -> None:
    """Add the connection, and try it."""
    where = {"server_url": server, "event_url": server, "default_from": "earline.greenholt@example.com"}
    secrets = {"api_key": "any-key-will-do", "integration_key": "34be7512aaaabbbbccccdddd3c3534ca"}
    await operator.connections.add("lab", "pagerduty", Change({"allowed_users": ["ann"]}, where, secrets))
    show(await operator.test("lab"))


async def investigate(ann: Session) -> None:
    """Do what an analyst's playbook would: one command that passes, and one that partly does."""
    show(await ann.run("pagerduty", "list_users", "lab", {"query": "kyler"}))
    result = await ann.run("pagerduty", "get_user_contact_methods", "lab", {"user_ids": ["PU00001", "PNOBODY"]})
    show(result)
    assert result.status is Status.PARTIAL


async def main(server: str, home: Path) -> None:
    """Open the host once, for as long as the program lives; each person gets a session."""
    async with open_host(Configuration(home=home)) as host:
        operator = host.as_operator()
        await connect(operator, server)
        await investigate(host.acting_for(Caller("ann")))
        now = dt.datetime.now(dt.UTC)
        window = {"start_time": (now - dt.timedelta(days=30)).isoformat(), "end_time": now.isoformat()}
        show(await operator.ingest("pagerduty", "fetch_incident", "lab", {**window, "top_recent_incident_number": 100}))
        for record in await operator.history(10):
            print(record.started_at, record.caller, record.command, record.status)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(sys.argv[1], Path(folder)))
