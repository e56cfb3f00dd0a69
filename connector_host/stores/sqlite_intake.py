"""Intake on SQLite: records taken in, how far each intake and each reader came, schedules, and field mappings."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec.json
from msgspec.structs import asdict, replace

from connector_host.model.audit import AuditEntry
from connector_host.model.intake import (
    Arrival,
    IntakeRecord,
    IntakeSchedule,
    KeptSchedule,
    MappingTables,
    ScheduleState,
)
from connector_host.ports.intake import ANYWHERE
from connector_host.stores.audit_rows import append
from connector_host.stores.connection_rows import moment_of, seconds_of
from connector_host.stores.database import Database
from connector_host.stores.statements import Statements


class SqliteIntake:
    """Records taken in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: str, command: str, records: Sequence[IntakeRecord], at: str) -> tuple[int, int]:
        """Keep those that are new, or changed."""
        whence = {"connection": connection, "command": command, "arrived_at": at}
        rows = [{**whence, **asdict(record)} for record in records]
        keys = {record.unique_key for record in records}
        listed = json.dumps(list(keys))

        def work(db: Statements) -> tuple[int, int]:
            known = db.row("known_keys", connection=connection, command=command, keys=listed)[0]
            new = len(keys) - known
            return new, db.change_many("add_intake_record", rows) - new

        return await self._database.write(work)

    async def position(self, connection: str, command: str, name: str) -> str | None:
        """Return how far a cursor came."""
        with self._database.reading() as db:
            row = db.row("intake_position", connection=connection, command=command, name=name)
            return row[0] if row else None

    async def move(self, connection: str, command: str, name: str, position: str) -> None:
        """Move a cursor."""
        values = {"connection": connection, "command": command, "name": name, "position": position}
        await self._database.write(lambda db: db.change("move_intake", **values))

    async def recent(
        self, connection: str, command: str, limit: int, *, site: str | None = ANYWHERE
    ) -> Sequence[IntakeRecord]:
        """Return the newest, newest first."""
        values = {"connection": connection, "command": command, "limit": limit}
        with self._database.reading() as db:
            rows = db.rows("recent_intake_records", anywhere=site == ANYWHERE, site=site, **values)
            return [IntakeRecord(*row) for row in rows]


class SqliteFeed:
    """Records taken in, in order of arrival."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def arrivals(
        self, after: int, limit: int, *, connection_id: str | None = None, site: str | None = ANYWHERE
    ) -> Sequence[Arrival]:
        """Return those that arrived after a number, in their order."""
        values = {"after": after, "limit": limit, "anywhere": site == ANYWHERE, "site": site}
        with self._database.reading() as db:
            if connection_id is None:
                rows = db.rows("arrivals", **values)
            else:
                rows = db.rows("arrivals_of", connection=connection_id, **values)
            return [
                Arrival(number, whence, command, at, IntakeRecord(*record))
                for number, whence, command, at, *record in rows
            ]

    async def last_arrival(self) -> int:
        """Return the number of the last."""
        with self._database.reading() as db:
            return int(db.row("last_arrival")[0])

    async def acknowledged(self, person: str, reader: str) -> int:
        """Return how far a reader has come."""
        with self._database.reading() as db:
            row = db.row("reader", person=person, name=reader)
            return row[0] if row else 0

    async def acknowledge(self, person: str, reader: str, number: int, most: int) -> bool:
        """Note how far a reader has come; never back."""
        values = {"person": person, "name": reader, "arrived": number, "most": most}
        return bool(await self._database.write(lambda db: db.change("move_reader", **values)))


class SqliteSchedules:
    """When intakes run by themselves, and how that went."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, kept: KeptSchedule, entry: AuditEntry) -> None:
        """Keep one, or change it."""
        schedule = kept.schedule
        values = {"connection_id": kept.connection_id, "command": schedule.command}
        document = msgspec.json.encode(replace(schedule, connection="")).decode()

        def work(db: Statements) -> None:
            db.change("put_schedule", minutes=schedule.interval_minutes, document=document, **values)
            append(db, entry)

        await self._database.write(work)

    async def remove(self, connection_id: str, command: str, entry: AuditEntry) -> bool:
        """Forget one; whether it was there."""

        def work(db: Statements) -> bool:
            found = bool(db.change("remove_schedule", connection_id=connection_id, command=command))
            if found:
                append(db, entry)
            return found

        return await self._database.write(work)

    async def list(self, connection_id: str | None = None, limit: int = 1000) -> Sequence[KeptSchedule]:
        """Return all, or those of a connection."""
        with self._database.reading() as db:
            if connection_id is None:
                rows = db.rows("schedules", limit=limit)
            else:
                rows = db.rows("schedules_of", connection_id=connection_id)
        return [_kept(row[0], row[3], row[4:], connection=row[1]) for row in rows]

    async def claim(self, claimant: str, now: datetime, until: datetime, limit: int) -> Sequence[KeptSchedule]:
        """Take those that are due."""
        values = {"claimant": claimant, "now": now.timestamp(), "until": until.timestamp(), "limit": limit}
        rows = await self._database.write(lambda db: db.rows("claim_schedules", **values))
        return [_kept(row[0], row[2], row[3:]) for row in rows]

    async def renew(self, kept: KeptSchedule, claimant: str, until: datetime) -> bool:
        """Hold a claim for longer."""
        values = {"connection_id": kept.connection_id, "command": kept.schedule.command, "claimant": claimant}
        found = await self._database.write(lambda db: db.change("renew_schedule", until=until.timestamp(), **values))
        return bool(found)

    async def finish(self, kept: KeptSchedule, claimant: str) -> bool:
        """Keep how a run went, and give the claim up."""
        state = kept.state
        values = {
            "connection_id": kept.connection_id,
            "command": kept.schedule.command,
            "claimant": claimant,
            "last_run": seconds_of(state.last_run),
            "status": state.status,
            "words": state.words,
            "counts": json.dumps(dict(state.counts)),
        }
        return bool(await self._database.write(lambda db: db.change("finish_schedule", **values)))


def _kept(connection_id: str, document: str, state: Sequence[Any], *, connection: str = "") -> KeptSchedule:
    schedule = msgspec.json.decode(document, type=IntakeSchedule)
    last_run, status, words, counts = state
    fares = ScheduleState(moment_of(last_run), status, words, json.loads(counts) if counts else {})
    return KeptSchedule(connection_id, replace(schedule, connection=connection), fares)


class SqliteMappings:
    """Field mappings of connections' own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, connection_id: str, command: str) -> MappingTables | None:
        """Return a connection's own; None where it has none."""
        with self._database.reading() as db:
            row = db.row("mapping", connection_id=connection_id, command=command)
        return msgspec.json.decode(row[0], type=MappingTables) if row else None

    async def put(self, connection_id: str, command: str, tables: MappingTables, entry: AuditEntry) -> bool:
        """Keep the next version; false where it is not the next."""
        values = {"connection_id": connection_id, "command": command, "version": tables.version}
        document = msgspec.json.encode(tables).decode()

        def work(db: Statements) -> bool:
            kept = bool(db.change("put_mapping", document=document, **values))
            if kept:
                append(db, entry)
            return kept

        return await self._database.write(work)
