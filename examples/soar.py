"""A small SOAR: two tenants, three users of whom one is refused, a playbook of three steps, incidents.

Start PagerDuty's stand-in beside it, and give its address:

    connector-host sandbox pagerduty --port 8765
    python examples/soar.py http://127.0.0.1:8765
"""

import asyncio
import datetime as dt
import sys
import tempfile
from pathlib import Path

from connector_host import Caller, Change, Configuration, Result, Session, Status, UnknownConnection, open_host

ANN, BOB, EVE = Caller("ann", site="soc"), Caller("bob", site="branch"), Caller("eve", site="soc")


def show(who: str, result: Result) -> Result:
    """Print what a SOAR would show: status, key fields, and the error tab where there is one."""
    print(f"{who}: {result.command}: {result.status}", {name: ids[:2] for name, ids in result.key_fields.items()} or "")
    for row in result.errors:
        print(f"  {row.failure_indicator} {row.status_code}: {row.message} {row.assistance}")
    return result


async def connect(operator: Session, server: str) -> None:
    """Set up two tenants with a site each, and a connection of the one that is shared to the other."""
    for tenant, site, master in (("us", "soc", True), ("client", "branch", False)):
        await operator.sites.put_tenant(tenant, master=master)
        await operator.sites.put_site(site, tenant=tenant)
    fields = {"site": "soc", "tenants": ["client"], "allowed_users": ["ann", "bob"]}
    secrets = {"api_key": "any-key-will-do", "integration_key": "34be7512aaaabbbbccccdddd3c3534ca"}
    where = {"server_url": server, "event_url": server}
    await operator.connections.add("lab", "pagerduty", Change(fields, where, secrets))
    show("operator", await operator.test("lab"))


async def playbook(who: str, session: Session) -> None:
    """Three steps, each with what came of the one before: find a user, how to reach them, and open an event."""
    found = show(who, await session.run("pagerduty", "list_users", "lab", {"query": "kyler"}))
    found.raise_for_failure()
    users = [*found.key_fields["UserIDs"], "PNOBODY"]
    reached = show(who, await session.run("pagerduty", "get_user_contact_methods", "lab", {"user_ids": users}))
    assert reached.status is Status.PARTIAL
    event = {"summary": f"{len(reached.context_data)} users asked", "severity": "Info", "source": who}
    show(who, await session.run("pagerduty", "create_event", "lab", event))


async def main(server: str, home: Path) -> None:
    """Open the host once, for as long as the program lives; each person gets a session."""
    async with open_host(Configuration(home=home)) as host:
        await connect(operator := host.as_operator(), server)
        await asyncio.gather(*(playbook(str(one.user), host.acting_for(one)) for one in (ANN, BOB)))
        try:
            await playbook("eve", host.acting_for(EVE))
        except UnknownConnection as refused:
            print(f"eve: {refused}")
        now = dt.datetime.now(dt.UTC)
        window = {"start_time": (now - dt.timedelta(days=30)).isoformat(), "end_time": now.isoformat()}
        wanted = {**window, "top_recent_incident_number": 100}
        show("operator", await operator.ingest("pagerduty", "fetch_incident", "lab", wanted))
        for record in await operator.history(10):
            print(record.started_at, record.caller, record.command, record.status)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the address
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(sys.argv[1], Path(folder)))
