"""The alerts of a stand-in account: what they hold, how they are found, and what can be done with them."""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
LONGEST_MESSAGE, LONGEST_ALIAS = 130, 512
NOT_PROCESSABLE = "Request body is not processable. Please check the errors."
TERM = re.compile(r"""^\s*(\w+)\s*[:=]\s*("[^"]*"|\S+)\s*$""")
FIELDS = {"id", "tinyId", "alias", "message", "status", "priority", "owner", "source", "entity", "tag", "acknowledged"}


class Refused(Exception):
    """A refusal in Opsgenie's form."""

    def __init__(self, status: int, message: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, dict(errors or {})


class Alerts:
    """The alerts, by their ids."""

    CHANGES: ClassVar[Sequence[tuple[str, str]]] = (
        ("DELETE", ""),
        *(("POST", what) for what in ("acknowledge", "unacknowledge", "close", "snooze", "escalate", "assign")),
        *(("POST", what) for what in ("notes", "tags", "details", "responders", "teams", "actions/{action}")),
        *(("DELETE", what) for what in ("tags", "details")),
        *(("PUT", what) for what in ("priority", "message", "description")),
    )

    def __init__(self, count: int) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self._parts: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for number in range(count):
            words = f"Disk of web-{number} is nearly full"
            alert = self.create({"message": words, "alias": f"disk-{number}", "priority": PRIORITIES[number % 5]})
            alert["createdAt"] = _now(-timedelta(minutes=count - number))

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a new alert; one that is open under the same alias is counted up."""
        message, alias = given.get("message"), given.get("alias") or ""
        if not isinstance(message, str) or not message.strip() or len(message) > LONGEST_MESSAGE:
            raise Refused(422, NOT_PROCESSABLE, {"message": "Message cannot be empty, or longer than 130 characters."})
        if len(alias) > LONGEST_ALIAS or given.get("priority", "P3") not in PRIORITIES:
            raise Refused(422, NOT_PROCESSABLE, {"priority": "Priority must be P1 to P5, and an alias not too long."})
        known = next((one for one in self.kept.values() if alias and one["alias"] == alias and _is_open(one)), None)
        if known is not None:
            known |= {"count": known["count"] + 1, "lastOccurredAt": _now(), "updatedAt": _now()}
            return known
        alert_id, moment = f"{uuid.uuid4()}-{len(self.kept)}", _now()
        alert: dict[str, Any] = {"id": alert_id, "tinyId": str(len(self.kept) + 1), "alias": alias or alert_id}
        alert |= {"message": message, "status": "open", "acknowledged": False, "isSeen": False, "snoozed": False}
        alert |= {"tags": list(given.get("tags") or ()), "count": 1, "owner": "", "teams": [], "actions": ["Restart"]}
        alert |= {"lastOccurredAt": moment, "createdAt": moment, "updatedAt": moment, "seen": False}
        alert |= {"source": given.get("source") or "127.0.0.1", "priority": given.get("priority") or "P3"}
        alert |= {"responders": list(given.get("responders") or ())}
        alert["integration"] = {"type": "API", "name": "Default API"}
        alert |= {"details": dict(given.get("details") or {}), "entity": given.get("entity") or ""}
        alert["description"] = given.get("description") or ""
        self.kept[alert_id] = alert
        self._parts[alert_id] = {"notes": [], "logs": [], "recipients": []}
        self._log(alert_id, "Alert created via API")
        return alert

    def one(self, key: str, kind: str) -> dict[str, Any]:
        """Return an alert by its id, its alias or its tiny id."""
        field = {"id": "id", "alias": "alias", "tiny": "tinyId"}.get(kind)
        if field is None:
            raise Refused(422, "Identifier type is not valid.")
        found = [one for one in self.kept.values() if one[field] == key]
        opened = [one for one in found if _is_open(one)]
        if not found:
            raise Refused(404, "Alert not found")
        return (opened or found)[-1]

    def find(self, query: str = "", sort: str = "createdAt", order: str = "desc") -> list[dict[str, Any]]:
        """Return those that meet each term of a search query (`status: open AND priority: P1`)."""
        terms = [_term(text) for text in re.split(r"\s+AND\s+", query)] if query.strip() else []
        found = [one for one in self.kept.values() if all(_meets(one, *term) for term in terms)]
        return sorted(found, key=lambda one: str(one.get(sort, "")), reverse=order != "asc")

    def parts(self, alert_id: str, name: str) -> list[dict[str, Any]]:
        """Return an alert's notes, logs or recipients, newest first."""
        return self._parts[alert_id][name][::-1]

    def change(self, alert_id: str, method: str, what: str, given: Mapping[str, Any]) -> tuple[str, str]:
        """Change an alert; return the action's name, and what became of it."""
        alert, word = self.kept[alert_id], what.partition("/")[0]
        if not word:
            del self.kept[alert_id]
            return "Delete", "Alert deleted"
        status = _STATES.get(word)
        if status is not None:
            alert |= status
        elif word in {"tags", "details", "responders", "teams"}:
            _change_many(alert, method, word, given)
        elif word in {"priority", "message", "description"}:
            alert[word] = _wanted(given, word)
        elif word == "assign":
            alert |= {"owner": (_wanted(given, "owner") or {}).get("username", ""), "acknowledged": True}
        elif word == "snooze":
            alert |= {"snoozed": True, "snoozedUntil": _wanted(given, "endTime")}
        if word == "notes" or given.get("note"):
            note = str(_wanted(given, "note"))
            entry = {"note": note, "owner": "Alert API", "createdAt": _now(), "offset": _now()}
            self._parts[alert_id]["notes"].append(entry)
        alert["updatedAt"] = _now()
        self._log(alert_id, f"{word} via API")
        return word.capitalize(), f"Executed {word}"

    def _log(self, alert_id: str, words: str) -> None:
        entry = {"log": words, "type": "system", "owner": "Alert API", "createdAt": _now(), "offset": _now()}
        self._parts[alert_id]["logs"].append(entry)


_STATES: Mapping[str, Mapping[str, Any]] = {
    "acknowledge": {"acknowledged": True},
    "unacknowledge": {"acknowledged": False},
    "close": {"status": "closed"},
}


def _change_many(alert: dict[str, Any], method: str, word: str, given: Mapping[str, Any]) -> None:
    if method == "DELETE":
        gone = str(_wanted(given, "keys" if word == "details" else word)).split(",")
        kept = alert[word]
        alert[word] = (
            {key: value for key, value in kept.items() if key not in gone}
            if isinstance(kept, dict)
            else [one for one in kept if one not in gone]
        )
    elif word == "details":
        alert["details"] = {**alert["details"], **_wanted(given, "details")}
    else:
        name = {"responders": "responder", "teams": "team"}.get(word, word)
        come = _wanted(given, name)
        alert[word] = [*alert[word], *(come if isinstance(come, list) else [come])]


def _wanted(given: Mapping[str, Any], name: str) -> Any:
    if not given.get(name):
        raise Refused(422, NOT_PROCESSABLE, {name: f"{name.capitalize()} cannot be empty."})
    return given[name]


def _term(text: str) -> tuple[str, str]:
    found = TERM.match(text)
    if found is None or found[1] not in FIELDS:
        raise Refused(422, "Search query is not valid.")
    return found[1], found[2].strip('"')


def _meets(alert: Mapping[str, Any], field: str, wanted: str) -> bool:
    if field == "tag":
        return wanted in alert["tags"]
    value = alert[field]
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return wanted.strip("*").casefold() in shown.casefold() if "*" in wanted or field == "message" else shown == wanted


def _is_open(alert: Mapping[str, Any]) -> bool:
    return bool(alert["status"] == "open")


def _now(shift: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) + shift).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
