"""What support needs to know of a connection: how it stands, what ran, what was done to it; never a secret."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import distributions
from typing import Any

from connector_host.contract.connection import Caller, StoredConnection
from connector_host.contract.errors import SealError
from connector_host.contract.stores import Store
from connector_host.kernel.audit import Auditor
from connector_host.kernel.connections.manager import ConnectionManager
from connector_host.kernel.plugins import Registry
from connector_host.kernel.redaction import Redactor, leaves
from connector_host.kernel.secrets import SecretKeeper

RUNS, RECORDS = 20, 1000
_OURS = ("connector-host", "httpx2", "jsonschema", "jsonschema-rs", "cryptography", "pluggy", "aiosql", "anyio")


class Diagnosis:
    """Gathers a bundle."""

    def __init__(
        self, store: Store, manager: ConnectionManager, keeper: SecretKeeper, auditor: Auditor, registry: Registry
    ) -> None:
        self._store = store
        self._manager = manager
        self._keeper = keeper
        self._auditor = auditor
        self._registry = registry

    async def of(self, stored: StoredConnection, caller: Caller) -> Mapping[str, Any]:
        """Return the bundle of one connection as {file name: JSON value}; what would be a secret is masked."""
        connection = stored.connection
        runs = await self._store.history.recent(RUNS, connection.id)
        manifest = self._registry.plugins.get(connection.plugin)
        document = await self._manager.show(connection.name, caller)
        bundle = {
            "connection.json": {**document, "secrets": dict.fromkeys(document["secrets"], "********")},
            "plugin.json": {
                "id": connection.plugin,
                "version": manifest.version if manifest else None,
                "made_for": connection.plugin_version,
                "commands": list(manifest.commands) if manifest else [],
            },
            "history.json": [
                {
                    **asdict(run),
                    "inputs": json.loads(run.inputs),
                    "error": json.loads(run.error or "null"),
                    "result": None,
                }
                for run in runs
            ],
            "audit.json": [
                one.document() for one in await self._auditor.newest(RECORDS) if one.entry.subject_id == connection.id
            ],
            "host.json": {
                "python": platform.python_version(),
                "system": platform.platform(),
                "packages": {one.name: one.version for one in distributions() if one.name.lower() in _OURS},
            },
        }
        text = json.dumps(bundle, ensure_ascii=False, default=str)
        redacted: Mapping[str, Any] = (await self._redactor(stored)).value(json.loads(text))
        return redacted

    async def _redactor(self, stored: StoredConnection) -> Redactor:
        try:
            opened = await self._keeper.open(stored)
        except SealError:
            return Redactor(())
        return Redactor(text for value in opened.values() for text in leaves(value))
