"""Connections in use: opened once per version, their wire kept across invocations and closed when they change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from connector_host.contract.model import StoredConnection
from connector_host.contract.ports import OpenConnection, Transport
from connector_host.kernel.redaction import RedactingFilter, Redactor, leaves

OpenValues = Callable[[StoredConnection], Mapping[str, Any]]


class Values(dict[str, Any]):
    """A connection's parameters and secrets; its repr shows the names only."""

    def __repr__(self) -> str:
        return f"<{', '.join(sorted(self))}>"


@dataclass(slots=True, eq=False)
class Opening:
    """A connection in use, the redactor that knows its secrets, and how many invocations hold it."""

    version: int
    connection: OpenConnection
    redactor: Redactor
    users: int = 0


class Openings:
    """The connections in use in this process."""

    def __init__(self, transport: Transport, open_values: OpenValues, log_filter: RedactingFilter) -> None:
        self.no_secrets = Redactor(())
        self._transport = transport
        self._open_values = open_values
        self._log_filter = log_filter
        self._open: dict[str, Opening] = {}

    async def acquire(self, stored: StoredConnection) -> Opening:
        """Return the opening of this version of the connection, held until release(); raises SealError."""
        opening = self._open.get(stored.connection.id)
        if opening is None or opening.version != stored.connection.version:
            stale, opening = opening, self._make(stored)
            self._open[stored.connection.id] = opening
            if stale is not None and stale.users == 0:
                await stale.connection.session.close()
        opening.users += 1
        return opening

    async def release(self, opening: Opening) -> None:
        """Let go; the last to hold a connection that changed meanwhile closes its wire."""
        opening.users -= 1
        if opening.users == 0 and self._open.get(opening.connection.id) is not opening:
            with anyio.CancelScope(shield=True):
                await opening.connection.session.close()

    async def forget(self, connection_id: str) -> None:
        """Close the wire of a connection that is no more."""
        opening = self._open.pop(connection_id, None)
        if opening is not None and opening.users == 0:
            await opening.connection.session.close()

    async def close(self) -> None:
        """Close every wire."""
        with anyio.CancelScope(shield=True):
            for connection_id in list(self._open):
                await self.forget(connection_id)

    def _make(self, stored: StoredConnection) -> Opening:
        connection = stored.connection
        values = Values(self._open_values(stored))
        redactor = Redactor(text for name in connection.secrets for text in leaves(values.get(name)))
        self._log_filter.learn(connection.id, redactor)
        session = self._transport.open(values.get("ca_bundle"))
        return Opening(
            connection.version, OpenConnection(connection.id, values, session, redactor.cannot_hold), redactor
        )
