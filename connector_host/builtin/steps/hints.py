"""What the steps that wait share: the server's own hint of how long, and what is worth telling."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

log = logging.getLogger("connector_host.requests")
WORTH_TELLING = 1.0  # seconds
TOO_MANY = 429


def server_hint(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the server asks to wait: Retry-After (RFC 9110, 10.2.3: seconds or a date), else ratelimit-reset."""
    for name in ("retry-after", "ratelimit-reset"):
        text = headers.get(name, "").strip()
        if text:
            seconds = _seconds(text, now)
            if seconds is not None:
                return max(0.0, seconds)
    return None


def _seconds(text: str, now: datetime) -> float | None:
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else (_date(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _date(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
