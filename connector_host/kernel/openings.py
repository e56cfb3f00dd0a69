"""Connections in use: opened once per version, their wire kept across invocations and closed when they change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from connector_host.contract.model import StoredConnection
from connector_host.contract.ports import OpenConnection, Transport
from connector_host.kernel.redaction import RedactingFilter, Redactor, leaves

OpenValues = Callable[[StoredConnection], Mapping[str, Any]]


class Settings(dict[str, Any]):
    """A connection's parameters and secrets; its repr shows the names only."""

    def __repr__(self) -> str:
        return f"<{', '.join(sorted(self))}>"


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """A connection in use, and the redactor that knows its secrets."""

    version: int
    connection: OpenConnection
    redactor: Redactor


class Openings:
    """The connections in use in this process."""

    def __init__(self, transport: Transport, open_values: OpenValues, log_filter: RedactingFilter) -> None:
        self.no_secrets = Redactor(())
        self._transport = transport
        self._open_values = open_values
        self._log_filter = log_filter
        self._open: dict[str, Opening] = {}
        self._stale: list[Opening] = []

    def open(self, stored: StoredConnection) -> Opening:
        """The opening of this version of the connection; raises SealError."""
        connection = stored.connection
        known = self._open.get(connection.id)
        if known is not None and known.version == connection.version:
            return known
        values = Settings(self._open_values(stored))
        redactor = Redactor(text for name in connection.secrets for text in leaves(values.get(name)))
        self._log_filter.learn(connection.id, redactor)
        session = self._transport.open(values.get("ca_bundle"))
        opening = Opening(connection.version, OpenConnection(connection.id, values, session), redactor)
        self._open[connection.id] = opening
        if known is not None:
            self._stale.append(known)
        return opening

    async def close_stale(self) -> None:
        """Close the wires of connections that changed since."""
        while self._stale:
            await self._stale.pop().connection.session.close()

    async def close(self) -> None:
        """Close every wire."""
        self._stale += self._open.values()
        self._open = {}
        with anyio.CancelScope(shield=True):
            await self.close_stale()
