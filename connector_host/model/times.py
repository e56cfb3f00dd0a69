"""Times as servers write them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def in_utc(moment: datetime) -> datetime:
    """Return a time with its zone; one that has none is in UTC."""
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def http_date(text: str) -> datetime | None:
    """Return the time of a header (RFC 9110, 5.6.7); None for what is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
