"""What came of invocations: the history of what ran and how it ended, and what that says of a connection's health."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import anyio
from msgspec import Struct, field

from connector_host.host.audit import Audit
from connector_host.host.settings import Settings
from connector_host.model.audit import AuditEntry
from connector_host.model.caller import Actor
from connector_host.model.connection import Connection
from connector_host.model.errors import StoreError
from connector_host.model.failure import Failure, Kind
from connector_host.model.manifest import Command
from connector_host.model.result import HistoryRecord, Result, Status, iso, json_text
from connector_host.ports.parts import Clock
from connector_host.ports.stores import HealthStore, HistoryStore

MANY = 16  # invocations under way, from which a record waits a little for others to be written with
LINGER_SECONDS = 0.006
SMALLEST_RECORD = 100  # bytes; a list of more records than fit need not be written out to be weighed


class _Batch(Struct, eq=False):
    """Records that are written together: the first who comes writes for all who come before it is their turn."""

    rows: list[tuple[HistoryRecord, AuditEntry]] = field(default_factory=list)
    written: anyio.Event = field(default_factory=anyio.Event)
    failed: dict[str, StoreError] = field(default_factory=dict)  # by invocation


class History:
    """Writes results into the history, and forgets what is past the retention.

    `under_way` counts the invocations that run now: where there are several, those that end in the same turn of the
    event loop share one transaction.
    """

    def __init__(self, store: HistoryStore, audit: Audit, settings: Settings, clock: Clock) -> None:
        self.under_way = 0
        self._store = store
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._pruned = False
        self._batch: _Batch | None = None

    async def record(self, result: Result, connection: Connection, actor: Actor, inputs: str) -> None:
        """Keep one result, and its audit record; `inputs` is JSON text, redacted as the result is."""
        if not self._pruned:
            await self._prune()
        record = _record_of(result, connection, actor, inputs, self._settings.limits.kept_result_bytes)
        entry = self._audit.entry(
            "invocation.finished",
            actor,
            connection,
            plugin=result.plugin,
            command=result.command,
            status=record.status,
            invocation=result.invocation_id,
        )
        if self.under_way > 1:
            await self._write_together(record, entry)
        else:
            await self._store.append([(record, entry)])

    async def _write_together(self, record: HistoryRecord, entry: AuditEntry) -> None:
        batch = self._batch
        if batch is not None:
            batch.rows.append((record, entry))
            await batch.written.wait()
        else:
            batch = self._batch = _Batch([(record, entry)])
            try:
                await anyio.sleep(LINGER_SECONDS if self.under_way >= MANY else 0)
            finally:  # whoever joined is waiting, also where this one is cancelled
                self._batch = None
                await self._write(batch)
        if record.invocation_id in batch.failed:
            raise batch.failed[record.invocation_id]

    async def _write(self, batch: _Batch) -> None:
        """Write all, also while the first is cancelled; each by itself where they cannot be written together."""
        with anyio.CancelScope(shield=True):
            try:
                await self._append(batch, batch.rows)
            finally:
                batch.written.set()

    async def _append(self, batch: _Batch, rows: Sequence[tuple[HistoryRecord, AuditEntry]]) -> None:
        try:
            await self._store.append(rows)
        except StoreError as error:
            if len(rows) == 1:
                batch.failed[rows[0][0].invocation_id] = error
                return
            for row in rows:
                await self._append(batch, [row])

    async def _prune(self) -> None:
        """Forget what is past the retention, once in the life of this process."""
        self._pruned = True
        await self._store.prune(iso(self._clock.now() - timedelta(days=self._settings.retention_days)))


def _record_of(result: Result, connection: Connection, actor: Actor, inputs: str, most: int) -> HistoryRecord:
    document = result.document()
    error = document["error"]
    return HistoryRecord(
        result.invocation_id,
        result.plugin,
        result.command,
        result.connection,
        str(actor),
        document["status"],
        document["started_at"],
        result.duration_ms,
        inputs,
        json_text(error) if error else None,
        _kept(document, most),
        connection.id,
        actor,
    )


def _kept(document: Mapping[str, Any], limit: int) -> str | None:
    whole = document["completeness"]
    if whole is not None and whole["returned"] * SMALLEST_RECORD > limit:
        return None
    text = json_text(document)
    return text if len(text) <= limit else None


REASON = 300  # characters


async def note_health(
    store: HealthStore, command: Command, connection: Connection, result: Result, failures: Sequence[Failure]
) -> None:
    """Keep how a test went, and whether the product refused the connection's credentials.

    `failures` are those behind the result's errors, in their order.
    """
    is_test = command.kind == "test_connection"
    refusal = next(
        (
            entry
            for entry, failure in zip(result.errors, failures, strict=True)
            if failure.attention or failure.kind is Kind.UNAUTHORIZED
        ),
        None,
    )
    if is_test:
        await store.tested(connection.id, result.status.value, result.started_at)
    if refusal is not None:
        await store.attend(connection.id, f"{refusal.message} {refusal.assistance}".strip()[:REASON])
    elif is_test and result.status is Status.PASSED:
        await store.attend(connection.id, "")
