"""What came of invocations: the history of what ran and how it ended, and what that says of a connection's health."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import anyio
from msgspec.structs import replace

from connector_host.host.audit import Audit
from connector_host.host.results import MAYBE
from connector_host.host.settings import Settings
from connector_host.model.audit import AuditEntry
from connector_host.model.caller import OPERATOR
from connector_host.model.connection import Connection, ConnectionHealth
from connector_host.model.effects import Effect
from connector_host.model.errors import StoreError
from connector_host.model.failure import Failure, Kind
from connector_host.model.history import HistoryRecord
from connector_host.model.invocation import Invocation
from connector_host.model.manifest import Command
from connector_host.model.result import Result, Status, iso, json_text
from connector_host.model.rights import NOT_CHECKED, capabilities_in
from connector_host.model.stored import EndedRun
from connector_host.ports.history import HistoryStore
from connector_host.ports.parts import Clock
from connector_host.ports.stores import HealthStore

log = logging.getLogger("connector_host")
PRUNED = 1000  # runs forgotten at once
SMALLEST_RECORD = 100  # bytes; a list of more records than fit need not be written out to be weighed


class History:
    """Writes what is about to run and what came of it, and forgets what is past the retention."""

    def __init__(self, store: HistoryStore, audit: Audit, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._pruned: date | None = None  # the day on which nothing was left to forget

    async def begin(self, begun: HistoryRecord) -> None:
        """Tell of a run that may change something, before it does; raises StoreError, and then nothing may be sent."""
        await self._store.begin(begun)

    async def record(self, result: Result, begun: HistoryRecord, *, kept: bool) -> None:
        """Keep one result, where it is to be kept, and its audit record. Raises StoreError.

        What cannot be kept now is kept later.
        """
        record = _record_of(result, begun, self._settings.limits.kept_result_bytes)
        run = EndedRun(record, self._entry(record, "invocation.finished"), kept)
        with anyio.CancelScope(shield=True):  # it has ended, whoever is cancelled now
            await self._store.end(run)
            with suppress(StoreError):  # another time
                await self._prune()

    async def sweep(self) -> int:
        """End what programs that died had begun: whether it was done nobody knows; how many."""
        abandoned = await self._store.abandoned()
        for begun in abandoned:
            record = replace(begun, status=Status.FAILED.value, effect=Effect.UNKNOWN.value, error=json_text(_LOST))
            await self._store.end(EndedRun(record, self._entry(record, "invocation.abandoned")))
        return len(abandoned)

    def _entry(self, record: HistoryRecord, action: str) -> AuditEntry:
        details = {"plugin": record.plugin, "command": record.command, "status": record.status}
        if record.effect:
            details["effect"] = record.effect
        entry = self._audit.entry(action, record.actor, record.connection, **details, invocation=record.invocation_id)
        return replace(entry, subject_id=record.connection_id)

    async def _prune(self) -> None:
        """Forget some of what is past the retention: a slice with each run, until nothing is left for today."""
        now = self._clock.now()
        if self._pruned == now.date():
            return
        pruned = await self._store.prune(now, self._settings.retention_days, PRUNED)
        if pruned.forgotten < PRUNED:
            self._pruned = now.date()
        if pruned.jumped:
            days = pruned.jumped / 86_400
            log.warning(
                "The clock jumped by %.1f days since the store was used last; nothing is forgotten for it.", days
            )
            await self._audit.record("clock.jumped", OPERATOR, "", days=round(days, 1))


_LOST = {
    "failure_indicator": "The command was cut off.",
    "status_code": "500",
    "message": "The program that ran it ended, and nobody knows whether it was done.",
}
_LOST["entries"] = [  # type: ignore[assignment]
    {
        **_LOST,
        "item": None,
        "detail": MAYBE,
        "assistance": "",
        "kind": Kind.UNKNOWN.value,
        "http_status": None,
        "reference": None,
        "effect": Effect.UNKNOWN.value,
        "pointer": None,
    }
]


def begun_of(invocation: Invocation, inputs: str) -> HistoryRecord:
    """Return what is known of an invocation as it begins; `inputs` is JSON text, redacted."""
    assert invocation.started_at is not None  # noqa: S101 - it is under way
    connection = invocation.stored.connection
    return HistoryRecord(
        invocation.id,
        invocation.manifest.id,
        invocation.command.id,
        connection.name,
        str(invocation.actor),
        "",
        iso(invocation.started_at),
        0,
        inputs,
        connection_id=connection.id,
        actor=invocation.actor,
        request_id=invocation.options.request_id,
    )


def _record_of(result: Result, begun: HistoryRecord, most: int) -> HistoryRecord:
    document = result.document()
    error = _bounded(document["error"], most)
    return replace(
        begun,
        status=document["status"],
        duration_ms=result.duration_ms,
        error=json_text(error) if error else None,
        result=_kept(document, most),
        effect=document["effect"],
    )


def _bounded(error: Mapping[str, Any] | None, most: int) -> Mapping[str, Any] | None:
    """Return an error tab as it is kept: of very many entries the first, and how many there were."""
    if error is None:
        return None
    entries: list[Any] = error["entries"]
    if len(entries) * SMALLEST_RECORD <= most and len(json_text(error)) <= most:
        return error
    kept = entries[: max(1, most // len(json_text(entries[0])) // 2)]
    note = f"{error['message']} ({len(entries)} entries; the first {len(kept)} are kept.)"
    return {**error, "message": note, "entries": kept}


def _kept(document: Mapping[str, Any], limit: int) -> str:
    """Return a result as it is kept: whole, or without its data where it is larger than the limit."""
    whole = document["completeness"]
    if whole is None or whole["returned"] * SMALLEST_RECORD <= limit:
        text = json_text(document)
        if len(text) <= limit:
            return text
    note = "The data were too large to be kept in the history."
    reduced = {"raw_data": None, "context_data": None, "intake": None, "notes": [*document["notes"], note]}
    text = json_text({**document, **reduced})
    return text if len(text) <= limit else json_text({**document, **reduced, "key_fields": {}, "error": None})


REASON, UNCHECKED = 300, 50  # characters of a reason, and capabilities, that are kept


async def note_health(
    store: HealthStore, command: Command, connection: Connection, result: Result, failures: Sequence[Failure]
) -> ConnectionHealth | None:
    """Keep how a test went, and whether the product refused the connection's credentials.

    `failures` are those behind the result's errors, in their order. Return how the connection fares, where that is new.
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
    if not is_test and refusal is None:
        return None
    before = await store.state(connection.id)
    if is_test:
        unchecked = [one.name[:REASON] for one in capabilities_in(result.raw_data) if one.state == NOT_CHECKED]
        await store.tested(connection.id, result.status.value, result.started_at, unchecked[:UNCHECKED])
    if refusal is not None:
        await store.attend(connection.id, f"{refusal.message} {refusal.assistance}".strip()[:REASON])
    elif is_test and result.status is Status.PASSED:
        await store.attend(connection.id, "")
    now = await store.state(connection.id)
    return None if (now.status, now.attention) == (before.status, before.attention) else now
