"""Times as people here write them: in the host's own format, or in ISO 8601."""

from datetime import UTC, datetime

from connector_host.host.settings import DateTimeSetting


def parse_time(text: str, setting: DateTimeSetting) -> datetime | None:
    """Return a time in UTC, or None where `text` is neither in the host's format nor in ISO 8601."""
    moment = _strptime(text, setting.format) or _iso(text)
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=setting.zone())).astimezone(UTC)
    except OverflowError:
        return None


def is_local(text: object, setting: DateTimeSetting) -> bool:
    """Whether a time was written without an offset, so that the host's zone is meant."""
    if not isinstance(text, str):
        return False
    moment = _strptime(text.strip(), setting.format) or _iso(text.strip())
    return moment is not None and moment.tzinfo is None


def _strptime(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
