"""Judges an event as the Events API v2 does."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LARGEST = 512 * 1024
LONGEST_SUMMARY = 1024
LONGEST_KEY = 255
KEY_LENGTH = 32
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "warning", "error", "info")
INVALID = "Event object is invalid"


Judge = Callable[[bytes, str | None], tuple[int, dict[str, Any], dict[str, Any] | None]]


def judge_event(body: bytes, integration_key: str | None) -> tuple[int, dict[str, Any], dict[str, Any] | None]:
    """Status, answer and, where it is accepted, the event."""
    if len(body) > LARGEST:
        return (
            413,
            {"status": "invalid event", "message": INVALID, "errors": ["The event is larger than 512 KB"]},
            None,
        )
    event = _object(body)
    if event is None:
        answer = {
            "status": "Unrecognized object",
            "message": "Event object format is unrecognized",
            "errors": ["JSON parse error"],
        }
        return 400, answer, None
    errors = list(_errors(event, integration_key))
    if errors:
        return 400, {"status": "invalid event", "message": INVALID, "errors": errors}, None
    event.setdefault("dedup_key", uuid.uuid4().hex)
    return 202, {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}, event


def judge_change(body: bytes, integration_key: str | None) -> tuple[int, dict[str, Any], dict[str, Any] | None]:
    """Status, answer and, where it is accepted, the change event."""
    change = _object(body)
    payload = None if change is None else change.get("payload")
    if change is None or not isinstance(payload, dict) or not payload.get("summary"):
        return 400, {"status": "invalid event", "message": INVALID, "errors": ["'payload.summary' is missing"]}, None
    errors = list(_key_errors(change, integration_key))
    if errors:
        return 400, {"status": "invalid event", "message": INVALID, "errors": errors}, None
    return 202, {"status": "success", "message": "Change event processed"}, change


def _object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that was sent; None for anything else."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _key_errors(event: Mapping[str, Any], integration_key: str | None) -> Iterator[str]:
    key = event.get("routing_key")
    if not isinstance(key, str) or not key:
        yield "'routing_key' is missing or blank"
    elif len(key) != KEY_LENGTH:
        yield f"Length of 'routing_key' is incorrect (should be {KEY_LENGTH} characters)"
    elif integration_key not in (None, key) or key == "0" * KEY_LENGTH:
        yield "Invalid routing key"


def _errors(event: Mapping[str, Any], integration_key: str | None) -> Iterator[str]:
    yield from _key_errors(event, integration_key)
    if event.get("event_action") not in ACTIONS:
        yield "'event_action' is missing or not one of trigger, acknowledge, resolve"
    dedup_key = event.get("dedup_key")
    if event.get("event_action") != "trigger" and not dedup_key:
        yield "'dedup_key' is missing or blank"
    if isinstance(dedup_key, str) and len(dedup_key) > LONGEST_KEY:
        yield f"'dedup_key' is too long (maximum is {LONGEST_KEY} characters)"
    if event.get("event_action") == "trigger":
        payload = event.get("payload")
        yield from (_payload_errors(payload) if isinstance(payload, dict) else ["'payload' is missing or blank"])


def _payload_errors(payload: Mapping[str, Any]) -> Iterator[str]:
    for name in ("summary", "source"):
        if not isinstance(payload.get(name), str) or not payload[name].strip():
            yield f"'payload.{name}' is missing or blank"
    if len(str(payload.get("summary", ""))) > LONGEST_SUMMARY:
        yield f"'summary' is too long (maximum is {LONGEST_SUMMARY} characters)"
    if payload.get("severity") not in SEVERITIES:
        yield "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "'payload.custom_details' must be an object"
