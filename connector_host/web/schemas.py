"""The schemas of what the API alone gives and takes; results, connections and invocations have published ones."""

from collections.abc import Mapping
from typing import Any

from connector_host.web.routing import TEXT

_NAMES = {"type": "array", "items": TEXT}
_MAYBE = {"type": ["string", "null"]}
_VALUES = {"type": "object"}
_CHANGE: dict[str, Any] = {
    "site": _MAYBE,
    "shared_to_internal_sites": {"type": "boolean"},
    "recipient_site": _MAYBE,
    "tenants": _NAMES,
    "agent": _MAYBE,
    "description": TEXT,
    "allowed_users": _NAMES,
    "allowed_groups": _NAMES,
    "admin_users": _NAMES,
    "admin_groups": _NAMES,
    "allowed_paths": _NAMES,
    "active": {"type": "boolean"},
    "health_check": {"type": ["object", "null"]},
    "parameters": _VALUES,
    "secrets": _VALUES,
    "vault": _VALUES,
}
_FAULT = {"type": "object", "properties": dict.fromkeys(("pointer", "detail", "assistance"), TEXT)}
_TOKEN = {
    "name": TEXT,
    "scopes": _NAMES,
    "user": _MAYBE,
    "groups": _NAMES,
    "site": _MAYBE,
    "tenant": _MAYBE,
    "plugins": _NAMES,
    "connections": _NAMES,
    "commands": _NAMES,
}
_SCHEDULE = {
    "interval_minutes": {"type": "integer", "minimum": 1, "maximum": 10_080},
    "inputs": _VALUES,
    "begin": {"type": ["string", "null"], "format": "date-time"},
    "overlap_minutes": {"type": ["integer", "null"], "minimum": 0, "maximum": 10_080},
}
_ROW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["field"],
    "properties": {
        "field": TEXT,
        "source": {"type": ["string", "null"], "description": "A path in the record, as .service.summary."},
        "default": {"description": "The value where the source has none."},
        "type": {"enum": ["text", "datetime", "integer"]},
    },
}
_SOURCE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "fields"],
    "properties": {
        "name": TEXT,
        "search": {"type": ["string", "null"], "description": "{path}=value: which events it is for; all without it."},
        "priority": {"type": "integer"},
        "fields": {"type": "array", "items": _ROW},
    },
}
OWN_SCHEMAS: Mapping[str, Any] = {
    "Plugin": {
        "type": "object",
        "required": ["id", "name", "version"],
        "properties": dict.fromkeys(("id", "name", "version", "description"), TEXT),
    },
    "Command": {
        "type": "object",
        "required": ["id", "title", "form"],
        "properties": {"id": TEXT, "title": TEXT, "form": _VALUES},
    },
    "ConnectionSummary": {
        "type": "object",
        "required": ["name", "plugin", "version", "state"],
        "properties": {"name": TEXT, "plugin": TEXT, "version": {"type": "integer"}, "state": TEXT},
    },
    "NewConnection": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "plugin"],
        "properties": {"name": TEXT, "plugin": TEXT, **_CHANGE},
    },
    "UnsavedConnection": {
        "type": "object",
        "additionalProperties": False,
        "required": ["plugin"],
        "properties": {"name": TEXT, "plugin": TEXT, "inputs": _VALUES, **_CHANGE},
    },
    "ConnectionChange": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"name": TEXT, "remove_secrets": _NAMES, **_CHANGE},
    },
    "HistoryRecord": {
        "type": "object",
        "required": ["invocation_id", "status"],
        "properties": dict.fromkeys(
            ("invocation_id", "plugin", "command", "connection", "caller", "status", "started_at", "request_id"), TEXT
        ),
    },
    "Arrival": {
        "type": "object",
        "required": ["unique_key", "raw", "mapped", "connection", "command"],
        "properties": {
            **dict.fromkeys(("unique_key", "connection", "command", "arrived_at"), TEXT),
            "site": _MAYBE,
            "mapped": _VALUES,
        },
    },
    "NewSchedule": {"type": "object", "additionalProperties": False, "properties": _SCHEDULE},
    "Schedule": {
        "type": "object",
        "required": ["connection", "command", "interval_minutes"],
        "properties": {
            **_SCHEDULE,
            **dict.fromkeys(("connection", "command", "words"), TEXT),
            **dict.fromkeys(("last_run", "status"), _MAYBE),
            "counts": _VALUES,
        },
    },
    "Mapping": {
        "type": "object",
        "additionalProperties": False,
        "required": ["incident_fields", "event_sources"],
        "properties": {
            "incident_fields": {"type": "array", "items": _ROW},
            "event_sources": {"type": "array", "items": _SOURCE},
            "version": {"type": "integer"},
            "own": {"type": "boolean", "description": "Whether they are the connection's own."},
        },
    },
    "Site": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {"name": TEXT, "tenant": _MAYBE, "internal": {"type": "boolean"}},
    },
    "Tenant": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {"name": TEXT, "master": {"type": "boolean"}},
    },
    "Token": {
        "type": "object",
        "required": ["id", "name", "scopes"],
        "properties": {"id": TEXT, "token": TEXT, **_TOKEN},
    },
    "NewToken": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "scopes"],
        "properties": {**_TOKEN, "days": {"type": ["number", "null"]}},
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "request_id": TEXT,
            "errors": {"type": "array", "items": _FAULT},
        },
    },
}
