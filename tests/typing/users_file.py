"""What an embedding program writes; a type checker says nothing of it."""

from connector_host import Caller, Host, Result, Session, Status, open_host


async def use(host: Host) -> str:
    session: Session = host.acting_for(Caller("ann"))
    result: Result = await session.run("pagerduty", "list_users", "lab", {"query": "kyler"})
    assert result.status is Status.PASSED
    return result.json()


async def main() -> None:
    async with open_host() as host:
        await use(host)
