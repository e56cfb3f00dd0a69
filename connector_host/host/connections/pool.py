"""Connections in use: opened once per version, their wires kept across invocations and closed when they change."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import anyio
from msgspec import Struct, field

from connector_host.host.connections.origins import hosts_of_others
from connector_host.host.connections.values import OpenedValues, ValueSource, names_now, not_active
from connector_host.host.connections.wires import Wires, Wiring
from connector_host.host.plan import Plan, Planner
from connector_host.host.redaction import RedactingFilter, Redactor, leaves
from connector_host.model.connection import StoredConnection
from connector_host.model.invocation_errors import InvocationError
from connector_host.model.manifest import Command
from connector_host.model.times import http_date
from connector_host.ports.parts import Clock, OpenConnection, Reply, Request, Send, ShieldedValues, Step, Tls
from connector_host.ports.stores import ConnectionStore

KEPT = 256  # connections whose wires stay open while nobody uses them
CHECKED_SECONDS = 0.05  # for which a run's own look at whether the connection is active holds
SecretValues = Mapping[str, Any]
Renew = Callable[[str, str, str], Awaitable[int]]  # connection, secret, its new value -> the connection's new version


class PooledConnection(Struct, eq=False):
    """A connection in use, the redactor that knows its secrets, its plans by command, and how many invocations hold it.

    After `until` (monotonic seconds) its values must be looked up anew; until `checked` it is known to be active.
    `dated` is the `Date` of the newest reply, and when it came.
    """

    version: int
    opened: OpenConnection
    redactor: Redactor
    values: OpenedValues
    wires: Wires
    until: float
    checked: float
    users: int = 0
    plans: dict[str, tuple[Command, Plan]] = field(default_factory=dict)
    dated: tuple[str | None, float] = (None, 0.0)


class ConnectionPool:
    """The connections in use in this process."""

    def __init__(
        self,
        store: ConnectionStore,
        planner: Planner,
        wiring: Wiring,
        values: ValueSource,
        renew: Renew,
        log_filter: RedactingFilter,
        clock: Clock,
    ) -> None:
        self.no_secrets = Redactor(())
        self._store = store
        self._planner = planner
        self._wiring = wiring
        self._values = values
        self._renew = renew
        self._log_filter = log_filter
        self._clock = clock
        self._open: OrderedDict[str, PooledConnection] = OrderedDict()

    async def acquire(self, stored: StoredConnection, draft: SecretValues | None = None) -> PooledConnection:
        """Return this version of the connection in use, held until release().

        A draft's secrets are given, and it is its own. Raises SecretUnavailable, ConnectionUnavailable.
        """
        if draft is not None:
            own = self._make(stored, await self._values.open(stored, draft), draft=True)
            own.users = 1
            return own
        pooled = self._open.get(stored.connection.id)
        if pooled is not None and await self._holds(pooled, stored):
            pooled.checked = self._clock.monotonic() + CHECKED_SECONDS
        else:  # opening may take long: whether it is still active is asked at its first request
            pooled = await self._put(stored, await self._values.open(stored, None))
        self._open.move_to_end(stored.connection.id)
        pooled.users += 1
        return pooled

    async def looked_up_anew(self, pooled: PooledConnection, stored: StoredConnection) -> PooledConnection | None:
        """Return the connection with what its vaults give now, held; None where they give the same, or it has none."""
        if not pooled.values.vaults or self._open.get(stored.connection.id) is not pooled:
            return None
        self._values.forget(stored.connection)
        try:
            values = await self._values.open(stored, None)
        except InvocationError:  # what was refused is told, not that a vault is out of order just now
            return None
        if values.values == pooled.values.values:
            return None
        fresh = await self._put(stored, values)
        fresh.users += 1
        return fresh

    async def _holds(self, pooled: PooledConnection, stored: StoredConnection) -> bool:
        """Whether what was opened is still what is stored; a vault that was changed or made inactive is asked anew."""
        if pooled.version != stored.connection.version or pooled.until <= self._clock.monotonic():
            return False
        return not pooled.values.vaults or await self._values.still_allowed(pooled.values)

    def product_time(self, pooled: PooledConnection) -> datetime:
        """Return the time by the product's clock, as its newest reply told it; ours where it told none."""
        told, at = pooled.dated
        date = http_date(told) if told else None
        with suppress(OverflowError):  # the year 9999, say
            return self._clock.now() if date is None else date + timedelta(seconds=self._clock.monotonic() - at)
        return self._clock.now()

    def plan(self, pooled: PooledConnection, command: Command, agent: str | None) -> Plan:
        """Return how a command is carried out through a connection in use; made once."""
        known = pooled.plans.get(command.id)
        if known is None or known[0] is not command:
            known = pooled.plans[command.id] = command, self._planner.plan(command, pooled.opened, agent)
        return known[1]

    async def _put(self, stored: StoredConnection, values: OpenedValues) -> PooledConnection:
        """Take a new one's place; one with the same values goes on."""
        known = self._open.get(stored.connection.id)
        if known is not None and known.version == stored.connection.version and known.opened.values == values.values:
            known.until, known.values = values.until, values
            return known
        pooled = self._open[stored.connection.id] = self._make(stored, values)
        if known is not None and known.users == 0:
            await self._close(known)
        return pooled

    async def release(self, pooled: PooledConnection) -> None:
        """Let go; the last to hold a connection that changed meanwhile closes its wires."""
        pooled.users -= 1
        current = self._open.get(pooled.opened.id)
        if pooled.users == 0 and current is not pooled:
            await self._close(pooled)
        if len(self._open) > KEPT:
            idle = next((one for one, other in self._open.items() if other.users == 0), None)
            if idle is not None:
                await self.forget(idle)

    async def forget(self, connection_id: str) -> None:
        """Close the wires of a connection that is no more, or rests."""
        pooled = self._open.pop(connection_id, None)
        if pooled is not None and pooled.users == 0:
            await self._close(pooled)

    async def _close(self, pooled: PooledConnection) -> None:
        """Close its wires, also while the task that holds it is being cancelled; logs need its secrets no more."""
        with anyio.CancelScope(shield=True):
            await pooled.wires.close()
        self._log_filter.forget(pooled.redactor)

    async def close(self) -> None:
        """Close every wire."""
        for connection_id in list(self._open):
            await self.forget(connection_id)

    def _make(self, stored: StoredConnection, opened: OpenedValues, *, draft: bool = False) -> PooledConnection:
        connection, values = stored.connection, ShieldedValues(opened.values)
        redactor = Redactor(text for name in opened.secret_names for text in leaves(values.get(name)))
        self._log_filter.learn(redactor)

        async def renew(name: str, value: str) -> None:
            if not draft:
                pooled.version = await self._renew(connection.name, name, value)
            values[name] = value

        async def send(request: Request) -> Reply:
            if not draft and self._clock.monotonic() > pooled.checked:
                await self._refuse_inactive(pooled, connection.name)
            reply = await wires.send(request)
            pooled.dated = reply.headers.get("date"), self._clock.monotonic()
            return reply

        tls = Tls(values.get("ca_bundle"), values.get("client_certificate"), values.get("client_key"))
        set_by = names_now(opened.manifest, connection.plugin_version, connection.set_by)
        wires = Wires(self._wiring, connection.name, tls, hosts_of_others(opened.manifest, values, set_by))
        through, secrets = compose(self._wiring.steps, send), (redactor.cannot_hold, redactor.learn)
        wire = OpenConnection(connection.id, opened.manifest, values, through, self._clock, *secrets, renew)
        pooled = PooledConnection(connection.version, wire, redactor, opened, wires, opened.until, 0.0)
        return pooled

    async def _refuse_inactive(self, pooled: PooledConnection, name: str) -> None:
        """Raise ConnectionUnavailable where the connection was made inactive, or removed, while a request waited."""
        now = await self._store.get(connection_id=pooled.opened.id)
        if now is None or not now.connection.active:
            raise not_active(name)
        pooled.checked = self._clock.monotonic() + CHECKED_SECONDS


def compose(steps: Sequence[Step], send: Send) -> Send:
    """Wrap `send` in the steps, the first outermost."""
    for step in reversed(steps):
        send = _around(step, send)
    return send


def _around(step: Step, send: Send) -> Send:
    return lambda request: step(request, send)
