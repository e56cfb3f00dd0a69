"""The words in which people are told of a connection that fails, and of one that works again."""

from connector_host.contract.connection import Connection, Health
from connector_host.contract.documents import iso
from connector_host.contract.ports import Notice


def failing(connection: Connection, health: Health, words: str) -> Notice:
    """Return the notice that a connection failed several checks in a row; `words` are the error tab's."""
    since = f"since {iso(health.last_success)}" if health.last_success else "so far"
    return Notice(
        event="connection.failing",
        connection=connection.name,
        recipients=_recipients(connection),
        subject=f"Connection '{connection.name}' fails ({health.failures} health checks in a row)",
        text=(
            f"The health check of the connection '{connection.name}' ({connection.plugin}) failed {health.failures} "
            f"times in a row; no check passed {since}.\n\n{words}\n\n"
            f"See what happened:  connector-host health history {connection.name}\n"
            f"Try it again:       connector-host connections test {connection.name}\n\n"
            f"You get one more message when it works again."
        ),
    )


def recovered(connection: Connection, health: Health) -> Notice:
    """Return the notice that a connection works again."""
    return Notice(
        event="connection.recovered",
        connection=connection.name,
        recipients=_recipients(connection),
        subject=f"Connection '{connection.name}' works again",
        text=(
            f"The health check of the connection '{connection.name}' ({connection.plugin}) passed at "
            f"{iso(health.last_success) if health.last_success else 'last'}."
        ),
    )


def _recipients(connection: Connection) -> tuple[str, ...]:
    return connection.health_check.recipients if connection.health_check else ()
