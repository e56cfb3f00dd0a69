"""Connections in use: opened once per version, their wire kept across invocations and closed when they change."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from connector_host.contract.connection import StoredConnection
from connector_host.contract.ports import Clock, OpenConnection, Shielded, Tls, Transport
from connector_host.kernel.connections.values import OpenedValues
from connector_host.kernel.redaction import RedactingFilter, Redactor, leaves

KEPT = 256  # connections whose wires stay open while nobody uses them
Secrets = Mapping[str, Any]
OpenValues = Callable[[StoredConnection, Secrets | None], Awaitable[OpenedValues]]
Renew = Callable[[str, str, str], Awaitable[int]]  # connection, secret, its new value -> the connection's new version


@dataclass(slots=True, eq=False)
class Opening:
    """A connection in use, the redactor that knows its secrets, and how many invocations hold it.

    After `until` (monotonic seconds) its values must be looked up anew.
    """

    version: int
    connection: OpenConnection
    redactor: Redactor
    until: float
    users: int = 0


class Openings:
    """The connections in use in this process."""

    def __init__(
        self, transport: Transport, open_values: OpenValues, renew: Renew, log_filter: RedactingFilter, clock: Clock
    ) -> None:
        self.no_secrets = Redactor(())
        self._transport = transport
        self._open_values = open_values
        self._renew = renew
        self._log_filter = log_filter
        self._clock = clock
        self._open: OrderedDict[str, Opening] = OrderedDict()

    async def acquire(self, stored: StoredConnection, draft: Secrets | None = None) -> Opening:
        """Return the opening of this version of the connection, held until release().

        A draft's secrets are given, and its opening is its own. Raises SecretUnavailable, ConnectionUnavailable.
        """
        if draft is not None:
            own = self._make(stored, await self._open_values(stored, draft), draft=True)
            own.users = 1
            return own
        opening = self._current(stored) or await self._put(stored, await self._open_values(stored, None))
        self._open.move_to_end(stored.connection.id)
        opening.users += 1
        return opening

    def _current(self, stored: StoredConnection) -> Opening | None:
        known = self._open.get(stored.connection.id)
        if known is None or known.version != stored.connection.version or known.until <= self._clock.monotonic():
            return None
        return known

    async def _put(self, stored: StoredConnection, opened: OpenedValues) -> Opening:
        """Take a new opening's place; one with the same values goes on."""
        known = self._open.get(stored.connection.id)
        if (
            known is not None
            and known.version == stored.connection.version
            and known.connection.values == opened.values
        ):
            known.until = opened.until
            return known
        opening = self._open[stored.connection.id] = self._make(stored, opened)
        if known is not None and known.users == 0:
            await known.connection.session.close()
        return opening

    async def release(self, opening: Opening) -> None:
        """Let go; the last to hold a connection that changed meanwhile closes its wire."""
        opening.users -= 1
        current = self._open.get(opening.connection.id)
        if opening.users == 0 and current is not opening:
            with anyio.CancelScope(shield=True):
                await opening.connection.session.close()
            if current is None:
                self._log_filter.forget(opening.connection.id)
        if len(self._open) > KEPT:
            idle = next((one for one, other in self._open.items() if other.users == 0), None)
            if idle is not None:
                await self.forget(idle)

    async def forget(self, connection_id: str) -> None:
        """Close the wire of a connection that is no more, or rests."""
        opening = self._open.pop(connection_id, None)
        if opening is not None and opening.users == 0:
            with anyio.CancelScope(shield=True):
                await opening.connection.session.close()
            self._log_filter.forget(connection_id)

    async def close(self) -> None:
        """Close every wire."""
        for connection_id in list(self._open):
            await self.forget(connection_id)

    def _make(self, stored: StoredConnection, opened: OpenedValues, *, draft: bool = False) -> Opening:
        connection, values = stored.connection, Shielded(opened.values)
        redactor = Redactor(text for name in opened.secret_names for text in leaves(values.get(name)))
        self._log_filter.learn(connection.id, redactor)
        tls = Tls(values.get("ca_bundle"), values.get("client_certificate"), values.get("client_key"))

        async def renew(name: str, value: str) -> None:
            if not draft:
                opening.version = await self._renew(connection.name, name, value)
            values[name] = value

        session = self._transport.open(tls)
        wire = OpenConnection(connection.id, values, session, redactor.cannot_hold, redactor.learn, renew)
        opening = Opening(connection.version, wire, redactor, opened.until)
        return opening
