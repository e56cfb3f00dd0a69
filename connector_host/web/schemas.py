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
    "ConnectionChange": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"name": TEXT, "remove_secrets": _NAMES, **_CHANGE},
    },
    "HistoryRecord": {
        "type": "object",
        "required": ["invocation_id", "status"],
        "properties": dict.fromkeys(("invocation_id", "plugin", "command", "connection", "status", "started_at"), TEXT),
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
