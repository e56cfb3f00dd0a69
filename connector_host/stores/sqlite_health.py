"""The health of connections on SQLite, and the claims on checks that are due."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from connector_host.model.connection import ConnectionHealth
from connector_host.stores.connection_rows import health_of, seconds_of
from connector_host.stores.database import Database


class SqliteHealth:
    """How connections fare."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self, connection_id: str) -> ConnectionHealth:
        """How one fares."""
        with self._database.reading() as db:
            row = db.row("health_of", connection_id=connection_id)
            return health_of(row) if row else ConnectionHealth()

    async def claim(
        self, claimant: str, now: datetime, until: datetime, limit: int
    ) -> Sequence[tuple[str, ConnectionHealth]]:
        """Take checks that are due."""
        values = {"claimant": claimant, "now": now.timestamp(), "until": until.timestamp(), "limit": limit}
        rows = await self._database.write(lambda db: db.rows("claim_due", **values))
        return [(row[0], health_of(row[1:])) for row in rows]

    async def finish(self, connection_id: str, claimant: str, health: ConnectionHealth, jitter: float) -> bool:
        """Keep how the check went."""
        values = {
            "connection_id": connection_id,
            "claimant": claimant,
            "status": health.status,
            "last_run": seconds_of(health.last_run),
            "last_success": seconds_of(health.last_success),
            "last_failure": seconds_of(health.last_failure),
            "failures": health.failures,
            "mailed": health.mailed,
            "deliveries": msgspec.json.encode(health.deliveries).decode(),
            "jitter": jitter,
        }
        return bool(await self._database.write(lambda db: db.change("finish_check", **values)))

    async def tested(self, connection_id: str, status: str, at: datetime, unchecked: Sequence[str] = ()) -> None:
        """Keep how a test went."""
        values: dict[str, Any] = {"connection_id": connection_id, "status": status, "at": at.timestamp()}
        values["unchecked"] = json.dumps(list(unchecked))
        await self._database.write(lambda db: db.change("tested", **values))

    async def checks(self, connection_ids: Sequence[str], most: int) -> Mapping[str, Sequence[str]]:
        """Return the statuses of the newest checks of many, oldest first."""
        found: dict[str, list[str]] = {}
        with self._database.reading() as db:
            for connection_id, status in db.rows("checks_of", ids=json.dumps(list(connection_ids)), most=most):
                found.setdefault(connection_id, []).append(status)
        return found

    async def attend(self, connection_id: str, reason: str) -> None:
        """Say why one needs attention, or that it needs none."""
        with self._database.reading() as db:
            same = db.row("health_of", connection_id=connection_id)
        if same is None or health_of(same).attention != reason:
            await self._database.write(lambda db: db.change("attend", connection_id=connection_id, attention=reason))
