"""What support needs to know of a connection, in one bundle without its secrets."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from typing import Any

from connector_host.host.connections.reading import shown
from connector_host.host.core import Core
from connector_host.host.history_access import runs_of
from connector_host.host.redaction import Redactor, leaves
from connector_host.model.caller import Operator, Principal
from connector_host.model.connection import StoredConnection
from connector_host.model.errors import SealError

RUNS, RECORDS = 20, 1000
_OURS = ("connector-host", "httptools", "httpx2", "msgspec", "jsonschema", "jsonschema-rs", "cryptography", "pluggy")


async def diagnosis_of(core: Core, stored: StoredConnection, caller: Principal) -> Mapping[str, Any]:
    """Return the bundle of one connection as {file name: JSON value}; what would be a secret is masked.

    It holds what its reader may see: the audit is the operator's.
    """
    connection = stored.connection
    manifest = core.registry.plugins.get(connection.plugin)
    document = await shown(core, stored, caller)
    runs = await runs_of(core, stored, caller, RUNS)
    records = await core.audit.last(RECORDS) if isinstance(caller, Operator) else []
    bundle = {
        "connection.json": {**document, "secrets": dict.fromkeys(document["secrets"], "********")},
        "plugin.json": {
            "id": connection.plugin,
            "version": manifest.version if manifest else None,
            "made_for": connection.plugin_version,
            "commands": list(manifest.commands) if manifest else [],
        },
        "history.json": [{**run.document(), "result": None} for run in runs],
        "audit.json": [record.document() for record in records if record.entry.subject_id == connection.id],
        "host.json": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "packages": {one.name: one.version for one in distributions() if one.name.lower() in _OURS},
        },
    }
    text = json.dumps(bundle, ensure_ascii=False, default=str)
    redacted: Mapping[str, Any] = (await _redactor(core, stored)).value(json.loads(text))
    return redacted


async def _redactor(core: Core, stored: StoredConnection) -> Redactor:
    try:
        opened = await core.secrets.open(stored)
    except SealError:
        return Redactor(())
    return Redactor(text for value in opened.values() for text in leaves(value))
