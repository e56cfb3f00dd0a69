"""Keeps the invocation history: what ran, how it ended and, where it is small enough, what came of it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connector_host.contract.connection import Connection
from connector_host.contract.documents import as_document, as_json, iso
from connector_host.contract.model import HistoryRecord, Result
from connector_host.contract.ports import Clock
from connector_host.contract.stores import History
from connector_host.kernel.audit import Auditor
from connector_host.kernel.settings import Settings

SMALLEST_RECORD = 100  # bytes; a list of more records than fit need not be written out to be weighed


class Recorder:
    """Writes results into the history, and forgets what is past the retention."""

    def __init__(self, history: History, auditor: Auditor, settings: Settings, clock: Clock) -> None:
        self._history = history
        self._auditor = auditor
        self._settings = settings
        self._clock = clock
        self._pruned = False

    async def record(self, result: Result, connection: Connection, actor: str, inputs: str) -> None:
        """Keep one result, and its audit record; `inputs` is JSON text, redacted as the result is."""
        await self._prune_once()
        document = as_document(result)
        error = document["error"]
        await self._history.append(
            HistoryRecord(
                invocation_id=result.invocation_id,
                plugin=result.plugin,
                command=result.command,
                connection=result.connection,
                caller=actor,
                status=result.status.value,
                started_at=iso(result.started_at),
                duration_ms=result.duration_ms,
                inputs=inputs,
                error=as_json(error) if error else None,
                result=_kept(document, self._settings.limits.kept_result_bytes),
                connection_id=connection.id,
            ),
            self._auditor.entry(
                "invocation.finished",
                actor,
                connection,
                plugin=result.plugin,
                command=result.command,
                status=result.status.value,
                invocation=result.invocation_id,
            ),
        )

    async def _prune_once(self) -> None:
        """Forget what is past the retention, once in the life of this process."""
        if not self._pruned:
            self._pruned = True
            await self._history.prune(iso(self._clock.now() - timedelta(days=self._settings.retention_days)))


def _kept(document: Mapping[str, Any], limit: int) -> str | None:
    whole = document["completeness"]
    if whole is not None and whole["returned"] * SMALLEST_RECORD > limit:
        return None
    text = as_json(document)
    return text if len(text) <= limit else None
