"""Ids: those that sort by time, and a plugin's."""

import os
import time
from datetime import datetime
from uuid import UUID


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, the rest random."""
    value = int.from_bytes((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def id_at(moment: str) -> str:
    """Return a bound that sorts after every id made before an ISO 8601 time."""
    milliseconds = int(datetime.fromisoformat(moment).timestamp() * 1000)
    return str(UUID(int=(milliseconds + 1) << 80))


def plugin_id(written: str) -> str:
    """Return the id that an author means by `acme`, `acme-cloud` or `plugins/acme/`; it may still be none."""
    return written.rstrip("/").rpartition("/")[2].replace("-", "_")
