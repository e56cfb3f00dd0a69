"""What the runs of a connection say about it: refused credentials need a person, until a test passes."""

from connector_host.contract.connection import StoredConnection
from connector_host.contract.manifest import Command
from connector_host.contract.model import Kind, Result, Status
from connector_host.contract.stores import HealthLog

REASON = 300  # characters


class Attention:
    """Reads results, and keeps what they say about their connection."""

    def __init__(self, log: HealthLog) -> None:
        self._log = log

    async def after(self, command: Command, stored: StoredConnection, result: Result) -> None:
        """Keep how a test went, and whether the product refused the connection's credentials."""
        connection_id, is_test = stored.connection.id, command.kind == "test_connection"
        refusal = next((entry for entry in result.errors if entry.kind == Kind.UNAUTHORIZED), None)
        if is_test:
            await self._log.tested(connection_id, result.status.value, result.started_at)
        if refusal is not None:
            await self._log.attend(connection_id, f"{refusal.message} {refusal.assistance}".strip()[:REASON])
        elif is_test and result.status is Status.PASSED:
            await self._log.attend(connection_id, "")
