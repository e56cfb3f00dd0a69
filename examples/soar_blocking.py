"""The SOAR of soar.py for programs without an event loop: in threads, in forked processes, or in a loop for each call.

Start PagerDuty's stand-in beside it, and give its address and the kind of program: threads, fork or loops.

    connector-host sandbox pagerduty --port 8765
    python examples/soar_blocking.py http://127.0.0.1:8765 threads
"""

import asyncio
import datetime as dt
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from connector_host import Caller, Change, Configuration, UnknownConnection
from connector_host.blocking import open_host

if TYPE_CHECKING:
    from connector_host.blocking_face import BlockingHost

ANN, BOB, EVE = Caller("ann", site="soc"), Caller("bob", site="branch"), Caller("eve", site="soc")


def connect(host: "BlockingHost", server: str) -> None:
    """Set up two tenants with a site each, and a connection of the one that is shared to the other."""
    operator = host.as_operator()
    for tenant, site, master in (("us", "soc", True), ("client", "branch", False)):
        operator.sites.put_tenant(tenant, master=master)
        operator.sites.put_site(site, tenant=tenant)
    fields = {"site": "soc", "tenants": ["client"], "allowed_users": ["ann", "bob"]}
    secrets = {"api_key": "any-key-will-do", "integration_key": "34be7512aaaabbbbccccdddd3c3534ca"}
    where = {"server_url": server, "event_url": server}
    operator.connections.add("lab", "pagerduty", Change(fields, where, secrets))


def playbook(host: "BlockingHost", who: Caller) -> str:
    """Three steps, each with what came of the one before: find a user, how to reach them, and open an event."""
    session = host.acting_for(who)
    try:
        found = session.run("pagerduty", "list_users", "lab", {"query": "kyler"})
    except UnknownConnection as refused:
        return f"{who.user}: {refused}"
    found.raise_for_failure()
    users = [*found.key_fields["UserIDs"], "PNOBODY"]
    reached = session.run("pagerduty", "get_user_contact_methods", "lab", {"user_ids": users})
    event = {"summary": f"{len(reached.context_data)} users asked", "severity": "Info", "source": str(who.user)}
    opened = session.run("pagerduty", "create_event", "lab", event)
    return f"{who.user}: {found.status}, {reached.status}, {opened.status}"


def in_threads(work: Callable[[Caller], str]) -> list[str]:
    """As Flask or Celery's threads do."""
    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(work, (ANN, BOB, EVE)))


def in_children(work: Callable[[Caller], str]) -> list[str]:
    """As gunicorn's or Celery's forked workers do: the host was opened before."""
    for who in (ANN, BOB, EVE):
        if not os.fork():
            try:
                print(work(who), flush=True)
                os._exit(0)
            finally:  # a child that fails does not go on as its parent
                os._exit(1)
    return [f"a child ended with {os.wait()[1]}" for _ in range(3)]


def in_loops(work: Callable[[Caller], str]) -> list[str]:
    """As Django's async_to_sync does: an event loop for each call, gone after it."""

    async def view(who: Caller) -> str:
        return work(who)

    return [asyncio.run(view(who)) for who in (ANN, BOB, EVE)]


if __name__ == "__main__":
    ways = {"threads": in_threads, "fork": in_children, "loops": in_loops}
    if len(sys.argv) != 3 or sys.argv[2] not in ways:  # noqa: PLR2004 - the program, the address, the way
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder, open_host(Configuration(home=Path(folder))) as opened:
        connect(opened, sys.argv[1])
        print("\n".join(ways[sys.argv[2]](lambda who: playbook(opened, who))))
        now, operator = dt.datetime.now(dt.UTC), opened.as_operator()
        window = {"start_time": (now - dt.timedelta(days=30)).isoformat(), "end_time": now.isoformat()}
        wanted = {**window, "top_recent_incident_number": 100}
        taken = operator.ingest("pagerduty", "fetch_incident", "lab", wanted).raw_data["new"]
        print(f"{taken} incidents taken in, {len(operator.history(50))} runs in the history")
