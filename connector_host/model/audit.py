"""The nouns of the audit: who did what to which connection, each record chained to the one before it."""

import hashlib
import json
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

START = "0" * 64
_ENCODER = json.JSONEncoder()


class AuditEntry(Struct, frozen=True):
    """What is to be recorded: `subject` is a name, `details` JSON text; neither holds a secret. `at` is ISO 8601.

    `actor` is for people, `actor_kind` and `actor_id` for programs (see Actor); records of release 1.0 have neither.
    """

    at: str
    actor: str
    action: str
    subject: str = ""
    subject_id: str = ""
    details: str = "{}"
    actor_kind: str = ""
    actor_id: str = ""


class AuditRecord(Struct, frozen=True):
    """One record of the audit: numbers run from 1 without a gap, `digest` covers all before it."""

    number: int
    entry: AuditEntry
    previous: str
    digest: str

    def document(self) -> dict[str, Any]:
        """Return number and entry as a JSON document."""
        return {"number": self.number, **asdict(self.entry), "details": json.loads(self.entry.details)}


class AuditHead(Struct, frozen=True):
    """How far the audit reaches; noted elsewhere, it shows whether records at the end were taken away."""

    number: int = 0
    digest: str = START

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class AuditVerdict(Struct, frozen=True):
    """What verifying found: how many records there are, where the chain ends, and what is wrong with it."""

    records: int
    head: AuditHead
    problems: tuple[str, ...]


def digest_of(number: int, previous: str, entry: AuditEntry) -> str:
    """SHA-256 over a record and the digest of the one before it, as hex."""
    fields = [number, previous, entry.at, entry.actor, entry.action, entry.subject, entry.subject_id, entry.details]
    if entry.actor_kind:
        fields += [entry.actor_kind, entry.actor_id]
    return hashlib.sha256(_ENCODER.encode(fields).encode()).hexdigest()
