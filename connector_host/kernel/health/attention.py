"""What the runs of a connection say about it: refused credentials need a person, until a test passes."""

from collections.abc import Sequence

from connector_host.contract.connection import StoredConnection
from connector_host.contract.manifest import Command
from connector_host.contract.model import Failure, Kind, Result, Status
from connector_host.contract.stores import HealthLog

REASON = 300  # characters


class Attention:
    """Reads results, and keeps what they say about their connection."""

    def __init__(self, log: HealthLog) -> None:
        self._log = log

    async def after(
        self, command: Command, stored: StoredConnection, result: Result, failures: Sequence[Failure]
    ) -> None:
        """Keep how a test went, and whether the product refused the connection's credentials.

        `failures` are those behind the result's errors, in their order.
        """
        connection_id, is_test = stored.connection.id, command.kind == "test_connection"
        refusal = next(
            (
                entry
                for entry, failure in zip(result.errors, failures, strict=True)
                if failure.attention or failure.kind is Kind.UNAUTHORIZED
            ),
            None,
        )
        if is_test:
            await self._log.tested(connection_id, result.status.value, result.started_at)
        if refusal is not None:
            await self._log.attend(connection_id, f"{refusal.message} {refusal.assistance}".strip()[:REASON])
        elif is_test and result.status is Status.PASSED:
            await self._log.attend(connection_id, "")
